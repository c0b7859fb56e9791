"""What did a classifier look at, in these pictures?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.attention import Attention, Looked, attention, write_attention
from leukoscope.audit.regions import nuclei, scale_bar
from leukoscope.data import inputs
from leukoscope.data.images import decode
from leukoscope.errors import DataError, UsageError, nearest
from leukoscope.files import make_folder, replacing
from leukoscope.progress import bar

if TYPE_CHECKING:
    from leukoscope.learn.classifier import Classifier
    from leukoscope.report.heatmaps import Explained

Pixels = NDArray[np.uint8]

MOST = 20  # pictures below each other in one file
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Explaining:
    """What is to be explained. The fields are the options of `leukoscope explain`."""

    classifier: Path  # a folder
    words: Sequence[str]  # files, folders, patterns, archives, or `-`
    out: Path  # a .png for all, a .csv of figures, or a folder with a .png for each
    target: str | None = None  # the class that is asked about; None: the likeliest one
    quiet: bool = False


def explain(given: Explaining) -> int:
    """How many pictures were explained.

    A PNG shows up to 20 pictures below each other, each with its nuclei outlined, Grad-CAM and
    occlusion over it, and what was predicted; a folder gets a PNG for each. A CSV gets how much of
    Grad-CAM lies on nuclei, scale bar and background, of any number of pictures. Raises
    `DataError` for a picture that cannot be read.
    """
    files = inputs.expand(given.words)
    kind = given.out.suffix.lower()
    if kind == ".png" and len(files) > MOST:
        raise UsageError(f"{len(files)} pictures are too many for one PNG; name a folder.")
    make_folder(given.out if kind == "" else given.out.parent)
    from leukoscope.learn import classifier as classifiers

    classifier = classifiers.load(given.classifier)
    target = _target(given.target, classifier.config.classes)
    found = _decoded(inputs.pictures(files), classifier.config.size)
    if kind == ".csv":
        rows = _looked(classifier, found, len(files), target, quiet=given.quiet)
        write_attention(rows, given.out)
        return len(rows)
    return _draw(classifier, found, len(files), target, given)


def _target(name: str | None, classes: Sequence[str]) -> int | None:
    if name is not None and name not in classes:
        raise UsageError(
            f"The classifier has no class {name!r}, but {', '.join(classes)}."
            f"{nearest(name, classes)}"
        )
    return None if name is None else classes.index(name)


def _decoded(found: Iterable[inputs.Picture], size: int) -> Iterator[tuple[str, Pixels]]:
    for picture in found:
        if picture.error:
            raise DataError(picture.error)
        yield picture.name, decode(picture.content, size)


def look(
    classifier: "Classifier",
    images: Sequence[tuple[str, str]],
    pixels: Pixels,
    *,
    targets: Sequence[int] | None = None,
    quiet: bool = True,
) -> list[Looked]:
    """Where Grad-CAM lies in N×S×S×3 pixels, whose N paths and labels `images` are; by default for
    the likeliest class of each."""
    from leukoscope.learn.gradcam import gradcam

    maps, chosen = gradcam(classifier, pixels, targets=targets, quiet=quiet)
    return [
        Looked(path, label, classifier.config.classes[k], attention(heat, image))
        for (path, label), image, heat, k in zip(images, pixels, maps, chosen, strict=True)
    ]


def _looked(
    classifier: "Classifier",
    found: Iterable[tuple[str, Pixels]],
    count: int,
    target: int | None,
    *,
    quiet: bool,
) -> list[Looked]:
    """Where Grad-CAM lies in each picture of a name and pixels, not all of them in memory."""
    rows: list[Looked] = []
    remaining = iter(found)
    with bar("explaining", count, quiet=quiet) as advance:
        while part := list(islice(remaining, _AT_ONCE)):
            images = [(name, "") for name, _ in part]
            targets = None if target is None else [target] * len(part)
            pixels = np.stack([image for _, image in part])
            rows += look(classifier, images, pixels, targets=targets)
            advance(len(part))
    return rows


def _draw(
    classifier: "Classifier",
    found: Iterable[tuple[str, Pixels]],
    count: int,
    target: int | None,
    given: Explaining,
) -> int:
    from leukoscope.report.heatmaps import explanations
    from leukoscope.report.style import png

    rows: list[Explained] = []
    drawn = 0
    with bar("explaining", count, quiet=given.quiet) as advance:
        for name, image in found:
            rows.append(_explained(classifier, name, image, target))
            drawn += 1
            if given.out.suffix == "":
                # By number too: two folders may hold files of one name.
                path = given.out / f"{drawn:03}-{Path(name).stem}.png"
                _write(path, png(explanations(rows)))
                rows = []
            advance()
    if rows:
        _write(given.out, png(explanations(rows)))
    return drawn


def _explained(
    classifier: "Classifier", name: str, image: Pixels, target: int | None
) -> "Explained":
    from leukoscope.learn.gradcam import explain
    from leukoscope.learn.prediction import answer
    from leukoscope.report.heatmaps import Explained

    classes = classifier.config.classes
    answers = answer(classifier, image[None], quiet=True)
    found = explain(classifier, image, target=target, quiet=True)
    best = int(answers.probabilities[0].argmax())
    title = [f"{name}: {classes[best]}, {_percent(answers.probabilities[0, best])}"]
    if answers.sets is not None and answers.sets[0].sum() != 1:
        kept = [one for one, inside in zip(classes, answers.sets[0], strict=True) if inside]
        title.append(f"cannot be ruled out: {', '.join(kept) or 'none'}")
    if answers.novel is not None and answers.novel[0]:
        title.append("unlike what it learned from")
    if found.target != best:
        title.append(f"the maps are for {classes[found.target]}")
    return Explained(
        picture=image,
        gradcam=found.gradcam,
        occlusion=found.occlusion,
        nuclei=nuclei(image),
        scale_bar=scale_bar(image),
        title="; ".join(title),
        caption=(
            f"Grad-CAM: {_listing(attention(found.gradcam, image))}. "
            f"Occlusion: {_listing(attention(found.occlusion, image))}.",
            f"Covering one place takes {_percent(min(1.0, found.fall))} off the score at most. "
            + (
                "One of the two maps is empty."
                if found.agreement is None
                else f"Rank correlation of the two maps: {found.agreement:.2f}."
            ),
        ),
    )


def _listing(found: Attention) -> str:
    if found.shares is None:
        return "nothing speaks for the class"
    cells, mark, _ = zip(found.shares, found.areas, strict=True)
    text = f"{_percent(cells[0])} on nuclei ({_percent(cells[1])} of the area)"
    return text + (f", {_percent(mark[0])} on the scale bar ({_percent(mark[1])})" * (mark[1] > 0))


def _percent(share: float) -> str:
    if 0.995 <= share < 1:
        return f"{min(99.99, 100 * share):.2f} %"  # never rounded to certainty
    return f"{100 * share:.0f} %"


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as beside:
        beside.write_bytes(content)
