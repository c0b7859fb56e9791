"""Overlapping fields: how time and memory grow with the number of images.

    python benchmarks/overlaps_scale.py [--counts 1000,10000] [--size 112] [--cache FOLDER]

Draws smears with planted copies, shifted and turned fields, a thousand at a time, each thousand
with a seed of its own, into one memory-mapped array that is kept in the cache (3.8 GB for 100,000
of 112 pixels; drawing costs more than searching). Each count is searched in a fresh process.
Prints wall and CPU seconds, the peak of the memory that is the process's own (pages of the mapped
array belong to the system, which takes them back when it needs them), and how many of the
planted pairs were found and how many were invented.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np

from leukoscope.audit.duplicates import find_overlaps
from leukoscope.data import synthetic
from leukoscope.data.images import cache_folder
from leukoscope.data.samples import Sample
from leukoscope.progress import bar

BLOCK = 1000
COPIES, SHIFTED, TURNED = 8, 28, 24  # of a block
PER_CLASS = (BLOCK - COPIES - SHIFTED - TURNED) // 4


def drawn(folder: Path, count: int, size: int) -> tuple[Path, Path]:
    """The array of `count` smears and the table of their scenes and originals, drawn if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    array, table = (folder / f"smears-{count}-{size}.{suffix}" for suffix in ("npy", "csv"))
    if table.exists():
        return array, table
    pixels = np.lib.format.open_memmap(array, "w+", np.uint8, (count, size, size, 3))
    rows = []
    with bar("drawing", count) as advance:
        for seed, start in enumerate(range(0, count, BLOCK)):
            smears = synthetic.draw(
                per_class=PER_CLASS,
                size=size,
                seed=seed,
                copies=COPIES,
                shifted=SHIFTED,
                turned=TURNED,
                marks="label",
            )
            pixels[start : start + BLOCK] = smears.pixels
            for field in smears.fields:
                original = f"{seed}/{field.copy_of}" if field.copy_of else ""
                rows.append((f"{seed}/{field.path}", f"{seed}/{field.scene}", original))
            advance(BLOCK)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return array, table


def own_memory() -> int:
    """Bytes of memory that are this process's own."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def measure(array: Path, table: Path) -> dict[str, float]:
    """What one search costs, and what it finds."""
    pixels = np.load(array, mmap_mode="r")
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    samples = [Sample(path, "drawn") for path, _, _ in rows]
    scene = {path: name for path, name, _ in rows}
    peak, done = [own_memory()], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak.append(max(peak.pop(), own_memory()))

    watching = threading.Thread(target=watch)
    watching.start()
    started, cpu = time.perf_counter(), os.times()
    overlaps = find_overlaps(samples, pixels, quiet=True)
    seconds, after = time.perf_counter() - started, os.times()
    done.set()
    watching.join()
    found = {astuple(overlap)[:2] for overlap in overlaps}
    planted = {tuple(sorted((path, original))) for path, _, original in rows if original}
    return {
        "seconds": seconds,
        "cpu": after.user + after.system - cpu.user - cpu.system,
        "memory": peak[0],
        "planted": len(planted),
        "found": len(planted & found),
        "invented": sum(scene[a] != scene[b] for a, b in found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="1000,10000", help="multiples of 1000")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--cache", type=Path, default=cache_folder() / "overlaps-scale")
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    print("| images | seconds | CPU seconds | own memory, MB | planted | found | invented |")
    print("|---|---|---|---|---|---|---|")
    for count in map(int, given.counts.split(",")):
        files = drawn(given.cache, count, given.size)
        command = [sys.executable, __file__, "--measure", *map(str, files)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        got = json.loads(output)
        print(
            f"| {count} | {got['seconds']:.1f} | {got['cpu']:.1f} | {got['memory'] / 1e6:.0f} "
            f"| {got['planted']} | {got['found']} | {got['invented']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
