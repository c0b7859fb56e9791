"""A classifier that answers by colour, and pictures to send to it."""

import io
import uuid
from dataclasses import dataclass

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leukoscope.serve.model import Model


@dataclass(frozen=True)
class Answers:
    """As `leukoscope.learn.prediction.Answers`, without loading torch."""

    probabilities: NDArray[np.float64]
    sets: NDArray[np.bool_] | None = None
    novelty: NDArray[np.float64] | None = None
    novel: NDArray[np.bool_] | None = None


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


def picture(
    colour: tuple[int, int, int] = (250, 10, 10), kind: str = "PNG", side: int = 40
) -> bytes:
    """The bytes of a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, kind)
    return file.getvalue()


RED, GREEN, BLUE = picture(), picture((10, 250, 10)), picture((10, 10, 250))


def send(client: httpx.Client, *contents: bytes) -> httpx.Response:
    """The response to these files in one form."""
    files = [("images", (f"field{k}.png", content)) for k, content in enumerate(contents)]
    return client.post("/api/predict", files=files)


def review(sha256: str, decision: str = "confirmed", **more: str) -> dict[str, str]:
    """What a client sends to keep a review of this image."""
    return {"id": str(uuid.uuid4()), "sha256": sha256, "decision": decision, **more}


def shas(response: httpx.Response) -> list[str]:
    """The hashes of the images that were answered."""
    return [row["sha256"] for row in response.json()["images"]]
