"""How do reviews become training data?"""

from dataclasses import dataclass
from pathlib import Path

from leukoscope.data.images import SUFFIXES
from leukoscope.data.samples import Sample, hashed, write_samples
from leukoscope.errors import DataError, UsageError
from leukoscope.files import make_folder
from leukoscope.serve.reviews import Reviews


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows were written, and how many reviewed images were left out or disputed."""

    written: int
    missing: int  # no file with this content was found
    disputed: int  # two people gave different labels; the latest one was written


def export(reviews: Reviews, pictures: Path, out: Path) -> Exported:
    """`out` as a `samples.csv` of every confirmed or corrected image that is below `pictures`.

    Files are found by their content, so `pictures` may be the folder in which the service keeps
    them or the one that they came from; paths are relative to it. The patient becomes the group.
    """
    if not pictures.is_dir():
        raise UsageError(f"{pictures} is not a folder of pictures.")
    decided = [review for review in reviews.current() if review.label]
    if not decided:
        raise DataError("There are no confirmed or corrected reviews to export.")
    make_folder(out.parent)
    paths = _by_content(pictures)
    rows = [
        Sample(paths[one.sha256], one.label, one.patient, "reviews", "", one.sha256)
        for one in decided
        if one.sha256 in paths
    ]
    if not rows:
        raise DataError(f"None of the {len(decided)} reviewed images is in {pictures}.")
    write_samples(sorted(rows, key=lambda row: row.path), out)
    disputed = reviews.disagreements() & {row.sha256 for row in rows}
    return Exported(len(rows), len(decided) - len(rows), len(disputed))


def _by_content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    named = [Sample(path.relative_to(folder).as_posix(), "unknown") for path in files]
    return {sample.sha256: sample.path for sample in reversed(hashed(named, folder))}
