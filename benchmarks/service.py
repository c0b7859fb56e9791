"""The service under load: a steady rate of images, and five times as much.

    python benchmarks/service.py CLASSIFIER IMAGES [--rate 20] [--seconds 300] [--overload 5]
                                    [--overload-seconds 60]

CLASSIFIER is a classifier folder, IMAGES a folder of pictures. Starts `leukoscope serve` in a
process of its own, without reviews; says how long it took until it was ready. Then sends one image
per request at times drawn beforehand (a Poisson process: people do not take turns), whether earlier
ones are answered or not, from 16 clients with keys of their own. Prints for each load the answers,
the refusals (429, 503, with Retry-After) and everything else, the median and the 99th percentile of
the answers' seconds, and the memory of the service at the beginning, half-way and at the end (until
then it fills what it keeps of pictures that were answered lately). Exits with 1 when
anything but an answer or a refusal came back. Latency is measured from the drawn time, so a
generator that falls behind does not flatter the service.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from leukoscope.data.images import SUFFIXES
from leukoscope.serve import keys

CLIENTS = 16
WARM_UP = 40  # images


@dataclass
class Load:
    """What came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    without_time: int = 0  # refusals that do not say when to come again
    megabytes: list[float] = field(default_factory=list)  # at the beginning, half-way, at the end

    def quantile(self, share: float) -> float:
        """Seconds that this share of the answers did not exceed."""
        if not self.seconds:
            return float("nan")
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


async def one(client: httpx.AsyncClient, picture: bytes, due: float, load: Load) -> None:
    """One image, asked when it is due."""
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    try:
        files = {"images": ("field.jpg", picture)}
        response = await client.post("/api/predict", files=files)
    except httpx.HTTPError as error:
        load.statuses[type(error).__name__] += 1
        return
    load.statuses[str(response.status_code)] += 1
    if response.status_code == 200:
        load.seconds.append(time.perf_counter() - due)
    elif "retry-after" not in response.headers:
        load.without_time += 1


async def send(
    address: str,
    process: int,
    secrets: list[str],
    pictures: list[bytes],
    rate: float,
    seconds: float,
) -> Load:
    """What came back of `rate` images a second, and what the process held meanwhile."""
    load, rng = Load(), random.Random(0)
    clients = [
        httpx.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )
        for secret in secrets
    ]
    due, tasks, start = 0.0, [], time.perf_counter() + 0.5
    load.megabytes.append(memory(process))
    asyncio.get_running_loop().call_later(
        seconds / 2, lambda: load.megabytes.append(memory(process))
    )
    while (due := due + rng.expovariate(rate)) < seconds:
        picture = rng.choice(pictures)
        tasks.append(asyncio.create_task(one(rng.choice(clients), picture, start + due, load)))
    await asyncio.gather(*tasks)
    load.megabytes.append(memory(process))
    for client in clients:
        await client.aclose()
    return load


def memory(process: int) -> float:
    """Resident megabytes of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    """Nothing, once the service says that it is ready."""
    while process.poll() is None:
        try:
            if httpx.get(f"{address}/ready", timeout=60).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    sys.exit(f"The service ended with status {process.returncode}.")


def run(given: argparse.Namespace, folder: Path) -> bool:
    """Whether every request was answered or refused in good order."""
    secrets = [keys.add(folder / "keys.csv", f"client {k}") for k in range(CLIENTS)]
    files = sorted(p for p in given.images.rglob("*") if p.suffix.lower() in SUFFIXES)
    pictures = [file.read_bytes() for file in random.Random(0).sample(files, min(200, len(files)))]
    address = f"http://127.0.0.1:{given.port}"
    command = [sys.executable, "-m", "leukoscope.cli", "serve", given.classifier]
    command += ["--port", str(given.port), "--keys", folder / "keys.csv"]
    command += ["--database", folder / "reviews.sqlite"]
    started = time.perf_counter()
    with (folder / "log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log)
    good = True
    try:
        wait_until_ready(address, service)
        print(f"ready after {time.perf_counter() - started:.1f} s", flush=True)
        asyncio.run(send(address, service.pid, secrets, pictures, WARM_UP, 1))
        print("| images/s | sent | answered | refused | other | median, s | p99, s | memory, MB |")
        print("|---|---|---|---|---|---|---|---|")
        for rate, seconds in (
            (given.rate, given.seconds),
            (given.rate * given.overload, given.overload_seconds),
        ):
            load = asyncio.run(send(address, service.pid, secrets, pictures, rate, seconds))
            refused = load.statuses["429"] + load.statuses["503"]
            other = load.statuses.total() - refused - load.statuses["200"] + load.without_time
            print(
                f"| {rate:g} | {load.statuses.total()} | {load.statuses['200']} | {refused} | "
                f"{other} | {load.quantile(0.5):.3f} | {load.quantile(0.99):.3f} | "
                f"{' → '.join(f'{each:.0f}' for each in load.megabytes)} |",
                flush=True,
            )
            good = good and other == 0
    finally:
        service.terminate()
        service.wait()
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classifier", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rate", type=float, default=20, help="images per second")
    parser.add_argument("--seconds", type=float, default=300, help="of the steady load")
    parser.add_argument("--overload", type=float, default=5, help="times the rate")
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument("--port", type=int, default=8765)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if run(given, Path(folder)) else 1)


if __name__ == "__main__":
    main()
