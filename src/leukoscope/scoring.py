"""What does a classifier say of many pictures: of each, and of each folder of them?

A picture is decoded while earlier ones are computed; only what is on its way is in memory. Rows
are kept in a journal as they come, so that a run that was killed goes on where it was.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leukoscope import __version__
from leukoscope.audit import quality
from leukoscope.audit.cores import threads
from leukoscope.data import inputs, tables
from leukoscope.data.images import UnreadableImage, decode_fields
from leukoscope.data.inputs import Picture
from leukoscope.data.samples import class_of, digest
from leukoscope.data.tables import Columns, Journal, Row
from leukoscope.errors import Interrupted, UsageError
from leukoscope.files import make_folder
from leukoscope.pooling import group_columns, pool_fields, pool_groups
from leukoscope.progress import bar

if TYPE_CHECKING:
    from leukoscope.learn.backends import Backend

CUT_OFF = "sides cut off"
_SHOWN = 0.9  # of a picture, less of which is worth a warning
_HELD = 2**28  # bytes of files from archives that wait to be decoded


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is to be scored, and how. The fields are the options of `leukoscope predict`."""

    classifiers: Sequence[Path]  # folders; the answers of several are averaged
    words: Sequence[str]  # files, folders, patterns, archives, or `-`
    out: Path
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch: int = 64  # fields that are computed together
    tile: int | None = None  # pixels of a picture that make the width of a field; None: all
    group_by_folder: bool = False
    label_by_folder: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """How many pictures have an answer and how many have an error instead."""

    predicted: int
    unreadable: int
    earlier: int  # of both, by a run that was cut short
    backend: str  # what computed it, in words
    groups: Path | None  # the table of folders
    trained: int = 0  # pictures that the classifier was trained on
    validated: int = 0  # pictures that chose its epoch and calibrated it


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A picture's fields, F×S×S×3, with how good they are; or why there are none."""

    picture: Picture
    fields: NDArray[np.uint8]
    shown: float = 1.0  # share of the picture
    nuclei: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    faults: Sequence[tuple[str, ...]] = ()
    error: str = ""
    sha256: str = ""  # of the file, if it is asked for


def score(scoring: Scoring) -> Scored:
    """The counts; `scoring.out` has a row for each picture, in the order of the words.

    Columns: `path`, `label` if asked for, `predicted`, `probability_<class>` for each class, with
    more than two classes `malignant` where Benign is one; where the classifier has learned them
    `set` (the classes that it cannot rule out), `novelty` and `novel`; `warnings` about the
    picture's quality; `fields`, how many of them the answer is pooled from; and `error`, which is
    empty for a readable picture. Where the classifier says which files it learned from, `seen` is
    `train` or `validation` for one of these: its answer is no evidence.

    With `tile`, the answer is pooled from many fields, as `pooling.pool_fields` says. Raises
    `UsageError` for a wrong call before any work is done.
    """
    _check(scoring)
    files = inputs.expand(scoring.words)
    make_folder(scoring.out.parent)
    from leukoscope.learn.answers import FEW
    from leukoscope.learn.backends import (
        open_backends,
    )  # after the cheap checks: it may import torch

    few = len(files) <= FEW and not any(map(inputs.is_archive, files)) and scoring.tile is None
    precision = "float32" if few and scoring.precision == "auto" else scoring.precision
    backend = open_backends(
        scoring.classifiers, engine=scoring.engine, device=scoring.device, precision=precision
    )
    columns = _columns(backend, scoring)
    header = {
        "version": __version__,
        "classifier": backend.digest,
        "computation": backend.kind,
        "tile": scoring.tile,
        "columns": dict(columns),
    }
    with tables.open_journal(scoring.out, header) as journal:
        try:
            _fill(journal, files, backend, columns, scoring)
        except KeyboardInterrupt as error:
            raise Interrupted("Stopped. The same command goes on from here.") from error
        tables.write_table(scoring.out, columns, journal.rows())
        groups = None
        if scoring.group_by_folder:
            groups = scoring.out.with_name(f"{scoring.out.stem}-groups{scoring.out.suffix}")
            classes = backend.config.classes
            pooled = pool_groups(journal.rows(), classes)
            tables.write_table(groups, group_columns(classes), pooled)
        read = Counter(row["error"] == "" for row in journal.rows())
        part = Counter(row.get("seen") for row in journal.rows())
    journal.path.unlink()
    return Scored(
        predicted=read[True],
        unreadable=read[False],
        earlier=journal.count,
        backend=backend.name,
        groups=groups,
        trained=part["train"],
        validated=part["validation"],
    )


def _check(scoring: Scoring) -> None:
    tables.check_format(scoring.out)
    if not scoring.words:
        raise UsageError("There is nothing to predict: name pictures, folders or archives.")
    if scoring.batch < 1:
        raise UsageError(f"--batch must be at least 1, not {scoring.batch}.")
    if scoring.tile is not None and scoring.tile < 16:
        raise UsageError(f"--tile must be at least 16 pixels, not {scoring.tile}.")


def _columns(backend: "Backend", scoring: Scoring) -> Columns:
    classes, size = backend.config.classes, backend.config.size
    blank = backend.answer(np.full((1, size, size, 3), 255, np.uint8))
    columns: dict[str, tables.Kind] = {"path": "text"}
    if scoring.label_by_folder:
        columns["label"] = "text"
    columns["predicted"] = "text"
    columns |= {f"probability_{name}": "number" for name in classes}
    if "Benign" in classes and len(classes) > 2:
        columns["malignant"] = "number"
    if blank.sets is not None:
        columns["set"] = "texts"
    if blank.novelty is not None:
        columns |= {"novelty": "number", "novel": "flag"}
    if backend.seen is not None:
        columns["seen"] = "text"
    return columns | {"warnings": "texts", "fields": "count", "error": "text"}


def _fill(
    journal: Journal,
    files: Sequence[Path],
    backend: "Backend",
    columns: Columns,
    scoring: Scoring,
) -> None:
    """Nothing; the journal has a row for every picture."""
    found = inputs.pictures(files)
    total = max(1, sum(path.stat().st_size for path in files if path.exists()))
    done, started = 0, time.perf_counter()
    with (
        threads() as pool,
        bar("predicting", total, counted=False, quiet=scoring.quiet) as advance,
    ):
        advance(_skip(journal, found), note="")
        for chunk in _chunks(_ahead(pool, found, backend, scoring), scoring.batch):
            journal.append(_rows(chunk, backend, columns, scoring))
            done += len(chunk)
            rate = done / (time.perf_counter() - started)
            weight = sum(one.picture.weight for one in chunk)
            advance(weight, note=f"{journal.count + done:,} pictures, {rate:.1f} a second")


def _skip(journal: Journal, found: Iterator[Picture]) -> int:
    """The weight of the pictures that have their row already."""
    weight = 0
    for number, row in enumerate(journal.rows(), start=1):
        picture = next(found, None)
        name = None if picture is None else picture.name
        if name != row["path"]:
            raise UsageError(
                f"{journal.path} is of a run over other pictures (number {number} was "
                f"{row['path']}, now {name}); choose another --out, or delete it."
            )
        weight += picture.weight if picture is not None else 0
    return weight


def _ahead(
    pool: ThreadPoolExecutor, found: Iterable[Picture], backend: "Backend", scoring: Scoring
) -> Iterator[_Decoded]:
    """The pictures, decoded by the pool before they are asked for, but not too many."""
    # A picture with tiles may be large; others are small once they are decoded.
    most = 2 * scoring.batch if scoring.tile is None else os.cpu_count() or 1
    waiting: deque[tuple[Future[_Decoded], int]] = deque()
    held = 0
    size, hashed = backend.config.size, backend.seen is not None

    def first() -> _Decoded:
        nonlocal held
        future, bytes_ = waiting.popleft()
        held -= bytes_
        return future.result()

    for picture in found:
        bytes_ = len(picture.content) if isinstance(picture.content, bytes) else 0
        waiting.append((pool.submit(_decode, picture, size, scoring.tile, hashed), bytes_))
        held += bytes_
        while len(waiting) > most or (held > _HELD and len(waiting) > 1):
            yield first()
    while waiting:
        yield first()


def _decode(picture: Picture, size: int, tile: int | None, hashed: bool) -> _Decoded:
    nothing = np.empty((0, size, size, 3), np.uint8)
    if picture.error:
        return _Decoded(picture, nothing, error=picture.error)
    try:
        fields, shown = decode_fields(picture.content, size, tile=tile)
        sha256 = digest(picture.content) if hashed else ""
    except (UnreadableImage, UsageError) as error:
        return _Decoded(picture, nothing, error=str(error))
    measures = quality.measure(fields, threads=False)
    faults = quality.warnings(measures)
    return _Decoded(picture, fields, shown, measures.nuclei, faults, sha256=sha256)


def _chunks(decoded: Iterable[_Decoded], batch: int) -> Iterator[list[_Decoded]]:
    """Pictures with as many fields as are computed together, or more when one has more."""
    chunk: list[_Decoded] = []
    for one in decoded:
        chunk.append(one)
        if sum(len(other.fields) for other in chunk) >= batch or len(chunk) >= batch:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(
    chunk: Sequence[_Decoded], backend: "Backend", columns: Columns, scoring: Scoring
) -> list[Row]:
    classes = backend.config.classes
    pixels = np.concatenate([one.fields for one in chunk])
    answers = backend.answer(pixels) if len(pixels) else None
    rows, start = [], 0
    for one in chunk:
        row = dict.fromkeys(columns) | {"path": one.picture.name, "error": one.error}
        if scoring.label_by_folder:
            folder = one.picture.folder.rpartition("/")[2]
            row["label"] = class_of(folder, classes) or folder
        if answers is not None and len(one.fields):
            own = answers.part(slice(start, start + len(one.fields)))
            row |= pool_fields(own, one.nuclei, classes) | {"warnings": _warnings(one)}
            if backend.seen is not None:
                row["seen"] = backend.seen.split(one.sha256)
        rows.append({name: row[name] for name in columns})
        start += len(one.fields)
    return rows


def _warnings(one: _Decoded) -> list[str]:
    """What is wrong with more than half of the fields, and with the picture as a whole."""
    listed = sorted({fault for faults in one.faults for fault in faults})
    common = [f for f in listed if sum(f in faults for faults in one.faults) > len(one.faults) / 2]
    return common + ([CUT_OFF] if one.shown < _SHOWN else [])
