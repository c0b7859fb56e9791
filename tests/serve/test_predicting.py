"""An image is answered as Python answers it; a bad one costs its row; no upload breaks anything."""

import io
import json
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import fields, replace
from hashlib import sha256
from threading import Event, Thread

import httpx
import numpy as np
import pytest
from colours import (
    BLUE,
    CLASSES,
    GREEN,
    MODEL,
    RED,
    Answers,
    by_colour,
    picture,
    review,
    send,
    shas,
)
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from leukoscope.data import seen
from leukoscope.data.samples import Sample
from leukoscope.learn import prediction
from leukoscope.serve.app import create_app
from leukoscope.serve.limits import Limits
from leukoscope.serve.reviews import Reviews
from leukoscope.serve.service import assemble


def test_rows_come_in_the_order_they_were_sent(client: TestClient) -> None:
    rows = send(client, RED, b"no picture", BLUE, GREEN).json()["images"]
    said = [row["answer"] and row["answer"]["suggestion"] for row in rows]
    assert said == ["Benign", None, "Pre", "Early"]
    assert [row["name"] for row in rows] == [f"field{k}.png" for k in range(4)]
    assert rows[1]["error"] == "The file is not a picture (JPEG, PNG, BMP, TIFF, WEBP)."


def test_an_answer_says_what_the_classifier_says(client: TestClient) -> None:
    row = send(client, picture((128, 128, 128))).json()["images"][0]["answer"]
    assert row["novel"] is True
    assert row["words"] == "not to be relied on"
    assert row["possible"] == list(CLASSES)
    assert row["probabilities"] == pytest.approx(dict.fromkeys(CLASSES, 1 / 3))
    assert sum(row["probabilities"].values()) == pytest.approx(1)


def test_an_image_that_it_learned_from_is_no_evidence(reviews: Reviews) -> None:
    known = seen.of_samples(
        Sample("x.png", "Benign", split=split, sha256=sha256(content).hexdigest())
        for split, content in (("train", RED), ("validation", GREEN))
    )
    service = assemble(replace(MODEL, seen=known), reviews)
    with TestClient(create_app(service), base_url="http://localhost") as client:
        rows = send(client, RED, GREEN, BLUE).json()["images"]
        client.post("/api/reviews", json=review(rows[0]["sha256"]))
        table = client.get("/api/reviews.csv").text.splitlines()
    said = [(row["answer"]["seen"], row["answer"]["words"]) for row in rows]
    assert said == [
        ("train", "seen in training"),
        ("validation", "seen in validation"),
        ("", "sure"),
    ]
    assert (table[0].split(",")[-1], table[1].split(",")[-1]) == ("seen", "train")


def test_what_a_classifier_has_not_learned_to_say_is_null(reviews: Reviews) -> None:
    plain = replace(MODEL, answer=lambda pixels: Answers(by_colour(pixels).probabilities))
    with TestClient(create_app(assemble(plain, reviews)), base_url="http://localhost") as client:
        row = send(client, RED).json()["images"][0]["answer"]
    assert [row[name] for name in ("possible", "novelty", "novel", "seen")] == [None] * 4
    assert row["words"] == "sure"


def test_the_answers_of_these_tests_are_like_real_ones() -> None:
    def names(kind: type) -> list[str]:
        return [field.name for field in fields(kind)]

    assert names(Answers) == names(prediction.Answers)


def test_the_heat_map_lies_where_the_heat_is(client: TestClient) -> None:
    (sha256,) = shas(send(client, RED))
    found = client.get("/api/explain", params={"sha256": sha256, "target": "Pre"})
    heat = np.asarray(Image.open(io.BytesIO(found.content)))
    assert heat.shape == (32, 32, 4)
    assert (heat[:16, :16, 3] == 255).all()
    assert not heat[16:, :, 3].any()


def test_what_the_network_saw_can_be_looked_at(client: TestClient) -> None:
    (sha256,) = shas(send(client, picture(kind="TIFF")))
    found = client.get("/api/image", params={"sha256": sha256})
    assert np.asarray(Image.open(io.BytesIO(found.content)))[0, 0].tolist() == [250, 10, 10]


def test_an_unknown_class_or_image_is_refused_with_the_nearest_right_thing(
    client: TestClient,
) -> None:
    (sha256,) = shas(send(client, RED))
    wrong = client.get("/api/explain", params={"sha256": sha256, "target": "Beningn"})
    assert (wrong.status_code, "Did you mean Benign?" in wrong.text) == (422, True)
    unknown = client.get("/api/explain", params={"sha256": "0" * 64})
    assert (unknown.status_code, "/api/predict" in unknown.text) == (404, True)


def test_images_are_forgotten_when_there_are_too_many(reviews: Reviews) -> None:
    service = assemble(MODEL, reviews, limits=Limits(recent_bytes=10_000))
    with TestClient(create_app(service), base_url="http://localhost") as client:
        hashes = shas(send(client, RED, GREEN, BLUE, picture((9, 9, 9))))
        known = [client.get("/api/image", params={"sha256": one}).status_code for one in hashes]
    assert known == [404, 404, 200, 200]


# Hostile uploads


def png_header(width: int, height: int) -> bytes:
    """A PNG that says to have so many pixels, and has none."""
    head = struct.pack(">4s2I5B", b"IHDR", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb() -> bytes:
    """A few kilobytes that unfold to 30,000×30,000 black pixels."""
    data = zlib.compress(b"\0" * 30_001 * 100, 9)
    chunk = b"IDAT" + data
    return png_header(30_000, 30_000) + struct.pack(">I", len(data)) + chunk


PLAIN = Image.new("RGB", (40, 40), (250, 10, 10))
EXIF = Image.Exif()
EXIF[0x010E] = "x" * 60_000
HOSTILE = {
    "empty": b"",
    "truncated": picture(kind="JPEG")[:200],
    "text": b"hello",
    "html and jpeg": b"<html><script>alert(1)</script>" + picture(kind="JPEG"),
    "jpeg and html": picture(kind="JPEG") + b"<script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "bomb": bomb(),
    "huge header": png_header(65_535, 65_535),
    "animated gif": saved(PLAIN, "GIF", save_all=True, append_images=[PLAIN] * 3),
    "pages": saved(PLAIN, "TIFF", save_all=True, append_images=[PLAIN] * 3),
    "cmyk": saved(PLAIN.convert("CMYK"), "JPEG"),
    "sixteen bits": saved(Image.fromarray(np.full((40, 40), 40_000, np.uint16)), "PNG"),
    "exif": saved(PLAIN, "JPEG", exif=EXIF),
    "pdf": b"%PDF-1.7 1 0 obj << /Type /Catalog >>",
    "elf": b"\x7fELF" + bytes(100),
    "zip": b"PK\x03\x04" + bytes(100),
}
READABLE = {"jpeg and html", "pages", "cmyk", "sixteen bits", "exif"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_an_answer_or_an_error_in_its_row(client: TestClient, name: str) -> None:
    response = send(client, HOSTILE[name], RED)
    assert response.status_code == 200
    bad, good = response.json()["images"]
    assert (bad["answer"] is not None) == (name in READABLE)
    assert (bad["error"] is None) == (name in READABLE)
    assert good["answer"]["suggestion"] == "Benign"


NAMES = {
    "../../etc/passwd": "passwd",
    "C:\\smears\\field.png": "field.png",
    "a\0b.png": "ab.png",
    "quote%22.png": "quote%22.png",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe": "gnp.exe",
    "مرحبا.png": "مرحبا.png",
    "..": "..",
    "/": "unnamed",
    "<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
    "n" * 5000 + ".png": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_shown_harmless_and_never_opened(client: TestClient, name: str) -> None:
    boundary = b"edge"
    part = f'form-data; name="images"; filename="{name}"'.encode()
    body = b"--edge\r\nContent-Disposition: " + part + b"\r\n\r\n" + RED + b"\r\n--edge--\r\n"
    kind = {"content-type": f"multipart/form-data; boundary={boundary.decode()}"}
    response = client.post("/api/predict", content=body, headers=kind)
    if NAMES[name] is None:
        assert response.status_code == 400
    else:
        assert response.json()["images"][0]["name"] == NAMES[name]


def form(parts: list[tuple[str, tuple[str, bytes]]]) -> dict[str, object]:
    return {"files": parts}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (form([("images", ("a.png", RED))] * 33), 400),
        (form([("images", ("a.png", b""))] * 10_000), 400),
        ({"data": {f"field{k}": "x" for k in range(10_000)}, "files": [("x", ("a", b""))]}, 400),
        (form([("pictures", ("a.png", RED))]), 422),
        ({"data": {"images": "text"}, "files": {"images": ("a.png", RED)}}, 422),
        ({"json": {"images": []}}, 415),
        ({"content": b"--x--", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"content": b"junk", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
        (
            {"content": b"--x--", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            422,
        ),
        ({"content": RED, "headers": {"content-type": "image/png"}}, 415),
        ({}, 415),
    ],
)
def test_a_wrong_form_is_refused_in_a_sentence(
    client: TestClient, request_: dict[str, object], status: int
) -> None:
    response = client.post("/api/predict", **request_)  # type: ignore[arg-type]
    assert response.status_code == status
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(reviews: Reviews, chunked: bool) -> None:
    service = assemble(MODEL, reviews, limits=Limits(request_bytes=10_000))
    body = b"--x\r\n" + bytes(20_000)
    kind = {"content-type": "multipart/form-data; boundary=x"}
    with TestClient(create_app(service), base_url="http://localhost") as client:
        content = iter([body]) if chunked else body
        response = client.post("/api/predict", content=content, headers=kind)
    assert response.status_code == 413


def test_a_large_file_and_one_of_many_pixels_cost_their_rows(reviews: Reviews) -> None:
    service = assemble(MODEL, reviews, limits=Limits(image_bytes=2000, pixels=10_000))
    large = saved(PLAIN, "BMP")
    with TestClient(create_app(service), base_url="http://localhost") as client:
        rows = send(client, large, picture(side=200), RED).json()["images"]
    assert rows[0]["error"] == "The file is larger than 0.002 MB."
    assert "200×200" in rows[1]["error"]
    assert rows[2]["error"] is None


# Slow and vanishing clients, and too many of them


def raw(address: str, *parts: bytes, end: bool = False) -> socket.socket:
    """A connection on which this was sent, and maybe nothing more will be."""
    url = httpx.URL(address)
    connection = socket.create_connection((url.host, url.port), timeout=10)
    for part in parts:
        connection.sendall(part)
    if end:
        connection.shutdown(socket.SHUT_WR)
    return connection


Connect = Callable[[str], httpx.Client]
START = (
    b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)


def test_a_slow_client_is_told_so_and_holds_nobody_up(
    serving: Callable[..., str], connect: Connect
) -> None:
    address = serving(limits=Limits(upload_seconds=0.2))
    with raw(address, START) as slow, raw(address, b"POST /api/pre") as silent:
        assert send(connect(address), RED).status_code == 200
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
        silent.close()


def test_a_client_that_leaves_half_way_leaves_no_trace(
    serving: Callable[..., str], connect: Connect
) -> None:
    address = serving()
    for _ in range(6):  # more than one client may have under way
        raw(address, START, end=True).close()
    client = connect(address)
    for _ in range(50):
        if send(client, RED).status_code == 200:
            break
    assert send(client, RED).status_code == 200
    assert 'status="500"' not in client.get("/metrics").text


@pytest.fixture
def gate() -> tuple[Event, Event]:
    """Two events: the network has begun; the network may go on."""
    return Event(), Event()


def test_a_full_service_refuses_with_a_time_and_recovers(
    serving: Callable[..., str], connect: Connect, gate: tuple[Event, Event]
) -> None:
    begun, may_go = gate

    def slow(pixels: NDArray[np.uint8]) -> Answers:
        begun.set()
        assert may_go.wait(20)
        return by_colour(pixels)

    limits = Limits(waiting=2, client_requests=2)
    address = serving(model=replace(MODEL, answer=slow), limits=limits)
    statuses: list[int] = []
    client = connect(address)
    first = Thread(target=lambda: statuses.append(send(client, RED, BLUE).status_code))
    first.start()
    assert begun.wait(20)
    full = send(connect(address), RED)
    ready = httpx.get(f"{address}/ready")
    may_go.set()
    first.join()
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert ready.status_code == 503
    assert statuses == [200]
    assert send(client, RED).status_code == 200


def test_a_client_with_too_many_requests_gets_429(
    serving: Callable[..., str], connect: Connect, gate: tuple[Event, Event]
) -> None:
    begun, may_go = gate

    def slow(pixels: NDArray[np.uint8]) -> Answers:
        begun.set()
        assert may_go.wait(20)
        return by_colour(pixels)

    address = serving(model=replace(MODEL, answer=slow), limits=Limits(client_requests=1))
    first = Thread(target=lambda: send(connect(address), RED))
    first.start()
    assert begun.wait(20)
    refused = send(connect(address), RED)
    may_go.set()
    first.join()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")


def test_an_answer_that_takes_too_long_is_a_503(reviews: Reviews) -> None:
    may_go = Event()

    def slow(pixels: NDArray[np.uint8]) -> Answers:
        may_go.wait(20)
        return by_colour(pixels)

    service = assemble(replace(MODEL, answer=slow), reviews, limits=Limits(answer_seconds=0.05))
    with TestClient(create_app(service), base_url="http://localhost") as client:
        response = send(client, RED)
        may_go.set()
        assert response.status_code == 503
        assert service.batcher.waiting == 0


def test_a_log_line_says_what_happened_and_nothing_of_the_image(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="leukoscope.serve"):
        send(client, RED)
    from leukoscope.serve.logs import JsonLines

    entry = json.loads(JsonLines().format(caplog.records[-1]))
    assert entry["route"] == "/api/predict"
    assert (entry["status"], entry["images"]) == (200, 1)
    assert "field0" not in json.dumps(entry)
