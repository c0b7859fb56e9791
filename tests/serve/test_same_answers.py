"""One image has one answer: in Python, on the command line, by ONNX, over HTTP and on the page."""

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from colours import CLASSES, send
from PIL import Image
from small import SIZE, pictures, saved
from starlette.testclient import TestClient

from leukoscope import cli
from leukoscope.data.images import decode
from leukoscope.learn.backends import open_session
from leukoscope.learn.prediction import predict
from leukoscope.serve.app import create_app
from leukoscope.serve.model import open_model
from leukoscope.serve.reviews import Reviews
from leukoscope.serve.service import assemble


def test_python_command_line_onnx_and_http_agree(
    tmp_path: Path, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    classifier, files = saved(tmp_path / "classifier"), pictures(5)
    for number, content in enumerate(files):
        (tmp_path / f"{number}.png").write_bytes(content)
    pixels = np.stack([decode(content, SIZE) for content in files])
    expected = predict(classifier, pixels, quiet=True)

    words = ["predict", tmp_path / "classifier", tmp_path / "*.png", "--out", tmp_path / "out.csv"]
    command(monkeypatch, *words, "--quiet")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    said = [[float(row[f"probability_{name}"]) for name in CLASSES] for row in rows]
    np.testing.assert_allclose(said, expected, atol=1e-4)

    command(monkeypatch, "export", tmp_path / "classifier", "--out", tmp_path / "it.onnx")
    session = open_session(tmp_path / "it.onnx", device="cpu")
    (said,) = session.run(["probabilities"], {"pixels": pixels})
    np.testing.assert_allclose(said, expected, atol=1e-4)

    service = assemble(open_model(tmp_path / "classifier"), reviews)
    with TestClient(create_app(service), base_url="http://localhost") as client:
        answered = send(client, *files).json()["images"]
        heat = client.get("/api/explain", params={"sha256": answered[0]["sha256"]})
    said = [list(row["answer"]["probabilities"].values()) for row in answered]
    np.testing.assert_allclose(said, expected, atol=1e-4)
    assert Image.open(io.BytesIO(heat.content)).size == (SIZE, SIZE)


def test_a_graph_without_weights_answers_and_is_not_explained(
    tmp_path: Path, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "classifier")
    command(monkeypatch, "export", tmp_path / "classifier", "--out", tmp_path / "graph")
    service = assemble(open_model(tmp_path / "graph"), reviews)
    with TestClient(create_app(service), base_url="http://localhost") as client:
        (row,) = send(client, *pictures(1)).json()["images"]
        assert row["answer"]["suggestion"] in CLASSES
        refused = client.get("/api/explain", params={"sha256": row["sha256"]})
    assert refused.status_code == 422
    assert "cannot be explained" in refused.json()["detail"]


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    """Nothing; the program has done this in this process, and ended well."""
    monkeypatch.setattr(sys, "argv", ["leukoscope", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
