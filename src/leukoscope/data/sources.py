"""One short function per known data set: a folder in, rows out, with its card."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from leukoscope.data import samples as table
from leukoscope.data.images import SUFFIXES
from leukoscope.data.samples import Sample
from leukoscope.errors import DataError, LeukoscopeError, UsageError

KAGGLE_SLUG = "mehradaria/leukemia"


@dataclass(frozen=True, slots=True)
class Card:
    """Where a data set comes from, on what terms, and what it should hold."""

    name: str
    title: str
    citation: str = ""
    licence: str = ""
    url: str = ""
    synthetic: bool = False
    redistributable: bool = False
    expected_counts: dict[str, int] | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """The card with the counts that were found, ready for JSON."""
        return asdict(self) | {"counts": table.counts(samples)}


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as found: its rows, sorted by path and hashed, their root, and its card."""

    samples: tuple[Sample, ...]
    root: Path
    card: Card

    @property
    def warnings(self) -> list[str]:
        """What differs from the card, in sentences."""
        expected, found = self.card.expected_counts, table.counts(self.samples)
        if expected is None or expected == found:
            return []
        return [
            f"{self.card.title} should hold {table.listing(expected)}; found "
            f"{table.listing(found)} in {self.root}."
        ]


TALEQANI = Card(
    name="taleqani",
    title="Acute lymphoblastic leukemia image set of Taleqani Hospital, Tehran",
    citation=(
        "Aria M, Ghaderzadeh M, Bashash D, Abolghasemi H, Asadi F, Hosseini A. Acute Lymphoblastic "
        "Leukemia (ALL) image dataset. Kaggle, 2021. doi:10.34740/KAGGLE/DSV/2175623. "
        "Ghaderzadeh M, et al. A fast and efficient CNN model for B-ALL diagnosis and its subtypes "
        "classification using peripheral blood smear images. Int J Intell Syst 2022. "
        "doi:10.1002/int.22753"
    ),
    licence="Research use with citation; the authors ask that it not be redistributed.",
    url=f"https://www.kaggle.com/datasets/{KAGGLE_SLUG}",
    expected_counts={"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804},
    notes=(
        "89 suspected patients, 25 benign and 64 with B-ALL; no patient ids are published.",
        "Benign means hematogones, not healthy people.",
        "A third of the images overlap another one, and the style of the burned-in scale bar goes "
        "with the class.",
    ),
)


DRAWN = Card(
    name="synthetic",
    title="Drawn smears",
    licence="Drawn by Leukoscope; free of rights.",
    synthetic=True,
    redistributable=True,
    notes=(
        "These are drawings, not patients: they show that the program works, and nothing else.",
    ),
)


def find(data: str | Path, *, root: Path | None = None, draw_into: Path | None = None) -> Source:
    """The data set that `data` names: `synthetic`, `kaggle`, a folder, or a `samples.csv`.

    `root` is the folder that the paths of a `samples.csv` are relative to, by default its own;
    nothing else has one.
    `draw_into` receives the drawn smears.
    """
    if root is not None and not Path(data).is_file():
        raise UsageError(f"--root goes with a samples.csv, and {data} is none.")
    if data == "synthetic":
        source = drawn(draw_into or Path("smears"))
    elif data == "kaggle":
        source = kaggle()
    elif Path(data).is_file():
        source = listed(Path(data), root=root)
    elif Path(data).is_dir():
        source = folder(Path(data))
    else:
        raise UsageError(
            f"{data} is not there; give a folder with one sub-folder per class, a samples.csv, "
            f"'kaggle' or 'synthetic'."
        )
    table.check(source.samples, str(source.root))
    return replace(source, samples=tuple(table.hashed(source.samples, source.root)))


def folder(path: Path) -> Source:
    """The images below a folder with one sub-folder per class.

    The Taleqani set is known by its classes and how many images each has, drawn smears by the
    truth beside them.
    """
    inner = path / "Original"
    if inner.is_dir():
        path = inner
    labels = sorted(
        entry
        for entry in path.iterdir()
        if entry.is_dir() and not entry.name.startswith(".") and not _is_written(entry)
    )
    rows = {entry.name: _images(entry, path) for entry in labels}
    if not any(rows.values()):
        raise DataError(
            f"{path} has no images; one sub-folder per class with pictures "
            f"({', '.join(SUFFIXES)}) is needed."
        )
    empty = [name for name, images in rows.items() if not images]
    if empty:
        raise DataError(
            f"{path / empty[0]} is a class folder without images; fill it, or remove it."
        )
    if len(rows) == 1 and all(image.count("/") > 1 for image in rows[labels[0].name]):
        raise DataError(
            f"{path} has one sub-folder only, and its pictures lie deeper; one sub-folder per "
            f"class is needed. Try {labels[0]}."
        )
    from leukoscope.data import synthetic

    card = DRAWN if synthetic.is_drawn(path) else _card(path, {k: len(v) for k, v in rows.items()})
    return Source(
        tuple(
            Sample(image, label, source=card.name)
            for image, label in sorted((i, label) for label, images in rows.items() for i in images)
        ),
        path,
        card,
    )


def _is_written(folder: Path) -> bool:
    """Whether an audit, a benchmark or a training wrote this folder: its figures are no class."""
    return any((folder / name).exists() for name in ("findings.json", "settings.json"))


def _card(path: Path, found: dict[str, int]) -> Card:
    """The card of the Taleqani set for as many images as it has, give or take a tenth of each
    class; else one that knows the folder only."""
    card = Card(
        name=path.resolve().name, title=f"Images in {path if path.name else path.resolve().name}"
    )
    expected = TALEQANI.expected_counts or {}
    if found.keys() != expected.keys():
        return card
    if all(abs(found[label] - n) <= n / 10 for label, n in expected.items()):
        return TALEQANI
    return replace(card, notes=(f"Its classes are called like those of the {TALEQANI.title}.",))


def listed(path: Path, *, root: Path | None = None) -> Source:
    """The rows of a `samples.csv`, sorted by path."""
    rows = sorted(table.read_samples(path), key=lambda sample: sample.path)
    known = {frozenset({card.name}): card for card in (TALEQANI, DRAWN)}
    unknown = Card(name=path.stem, title=f"Images listed in {path}")
    card = known.get(frozenset(sample.source for sample in rows), unknown)
    return Source(tuple(rows), root or path.parent, card)


def kaggle() -> Source:
    """The Taleqani set as Kaggle serves it, downloaded once by kagglehub into its own cache."""
    import kagglehub

    try:
        downloaded = Path(kagglehub.dataset_download(KAGGLE_SLUG))
    except Exception as error:  # kagglehub passes on whatever its HTTP client raises
        raise LeukoscopeError(
            f"{KAGGLE_SLUG} could not be downloaded from Kaggle ({type(error).__name__}: {error}). "
            f"Download it from {TALEQANI.url} and give the folder with --data."
        ) from error
    found = folder(downloaded)
    rows = tuple(replace(row, source=TALEQANI.name) for row in found.samples)
    return Source(rows, found.root, TALEQANI)


def drawn(path: Path, *, per_class: int = 100, seed: int = 0, size: int = 96) -> Source:
    """Drawn smears, written as PNG files below `path`, with the session as their group."""
    from leukoscope.data import synthetic

    smears = synthetic.draw(
        per_class=per_class, size=size, seed=seed, sessions_per_class=10, marks="random"
    )
    synthetic.write(smears, path)
    rows = sorted(
        (Sample(f.path, f.label, group=f.session, source=DRAWN.name) for f in smears.fields),
        key=lambda sample: sample.path,
    )
    return Source(tuple(rows), path, DRAWN)


def _images(below: Path, root: Path) -> list[str]:
    return [
        _name(entry.relative_to(root))
        for entry in below.rglob("*")
        if entry.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in entry.relative_to(root).parts)
        and entry.is_file()
    ]


def _name(path: Path) -> str:
    """The path as it stands in a table, which is UTF-8."""
    name = path.as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise DataError(f"{shown}: the name of this file is not UTF-8; rename it.") from error
    return name
