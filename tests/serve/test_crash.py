"""What was acknowledged is there after kill -9, on SQLite and on PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
from colours import BLUE, GREEN, RED, review, send, shas

from leukoscope.serve.reviews import open_reviews

HERE = Path(__file__).parent
PROGRAM = """
import sys
import uvicorn
from colours import MODEL
from leukoscope.serve.app import create_app
from leukoscope.serve.reviews import open_reviews
from leukoscope.serve.server import listen
from leukoscope.serve.service import assemble

with listen("127.0.0.1", 0) as listening, open_reviews(sys.argv[1]) as reviews:
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(create_app(assemble(MODEL, reviews)), log_config=None)
    uvicorn.Server(config).run(sockets=[listening])
"""


@contextmanager
def process(database: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, and its address; killed in the end."""
    paths = [str(HERE), *sys.path]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, database],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    ) as started:
        try:
            assert started.stdout is not None
            yield started, f"http://127.0.0.1:{started.stdout.readline().strip()}"
        finally:
            started.kill()


def test_kill_minus_nine_loses_nothing_acknowledged(database: str) -> None:
    acknowledged: set[str] = set()

    def work(client: httpx.Client, hashes: list[str]) -> None:
        """Reviews until the service is gone."""
        try:
            while True:
                for sha256 in hashes:
                    kept = client.post("/api/reviews", json=review(sha256))
                    if kept.status_code == 201:
                        acknowledged.add(kept.json()["id"])
        except httpx.HTTPError:
            return

    with process(database) as (service, address), httpx.Client(base_url=address, timeout=60) as one:
        hashes = shas(send(one, RED, GREEN, BLUE))
        people = [Thread(target=work, args=(one, hashes)) for _ in range(3)]
        for person in people:
            person.start()
        while len(acknowledged) < 30:
            people[0].join(0.01)
        service.send_signal(signal.SIGKILL)
        for person in people:
            person.join()
    with open_reviews(database) as reviews:
        kept = {row.id for sha256 in hashes for row in reviews.history(sha256)}
    assert len(acknowledged) >= 30
    assert acknowledged <= kept
