"""The row and its table: which images there are, what they show, and who may learn from them.

`samples.csv` has the columns

| column | meaning |
|---|---|
| `path` | the image, relative to the root of the data set, with `/`; it identifies the row in every file |
| `label` | the class, as fine as it is known (`Early`, not `Malignant`) |
| `group` | what must not be on two sides of a split: a patient, a scene; empty when unknown |
| `source` | the data set the image comes from |
| `split` | `train`, `validation`, `test`, or empty before the split |
| `sha256` | of the file's bytes, so that a changed file is noticed |

Only `path` and `label` are required in a table that somebody else wrote.
"""  # noqa: E501

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path, PurePosixPath

from leukoscope.errors import DataError, UsageError
from leukoscope.files import read_csv, reason, write_csv

SPLITS = ("train", "validation", "test")
_THREADS = 8  # reading waits for the disk, so more threads than cores help


@dataclass(frozen=True, slots=True)
class Sample:
    """One image: where it is, what it shows, what it belongs to."""

    path: str
    label: str
    group: str = ""
    source: str = ""
    split: str = ""
    sha256: str = ""


COLUMNS = tuple(field.name for field in fields(Sample))


def check(samples: Sequence[Sample], origin: str) -> None:
    """Nothing, or `DataError` naming the first row that cannot be used."""
    if not samples:
        raise DataError(f"{origin} holds no images.")
    seen: set[PurePosixPath] = set()
    for sample in samples:
        parts = PurePosixPath(sample.path)
        if not parts.parts or parts.is_absolute() or ".." in parts.parts or "\0" in sample.path:
            raise DataError(
                f"{origin}: the path {sample.path!r} is not below the root of the data set."
            )
        if parts in seen:
            raise DataError(f"{origin}: {sample.path} is listed twice.")
        if not sample.label:
            raise DataError(f"{origin}: {sample.path} has no label.")
        if sample.split not in ("", *SPLITS):
            raise DataError(
                f"{origin}: {sample.path} has the split {sample.split!r}; "
                f"known are {', '.join(SPLITS)}."
            )
        seen.add(parts)


def read_samples(path: Path) -> list[Sample]:
    """The rows of a `samples.csv`, checked; columns may come in any order."""
    _, rows = read_csv(path, ("path", "label"))
    samples = [
        Sample(**{name: row[name].strip() for name in COLUMNS if name in row}) for row in rows
    ]
    check(samples, str(path))
    return samples


def write_samples(samples: Sequence[Sample], path: Path) -> None:
    """`path` as the table of these rows, in their order."""
    write_csv(path, COLUMNS, (astuple(sample) for sample in samples))


def hashed(samples: Sequence[Sample], root: Path) -> list[Sample]:
    """The same rows with the SHA-256 of each file as it is on disk now.

    A file that differs from the hash its row already has raises `DataError`: labels and splits
    written for one image must not be used for another.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        digests = list(pool.map(lambda sample: digest(root / sample.path), samples))
    for sample, found in zip(samples, digests, strict=True):
        if sample.sha256 and sample.sha256.lower() != found:
            raise DataError(
                f"{root / sample.path} is not the file that the table was written for "
                f"(its SHA-256 differs)."
            )
    return [replace(sample, sha256=found) for sample, found in zip(samples, digests, strict=True)]


def digest(source: Path | bytes) -> str:
    """The SHA-256 of a file, or of its bytes; `UsageError` when it cannot be read."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {reason(error)}.") from error


def with_groups(samples: Sequence[Sample], group_of: Mapping[str, str]) -> list[Sample]:
    """The rows with the groups of a table; `DataError` when it misses one."""
    missing = [row.path for row in samples if not group_of.get(row.path)]
    if missing:
        raise DataError(
            f"The table of groups misses {len(missing):,} of {len(samples):,} images; "
            f"the first is {missing[0]}."
            + (f" Its own paths are like {next(iter(group_of))}." if group_of else "")
        )
    return [replace(row, group=group_of[row.path]) for row in samples]


def fingerprint(samples: Iterable[Sample]) -> str:
    """One SHA-256 over paths, labels, groups and contents, whatever the order of the rows."""
    whole = hashlib.sha256()
    for sample in sorted(samples, key=lambda sample: sample.path):
        whole.update(repr((sample.path, sample.label, sample.group, sample.sha256)).encode())
    return whole.hexdigest()


def split_fingerprint(samples: Iterable[Sample]) -> str:
    """One SHA-256 over who trains, who validates and who is tested, whatever the order of rows."""
    digest = hashlib.sha256()
    for sample in sorted(samples, key=lambda sample: sample.path):
        digest.update(repr((sample.path, sample.split)).encode())
    return digest.hexdigest()


def counts(samples: Iterable[Sample]) -> dict[str, int]:
    """Images per label, by name."""
    return dict(sorted(Counter(sample.label for sample in samples).items()))


def listing(counts: Mapping[str, int]) -> str:
    """Such counts in words."""
    return ", ".join(f"{name} {n}" for name, n in counts.items())


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be told apart: the classes, and the class of each fine label."""

    name: str
    classes: tuple[str, ...]
    class_of: dict[str, str]

    def targets(self, samples: Iterable[Sample]) -> list[int]:
        """The index of each row's class."""
        return [self.classes.index(self.class_of[sample.label]) for sample in samples]


def task(samples: Sequence[Sample], name: str, *, negative: str = "Benign") -> Task:
    """The `subtype` task (every label a class) or the `binary` one (`negative` against the rest).

    The rest of a set with `negative` among its labels is called Malignant; in a set of two
    other labels these are the two classes. The positive class comes second.
    """
    labels = list(counts(samples))
    if len(labels) < 2:
        raise DataError(f"There is one class only ({labels[0]}); a classifier needs two.")
    if name == "subtype" or (len(labels) == 2 and negative not in labels):
        return Task(name, tuple(labels), {label: label for label in labels})
    if negative not in labels:
        raise UsageError(
            f"Binary classification needs the class {negative} among {', '.join(labels)}; "
            f"name the negative class with --negative, or use --classes subtype."
        )
    positive = "Malignant" if negative == "Benign" else f"not {negative}"
    return Task(
        name,
        (negative, positive),
        {label: negative if label == negative else positive for label in labels},
    )


def class_of(label: str, classes: Sequence[str]) -> str | None:
    """The class that a label means to a classifier with these classes; None if it means none.

    Every label means itself; to a binary classifier, see `task`, any other label means the
    positive class.
    """
    if label in classes:
        return label
    negative, *others = classes
    return others[0] if others in (["Malignant"], [f"not {negative}"]) else None
