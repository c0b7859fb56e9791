"""Was this file among those that a classifier learned from?

An answer to a picture that the network was trained on says nothing of what it can do. So a
classifier carries `seen.csv`: the beginning of the SHA-256 of each of its training and validation
files, with the columns `sha256` and `split`. It knows the same bytes again, not a picture that was
cropped, saved anew or taken again a little further on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leukoscope.data.samples import Sample
from leukoscope.errors import DataError
from leukoscope.files import read_csv, write_csv

SEEN = "seen.csv"  # in the folder of a classifier
SPLITS = ("train", "validation")
_DIGITS = 16  # 64 bits: a million files agree with one of ten thousand by chance once in 10⁹


@dataclass(frozen=True, slots=True)
class Seen:
    """The split of each file that took part in a training, by the beginning of its SHA-256."""

    splits: dict[str, str]

    def split(self, sha256: str) -> str:
        """`train`, `validation`, or nothing for a file that took no part."""
        return self.splits.get(sha256[:_DIGITS].lower(), "")


def of_samples(samples: Iterable[Sample]) -> Seen:
    """The training and validation rows; a file that is in both was trained on."""
    rows = sorted(samples, key=lambda row: row.split == "train")
    known = [row for row in rows if row.split in SPLITS and row.sha256]
    return Seen({row.sha256[:_DIGITS].lower(): row.split for row in known})


def together(each: Sequence[Seen | None]) -> Seen | None:
    """What any of several classifiers has seen; None when one of them does not know."""
    known = [one for one in each if one is not None]
    if len(known) < len(each):
        return None
    pairs = [pair for one in known for pair in one.splits.items()]
    return Seen(dict(sorted(pairs, key=lambda pair: pair[1] == "train")))


def write(seen: Seen, folder: Path) -> None:
    """`seen.csv` in the folder of a classifier, in an order that tells nothing."""
    write_csv(folder / SEEN, ("sha256", "split"), sorted(seen.splits.items()))


def read(folder: Path) -> Seen | None:
    """What a classifier has seen; None for one that does not say, `DataError` for another split."""
    path = folder / SEEN
    if not path.is_file():
        return None
    _, rows = read_csv(path, ("sha256", "split"))
    for line, row in enumerate(rows, start=2):
        if row["split"] not in SPLITS or len(row["sha256"]) < _DIGITS:
            raise DataError(
                f"{path}, line {line}: {row['sha256']!r}, {row['split']!r} are not {_DIGITS} "
                f"digits of a SHA-256 and {' or '.join(SPLITS)}."
            )
    return Seen({row["sha256"][:_DIGITS].lower(): row["split"] for row in rows})


def sentence(train: int, validation: int) -> str:
    """What so many pictures that the classifier has seen mean for who reads its answers; nothing
    without any."""
    if not train + validation:
        return ""
    return (
        f"The classifier was trained on {train:,} of them, and {validation:,} chose its epoch or "
        f"calibrated it: what it says of these is no evidence (column seen)."
    )
