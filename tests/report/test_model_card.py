"""The model card says what the metrics file says, in a form that the Hub reads."""

import json
from pathlib import Path

import pytest
from made_up import FakeRun
from markdown_it import MarkdownIt

from leukoscope.errors import LeukoscopeError
from leukoscope.report import model_card

TRAINING = "alexnet-random-seed0"


def test_figures_intervals_and_sentences(fake_run: FakeRun) -> None:
    run = fake_run()
    written = model_card.write(run / TRAINING / "classifier")
    assert written == run / TRAINING / "classifier" / "README.md"
    text = written.read_text(encoding="utf-8")
    metrics = json.loads((run / TRAINING / "metrics.json").read_text())
    one = metrics["accuracy"]
    row = f"| Accuracy | {one['value']:.4f} | {one['low']:.4f} to {one['high']:.4f} |"
    assert row in text
    assert "**It assists and does not diagnose.**" in text
    assert "# AlexNet: Benign and Malignant in blood smears" in text
    assert "Images of the same field can be on both sides" in text
    assert "| Colour forest |" in text
    assert "Without batch normalisation a higher rate diverges." in text
    assert "Drawn smears" not in text
    assert "\n\n\n" not in text
    assert [path.name for path in written.parent.iterdir()] == ["README.md"]


def test_the_front_matter_is_read_as_meant(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), synthetic=True)
    text = model_card.write(run / TRAINING / "classifier").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    lines = [line.strip().removeprefix("- ") for line in text.split("---\n")[1].splitlines()]
    tags = next(line for line in lines if line.startswith("tags: "))
    assert {"leukemia", "synthetic-data"} <= set(json.loads(tags.removeprefix("tags: ")))
    assert "pipeline_tag: image-classification" in lines
    figures = [json.loads(line) for line in lines if line.startswith("{")]
    values = {one["type"]: one["value"] for one in figures}
    metrics = json.loads((run / TRAINING / "metrics.json").read_text())
    assert values["accuracy"] == metrics["accuracy"]["value"]
    assert values["loss"] == metrics["loss"]["value"]


def test_it_says_that_it_knows_its_own_files(fake_run: FakeRun) -> None:
    classifier = fake_run(networks=("alexnet",)) / TRAINING / "classifier"
    assert "column `seen`" not in model_card.write(classifier).read_text(encoding="utf-8")
    (classifier / "seen.csv").write_text("sha256,split\n")
    assert "column `seen`" in model_card.write(classifier).read_text(encoding="utf-8")


def test_drawn_smears_are_marked(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), synthetic=True)
    text = model_card.write(run / TRAINING / "classifier").read_text(encoding="utf-8")
    assert "**Drawn smears, not patients.**" in text


def test_hostile_names_are_neither_html_nor_markdown(fake_run: FakeRun) -> None:
    hostile = "<script>|\n---\n# [x](javascript:1) `y"
    run = fake_run(
        networks=("alexnet",), classes="subtype", labels=(hostile, "Early", "Pre", "Pro")
    )
    card = json.loads((run / "card.json").read_text()) | {"title": hostile}
    (run / "card.json").write_text(json.dumps(card))
    folder = run / "alexnet-subtype-random-seed0" / "classifier"
    text = model_card.write(folder).read_text(encoding="utf-8")
    body = text.split("---\n", 2)[2]
    shown = MarkdownIt("commonmark").enable("table").render(body)
    for markup in ("<script", "<hr", "<a "):
        assert markup not in shown
    literal = "&lt;script&gt;| --- # [x](javascript:1) `y"
    assert f"<h1>AlexNet: {literal}, Early" in shown
    assert f"<td>{literal}</td>" in shown


def test_a_classifier_on_its_own_says_what_is_not_recorded(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    for name in ("settings.json", "card.json", "results.csv"):
        (run / name).unlink()
    text = model_card.write(run / TRAINING / "classifier").read_text(encoding="utf-8")
    assert "Citation: not recorded" in text
    assert "No baseline was measured" in text


def test_without_figures_there_is_no_card(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    (run / TRAINING / "metrics.json").unlink()
    folder = run / TRAINING / "classifier"
    with pytest.raises(LeukoscopeError, match=r"metrics\.json"):
        model_card.write(folder)
    assert list(folder.iterdir()) == []
    with pytest.raises(LeukoscopeError, match="is not a folder"):
        model_card.write(Path(folder / "none"))


def test_the_licence_is_that_of_the_images(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    text = model_card.write(run / TRAINING / "classifier").read_text(encoding="utf-8")
    front = text.split("---\n")[1]
    assert 'license: "other"\n' in front
    assert 'license_link: "https://example.org/smears"\n' in front
    card = json.loads((run / "card.json").read_text()) | {"url": "javascript:alert(1)"}
    (run / "card.json").write_text(json.dumps(card))
    again = model_card.write(run / TRAINING / "classifier").read_text(encoding="utf-8")
    assert "license_link" not in again


def test_what_a_classifier_knows_of_itself_is_said(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    folder = run / TRAINING / "classifier"
    plain = model_card.write(folder).read_text(encoding="utf-8")
    assert "were not calibrated" in plain
    assert "no rule for when not to answer" in plain
    config = {"temperature": 1.372, "coverage": 0.95, "accepted": 0.95}
    (folder / "config.json").write_text(json.dumps(config))
    text = model_card.write(folder).read_text(encoding="utf-8")
    assert "by a temperature of 1.37;" in text
    assert "holds the true one for 95.0 % of the images of each class" in text
    assert "as novel, which finds many of them and not all" in text
    assert "| Sensitivity |" in text
