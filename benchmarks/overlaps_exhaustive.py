"""Overlapping fields: what `find_overlaps` finds of what trying every shift of every pair finds.

    python benchmarks/overlaps_exhaustive.py --data FOLDER [--band 0.11] [--reference pairs.csv]

The reference registers every pair of images: grey, a quarter of the size, high-passed, correlated
over all shifts that leave a quarter of the field or more in common, without the band at the bottom
that holds the burned-in scale bars. It knows no turns and no scales, and costs the square of the
number of images (3,256 of them: eight minutes of CPU time), so its pairs are kept in
`--reference` and read from there the next time. Prints how many of its pairs above 0.7
`find_overlaps` returns, what it returns beyond them, the pairs across classes, and its CPU time.
"""

import argparse
import csv
import os
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leukoscope.audit.duplicates import Overlap, find_overlaps, write_overlaps
from leukoscope.data import images, samples, sources
from leukoscope.files import write_csv
from leukoscope.progress import bar

SIZE = 224
SCORE = 0.7
KEPT = 0.5  # pairs down to this score are written, so that one can see what lies below
COMMON = 0.25
CHUNK = 48
COLUMNS = ("path_a", "path_b", "score", "dx", "dy")


class Pair(NamedTuple):
    path_a: str
    path_b: str
    score: float
    dx: int
    dy: int


def quarter(pixels: NDArray[np.uint8], band: float) -> NDArray[np.float32]:
    """N×H×W high-passed grey images at a quarter of the size, without the bottom band."""
    grey = np.empty((len(pixels), SIZE // 4, SIZE // 4), np.float32)
    for row, image in enumerate(pixels):
        luma = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        small = luma.reshape(SIZE // 4, 4, SIZE // 4, 4).mean((1, 3))
        grey[row] = small - gaussian_filter(small, 6)
    return grey[:, : round(SIZE // 4 * (1 - band))]


def exhaustive(paths: list[str], grey: NDArray[np.float32], kept: float) -> list[Pair]:
    """All pairs whose best correlation over the shifts is at least `kept`, with that shift."""
    height, width = grey.shape[1:]
    down, right = np.mgrid[-height + 1 : height, -width + 1 : width]
    count = (height - abs(down)) * (width - abs(right))
    rows = np.flatnonzero((count >= COMMON * height * width).any(1))
    columns = np.flatnonzero((count >= COMMON * height * width).any(0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    down, right, count = down[window], right[window], count[window]
    frame = height + int(down.max()), width + int(right.max())
    allowed = torch.from_numpy(count >= COMMON * height * width)
    share, spread = (torch.from_numpy(part) for part in statistics(grey, down, right, count))
    spectra = torch.fft.rfft2(torch.from_numpy(grey), s=frame)
    # Wrapped around by the transform: negative shifts are its last rows and columns.
    rolled = (int(down.max()), int(right.max()))
    pairs = []
    with bar("registering every pair", len(grey)) as advance:
        for a in range(len(grey)):
            for start in range(a + 1, len(grey), CHUNK):
                b = slice(start, start + CHUNK)
                product = torch.fft.irfft2(spectra[a] * spectra[b].conj(), s=frame)
                product = product.roll(rolled, (1, 2))[:, : down.shape[0], : down.shape[1]]
                product -= share[a] * share[b].flip(1, 2)
                product *= spread[b].flip(1, 2)
                product *= spread[a] * allowed
                scores, places = product.flatten(1).max(1)
                for at in np.flatnonzero(scores.numpy() >= kept):
                    place = np.unravel_index(int(places[at]), down.shape)
                    shift = 4 * int(right[place]), 4 * int(down[place])
                    pairs.append(Pair(paths[a], paths[start + at], float(scores[at]), *shift))
            advance()
    return sorted(pairs)


def statistics(
    grey: NDArray[np.float32],
    down: NDArray[np.intp],
    right: NDArray[np.intp],
    count: NDArray[np.intp],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per image and shift, over the common area: sum / √n, and 1 / √(n · variance)."""
    height, width = grey.shape[1:]
    top, bottom = np.maximum(down, 0), height + np.minimum(down, 0)
    left, end = np.maximum(right, 0), width + np.minimum(right, 0)
    share = np.empty((len(grey), *down.shape), np.float32)
    spread = np.empty_like(share)
    for row, image in enumerate(grey.astype(np.float64)):
        first, second = (
            np.pad(power.cumsum(0).cumsum(1), ((1, 0), (1, 0))) for power in (image, image**2)
        )
        total, squares = (
            table[bottom, end] - table[top, end] - table[bottom, left] + table[top, left]
            for table in (first, second)
        )
        variance = squares - total**2 / count
        share[row] = total / np.sqrt(count)
        spread[row] = np.where(variance > count * 0.5, 1 / np.sqrt(np.maximum(variance, 1)), 0)
    return share, spread


def read(path: Path) -> list[Pair]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Pair(a, b, float(score), int(dx), int(dy))
            for a, b, score, dx, dy in list(csv.reader(file))[1:]
        ]


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="one sub-folder per class")
    parser.add_argument("--band", type=float, default=0.11, help="share of the height left out")
    parser.add_argument("--reference", type=Path, help="a CSV to write, or to read if it is there")
    parser.add_argument("--found", type=Path, help="a CSV for what find_overlaps returns")
    given = parser.parse_args()
    source = sources.find(given.data)
    rows = samples.hashed(source.samples, source.root)
    pixels, _ = images.load(rows, source.root, size=SIZE)

    if given.reference and given.reference.exists():
        pairs = read(given.reference)
    else:
        pairs = exhaustive([row.path for row in rows], quarter(pixels, given.band), KEPT)
        if given.reference:
            write_csv(given.reference, COLUMNS, pairs)

    started, cpu = time.perf_counter(), cpu_seconds()
    found = find_overlaps(rows, pixels)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    if given.found:
        write_overlaps(found, given.found)
    compare({row.path: row.label for row in rows}, pairs, found)
    print(f"find_overlaps: {seconds:.1f} s, {cpu:.1f} s of CPU time")


def compare(labels: dict[str, str], pairs: list[Pair], found: list[Overlap]) -> None:
    """What each of the two has that the other has not."""
    ours = {frozenset((overlap.path_a, overlap.path_b)): overlap for overlap in found}
    theirs = {frozenset(pair[:2]): pair for pair in pairs if pair.score > SCORE}
    both = ours.keys() & theirs.keys()
    print(f"reference: {len(theirs)} pairs above {SCORE}")
    print(f"found: {len(both)} of them ({len(both) / max(len(theirs), 1):.2%})")
    print(f"beyond them: {len(ours) - len(both)}")
    print(f"by kind: {dict(Counter(overlap.kind for overlap in found))}")
    across = [o for o in found if labels[o.path_a] != labels[o.path_b]]
    print(f"across classes: {len(across)}")
    for key in sorted(theirs.keys() - ours.keys(), key=sorted):
        print("missed:", *theirs[key])


if __name__ == "__main__":
    main()
