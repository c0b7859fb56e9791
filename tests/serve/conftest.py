"""What the tests of this room share: a classifier that answers by colour, and pictures to send."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from leukoscope.learn.prediction import Answers
from leukoscope.serve.app import create_app
from leukoscope.serve.model import Model
from leukoscope.serve.reviews import Reviews, open_reviews
from leukoscope.serve.service import assemble

CLASSES = ("Benign", "Early", "Pre")
SIZE = 32


def by_colour(pixels: NDArray[np.uint8]) -> Answers:
    """The more red, green or blue, the more Benign, Early or Pre; grey is like nothing."""
    share = pixels.reshape(len(pixels), -1, 3).mean(axis=1).astype(float) + 1
    probabilities = share / share.sum(axis=1, keepdims=True)
    novelty = 1 - probabilities.max(axis=1)
    return Answers(probabilities, probabilities > 0.3, novelty, novelty > 0.6)


def corner(pixels: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    """Heat in the upper left quarter, whatever is there."""
    heat = np.zeros(pixels.shape[:2], np.float32)
    heat[: SIZE // 2, : SIZE // 2] = 1
    return heat


MODEL = Model(
    name="By colour",
    classes=CLASSES,
    size=SIZE,
    fingerprint="f" * 64,
    calibrated=True,
    card="---\nlibrary_name: x\n---\n# By colour\n\n<script>alert(1)</script>\n",
    answer=by_colour,
    heat=corner,
)


def picture(colour: tuple[int, int, int] = (250, 10, 10), kind: str = "PNG", side: int = 40) -> bytes:
    """The bytes of a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, kind)
    return file.getvalue()


RED, GREEN, BLUE = picture(), picture((10, 250, 10)), picture((10, 10, 250))


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


def send(client: httpx.Client, *contents: bytes) -> httpx.Response:
    """The response to these files in one form."""
    files = [("images", (f"field{k}.png", content)) for k, content in enumerate(contents)]
    return client.post("/api/predict", files=files)
