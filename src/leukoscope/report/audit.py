"""One self-contained HTML file that says what an audit found."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from leukoscope import __version__
from leukoscope.audit.checks import SIZE
from leukoscope.audit.duplicates import Overlap, read_overlaps
from leukoscope.audit.findings import VERDICTS
from leukoscope.audit.price import Point
from leukoscope.audit.registration import TURNS, turn_back, turn_point
from leukoscope.data.images import decode
from leukoscope.data.samples import read_samples
from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.evaluate.intervals import Interval
from leukoscope.files import make_folder, read_csv, read_json, write_text
from leukoscope.report import audit_plots, figures, wording
from leukoscope.report.figures import Drawing, draw
from leukoscope.report.mistakes import thumbnail
from leukoscope.report.report import DRAWN

_PAIRS = 24  # of overlapping fields: the least alike first, then some of the others
_SESSIONS = 40  # contact sheets, of the largest sessions
_ON_A_SHEET = 12
_ODD = 12  # images, or pairs, of a finding
_SIDE, _SMALL = 160, 72  # pixels on the page
_EQUAL = ("equal bytes", "equal pixels")

Corner = tuple[float, float]
Open = Callable[[str], NDArray[np.uint8] | None]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on the page, none where `uri` is empty, and what is written under it."""

    uri: str
    caption: str


def write(folder: Path, *, images: bool = True) -> Path:
    """`<folder>/audit.html` and `figures/*.png` from the files that `checks.write` left there.

    Without `images` it names pictures instead of showing them, for passing it on.
    """
    content = read_json(folder / "findings.json")
    findings = content["findings"]
    mark = DRAWN if content["synthetic"] else ""
    overlaps = read_overlaps(folder / "overlaps.csv")
    session_of = _sessions(folder)
    label_of = {row.path: row.label for row in read_samples(folder / "samples.csv")}
    of = {one["check"]: one for one in findings}
    fields = [one for one in overlaps if one.kind not in _EQUAL]
    root = Path(content["root"])
    if images and not root.is_dir():
        raise UsageError(
            f"The images of {folder} are not in {root}, seen from {Path.cwd()}: call this from the "
            f"folder that the audit was made in, or with --without-images."
        )
    opened = partial(_open, root) if images else _closed
    environment = Environment(
        loader=PackageLoader("leukoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = _figures(folder, findings, mark)
    page = environment.get_template("audit.html").render(
        content=content,
        findings=sorted(findings, key=lambda one: VERDICTS.index(one["verdict"])),
        figures=drawn,
        of=of,
        total=len(label_of) + len(of["readable"]["details"].get("reasons", {})),
        equal=_equal(of.get("equal files", {}), label_of),
        pairs=[
            pair for one in _chosen(fields) if (pair := _pair(one, opened, label_of)) is not None
        ],
        fields=len(fields),
        sheets=_sheets(session_of, opened, label_of),
        sessions=len(set(session_of.values())),
        odd=_galleries(findings, opened, overlaps, label_of),
        images=images,
        mark=mark,
        number={kind: partial(next, itertools.count(1)) for kind in ("table", "figure")},
        w=wording,
        version=__version__,
    )
    for drawing in drawn.values():
        figures.write(drawing, make_folder(folder / "figures"))
    write_text(folder / "audit.html", page)
    return folder / "audit.html"


def _sessions(folder: Path) -> dict[str, str]:
    """The session of each path; none when there was no saying."""
    if not (folder / "sessions.csv").exists():
        return {}
    _, rows = read_csv(folder / "sessions.csv", ("path", "session"))
    return {row["path"]: row["session"] for row in rows}


def _open(root: Path, path: str) -> NDArray[np.uint8] | None:
    try:
        return decode(root / path, _SIDE)
    except (LeukoscopeError, OSError):
        return None


def _closed(path: str) -> None:
    return None


def _figures(folder: Path, findings: Sequence[Mapping[str, Any]], mark: str) -> dict[str, Drawing]:
    """What can be drawn of what was found, by name."""
    drawn = {}
    probes = [one for one in findings if one["check"].startswith("shortcut: ")]
    if probes:
        bars = [
            (
                one["check"].removeprefix("shortcut: ")
                + " (cells too)" * one["details"].get("cells", False),
                one["figure"],
                one["interval"]["low"],
                one["interval"]["high"],
                one["details"]["shuffled"],
            )
            for one in probes
        ]
        figure = audit_plots.shortcuts(bars, probes[0]["details"]["majority"], mark=mark)
        said = "; ".join(f"{name} {accuracy:.1%}" for name, accuracy, *_ in bars)
        drawn["shortcuts"] = draw(figure, "shortcuts", f"Accuracy of each probe: {said}.")
    if (folder / "information.csv").exists():
        _, rows = read_csv(folder / "information.csv", ())
        bits = np.array([[float(value) for value in row.values()] for row in rows])
        figure = audit_plots.information(bits, mark=mark)
        said = f"Map of the field, at most {bits.max():.2f} bits."
        drawn["information"] = draw(figure, "information", said)
    points = [
        Point(**one | {"interval": Interval(**one["interval"])})
        for finding in findings
        if finding["check"] == "price of leaking"
        for one in finding["details"].get("points", ())
    ]
    if points:
        said = "; ".join(f"{p.model}, {p.protocol} {p.balanced_accuracy:.3f}" for p in points)
        figure = audit_plots.price(points, mark=mark)
        drawn["price"] = draw(figure, "price", f"Balanced accuracy: {said}.")
    return drawn


def _equal(found: Mapping[str, Any], label_of: Mapping[str, str]) -> list[str]:
    """Each set of equal pictures as a line, with their labels where these differ."""
    lines = []
    for paths in found.get("details", {}).get("sets", ()):
        labels = sorted({label_of[path] for path in paths})
        said = "same label" if len(labels) == 1 else f"different labels: {wording.listing(labels)}"
        lines.append(f"{' = '.join(paths)} ({said})")
    return lines


def _chosen(overlaps: Sequence[Overlap]) -> list[Overlap]:
    """Half of the gallery the least certain pairs, half evenly from the others."""
    shown = sorted(overlaps, key=lambda one: one.score)
    least, rest = shown[: _PAIRS // 2], shown[_PAIRS // 2 :]
    step = max(1, len(rest) // (_PAIRS // 2))
    return least + rest[::step][: _PAIRS // 2]


def _pair(one: Overlap, opened: Open, label_of: Mapping[str, str]) -> Picture | None:
    """Both fields side by side, with their common area outlined."""
    pictures = [found for path in (one.path_a, one.path_b) if (found := opened(path)) is not None]
    if len(pictures) < 2:
        return None
    canvas = Image.new("RGB", (2 * _SIDE + 4, _SIDE), "white")
    for place, (pixels, corners) in enumerate(zip(pictures, outlines(one, SIZE), strict=True)):
        picture = Image.fromarray(pixels)
        ImageDraw.Draw(picture).polygon(
            [(x * (_SIDE - 1), y * (_SIDE - 1)) for x, y in corners], outline=(215, 60, 0), width=2
        )
        canvas.paste(picture, (place * (_SIDE + 4), 0))
    return Picture(thumbnail(np.asarray(canvas)), _said(one, label_of))


def _said(one: Overlap, label_of: Mapping[str, str]) -> str:
    """Both paths, with their labels where these differ, and how the one lies in the other."""
    names = [one.path_a, one.path_b]
    if label_of[one.path_a] != label_of[one.path_b]:
        names = [f"{path} (label {label_of[path]})" for path in names]
    how = "equal" if one.kind in _EQUAL else f"score {one.score:.2f}, {one.common:.0%} in common"
    if one.scale != 1:
        how += f", the second {one.scale:.2f} times as large"
    return f"{' and '.join(names)}: {how}{turned(one.turn)}"


def turned(turn: str) -> str:
    """`mirror-rot90` as ", mirrored and turned by 90°"; nothing for no turn."""
    words = {"mirror": "mirrored"} | {
        f"rot{angle}": f"turned by {angle}°" for angle in (90, 180, 270)
    }
    return f", {' and '.join(words[part] for part in turn.split('-'))}" if turn else ""


def outlines(one: Overlap, size: int) -> tuple[list[Corner], list[Corner]]:
    """The corners of the common area in a and in b, as shares of the side of each."""
    x, y, side = one.dx / size, one.dy / size, one.scale
    left, right = max(0.0, x), min(1.0, x + side)
    top, bottom = max(0.0, y), min(1.0, y + side)
    in_a = [(left, top), (right, top), (right, bottom), (left, bottom)]
    back = turn_back(TURNS.index(one.turn))
    in_b = []
    for u, v in in_a:
        right_of, below = turn_point((u - x) / side - 0.5, (v - y) / side - 0.5, back)
        in_b.append((0.5 + right_of, 0.5 + below))
    return in_a, in_b


def _sheets(
    session_of: Mapping[str, str], opened: Open, label_of: Mapping[str, str]
) -> list[Picture]:
    """A contact sheet of each of the largest sessions, with its number of images of each class."""
    paths_of: dict[str, list[str]] = defaultdict(list)
    for path, session in session_of.items():
        paths_of[session].append(path)
    sheets = []
    for session in sorted(paths_of, key=lambda name: (-len(paths_of[name]), name))[:_SESSIONS]:
        paths = sorted(paths_of[session])
        picked = [paths[k] for k in np.linspace(0, len(paths) - 1, _ON_A_SHEET).astype(int)]
        found = [pixels for path in dict.fromkeys(picked) if (pixels := opened(path)) is not None]
        if not found:
            continue
        small = [np.asarray(Image.fromarray(one).resize((_SMALL, _SMALL))) for one in found]
        counts = sorted(Counter(label_of[path] for path in paths).items())
        classes = ", ".join(f"{label} {n:,}" for label, n in counts)
        said = f"{session}: {wording.count(len(paths), 'image')} ({classes}), from {paths[0]} on"
        sheets.append(Picture(thumbnail(np.concatenate(small, axis=1)), said))
    return sheets


def _galleries(
    findings: Sequence[Mapping[str, Any]],
    opened: Open,
    overlaps: Sequence[Overlap],
    label_of: Mapping[str, str],
) -> list[tuple[Mapping[str, Any], list[Picture], str]]:
    """The images behind each finding about quality or labels, and how they are laid out."""
    pair_of = {(one.path_a, one.path_b): one for one in overlaps}
    galleries = []
    for one in findings:
        paths = one["paths"]
        if one["kind"] not in ("quality", "label") or not paths:
            continue
        if one["check"] == "labels of twins":
            pairs = [pair_of[pair] for pair in zip(paths[::2], paths[1::2], strict=True)][:_ODD]
            shown = [
                _pair(pair, opened, label_of) or Picture("", _said(pair, label_of))
                for pair in pairs
            ]
            galleries.append((one, shown, "pairs"))
        else:
            galleries.append((one, [_single(one, path, opened) for path in paths[:_ODD]], ""))
    return galleries


def _single(one: Mapping[str, Any], path: str, opened: Open) -> Picture:
    said = path
    if path in one["details"].get("looks_like", {}):
        said = f"{path}, looks like {one['details']['looks_like'][path]}"
    if path in one["details"].get("reasons", {}):
        said = one["details"]["reasons"][path]
    pixels = opened(path)
    return Picture("" if pixels is None else thumbnail(pixels), said)
