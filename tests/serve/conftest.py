"""What the tests of this room share: a service in this process, and a database for it."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import postgresql
import pytest
import uvicorn
from colours import MODEL
from starlette.testclient import TestClient

from leukoscope.serve.app import create_app
from leukoscope.serve.reviews import Reviews, open_reviews
from leukoscope.serve.server import listen
from leukoscope.serve.service import assemble


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database; the test is skipped where there is none."""
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")
    if postgresql.programs() is None:
        pytest.skip("no PostgreSQL (initdb, pg_ctl) on this machine")
    with postgresql.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "kinds.sqlite")
    url: str = request.getfixturevalue("postgres")
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def reviews(tmp_path: Path) -> Iterator[Reviews]:
    """A database of its own."""
    with open_reviews(str(tmp_path / "reviews.sqlite")) as opened:
        yield opened


@pytest.fixture
def client(reviews: Reviews) -> Iterator[TestClient]:
    """A client of a service without keys."""
    with TestClient(create_app(assemble(MODEL, reviews)), base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def serving(reviews: Reviews) -> Iterator[Callable[..., str]]:
    """A function that starts a real server in a thread, and gives its address."""
    with ExitStack() as stack:

        def start(**options: Any) -> str:
            listening = stack.enter_context(listen("127.0.0.1", 0))
            app = create_app(assemble(options.pop("model", MODEL), reviews, **options))
            config = uvicorn.Config(app, http="h11", ws="none", log_config=None, access_log=False)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.01)
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

        yield start


@pytest.fixture
def connect() -> Iterator[Callable[[str], httpx.Client]]:
    """A function from an address to a client of its own; all are closed in the end."""
    with ExitStack() as stack:
        yield lambda address: stack.enter_context(httpx.Client(base_url=address, timeout=30))
