"""What follows a training can be done again from its folder, to the same result."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_cli import call, sentence

from leukoscope import outcome
from leukoscope.audit.attention import read_attention
from leukoscope.benchmark import Comparison, benchmark
from leukoscope.data import seen, synthetic
from leukoscope.data.perturbations import PERTURBATIONS
from leukoscope.data.predictions import read_predictions
from leukoscope.data.samples import read_samples
from leukoscope.errors import DataError, UsageError
from leukoscope.evaluate.abstention import class_thresholds
from leukoscope.evaluate.calibration import apply_temperature, fit_temperature
from leukoscope.evaluate.scores import log_loss
from leukoscope.learn import training
from leukoscope.learn.classifier import load
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import answer
from leukoscope.revisit import calibrate, stress

NETWORK = "squeezenet1_1"
TRIAL = f"{NETWORK}-random-seed0"
WRITTEN = (
    *("validation.csv", "predictions.csv", "metrics.json", "attention.csv"),
    *("classifier/config.json", "classifier/novelty.safetensors", "classifier/seen.csv"),
)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(trial: Path, names: tuple[str, ...] = WRITTEN) -> dict[str, bytes]:
    return {name: (trial / name).read_bytes() for name in names}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def smears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "smears"
    synthetic.write(synthetic.draw(per_class=10, size=64, seed=3), folder)
    return folder


@pytest.fixture(scope="module")
def comparison(smears: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return Comparison(
        data=str(smears),
        networks=(NETWORK,),
        overrides={"size": 48, "epochs": 1, "batch": 8, "precision": "float32"},
        audit=False,
        out=tmp_path_factory.mktemp("run") / "out",
        quiet=True,
    )


@pytest.fixture(scope="module")
def run(comparison: Comparison) -> Path:
    """A finished run. No test writes into it."""
    benchmark(comparison)
    return comparison.out


@pytest.fixture(scope="module")
def folded(run: Path, comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in three folds. No test writes into it."""
    out = tmp_path_factory.mktemp("folds") / "out"
    benchmark(replace(comparison, folds=3, out=out))
    return out


def made_before(folder: Path, run: Path) -> Path:
    """A copy of the run as it was made before classifiers were calibrated."""
    copy = shutil.copytree(run, folder / "before")
    for config in copy.glob("**/classifier/config.json"):
        known = json.loads(config.read_text())
        for key in ("coverage", "set_thresholds", "accepted"):
            del known[key]
        config.write_text(json.dumps(known | {"temperature": 1.0}))
        for name in ("novelty.safetensors", "seen.csv"):
            (config.parent / name).unlink()
    for trial in copy.glob("*-seed0"):
        for name in ("validation.csv", "predictions.csv", "attention.csv"):
            for file in trial.rglob(name):
                file.unlink()
        for file in trial.rglob("metrics.json"):
            file.write_text("{}")
    return copy


def test_validation_images_are_predicted_uncalibrated(run: Path) -> None:
    asked = {row.path for row in read_samples(run / "samples.csv") if row.split == "validation"}
    for name in (TRIAL, "colour-forest-random-seed0", "majority-random-seed0"):
        rows = table(run / name / "validation.csv")
        assert {row["path"] for row in rows} == asked
        assert {row["split"] for row in rows} == {"validation"}
        assert "novelty" not in rows[0]


def test_temperature_and_sets_follow_from_the_tables_alone(run: Path) -> None:
    config = load(run / TRIAL / "classifier").config
    validated = read_predictions(run / TRIAL / "validation.csv")
    temperature = fit_temperature(validated.targets, validated.probabilities)
    assert config.temperature == pytest.approx(temperature, rel=1e-5)
    scaled = apply_temperature(validated.probabilities, temperature)
    thresholds = class_thresholds(validated.targets, scaled, 0.95)
    assert config.set_thresholds == pytest.approx(thresholds.tolist(), abs=1e-6)
    tested = read_predictions(run / TRIAL / "predictions.csv")
    before = apply_temperature(tested.probabilities, 1 / temperature)
    metrics = json.loads((run / TRIAL / "metrics.json").read_text())
    assert metrics["temperature"] == config.temperature != 1
    expected = log_loss(tested.targets, before).value
    assert metrics["loss_uncalibrated"]["value"] == pytest.approx(expected, rel=1e-5)
    assert metrics["loss"]["value"] != metrics["loss_uncalibrated"]["value"]


def test_predictions_are_the_answers_of_the_classifier_in_the_folder(
    run: Path, smears: Path
) -> None:
    there = outcome.read(run / TRIAL)
    pixels = there.pixels(smears, quiet=True)[there.numbers("test")]
    said = answer(load(there.classifier), pixels, fabric=fabric_for("float32"), quiet=True)
    written = read_predictions(run / TRIAL / "predictions.csv")
    np.testing.assert_allclose(written.probabilities, said.probabilities, atol=2e-6)
    np.testing.assert_allclose(written.novelty, said.novelty, rtol=1e-3)
    assert said.sets is not None


def test_the_classifier_knows_whom_it_learned_from(run: Path) -> None:
    known = seen.read(run / TRIAL / "classifier")
    rows = read_samples(run / TRIAL / "samples.csv")
    assert known is not None
    assert [known.split(row.sha256) for row in rows] == [
        "" if row.split == "test" else row.split for row in rows
    ]


def test_where_it_looked_is_known_of_the_test_images(run: Path, folded: Path) -> None:
    for folder in (run / TRIAL, folded / TRIAL):
        tested = read_predictions(folder / "predictions.csv")
        looked = read_attention(folder / "attention.csv")
        assert {row.path: row.label for row in looked} == dict(
            zip(tested.paths, tested.labels, strict=True)
        )
    assert "Where the networks looked" in (run / "report.html").read_text(encoding="utf-8")


def test_a_report_is_written_from_the_predictions(folded: Path, tmp_path: Path) -> None:
    run = shutil.copytree(folded, tmp_path / "run")
    files = sorted(run.rglob("metrics.json"))
    expected = {file: file.read_text(encoding="utf-8") for file in (*files, run / "results.csv")}
    for file in files:
        metrics = json.loads(expected[file])
        metrics["accuracy"] |= {"value": 1.0, "low": 1.0}
        metrics["of another version"] = 1
        file.write_text(json.dumps(metrics), encoding="utf-8")
    (run / TRIAL / "fold1" / "predictions.csv").unlink()
    for name in ("metrics.json", "settings.json"):
        (run / TRIAL / "fold2" / name).unlink()
    del expected[run / TRIAL / "fold2" / "metrics.json"]
    call("report", str(run))
    for file, content in expected.items():
        changed = file.parent.name == "fold1" and file.parent.parent.name == TRIAL
        assert (file.read_text(encoding="utf-8") != content) == changed


def test_baselines_stand_for_themselves(run: Path) -> None:
    assert not list(run.glob("majority-*/attention.csv"))
    metrics = json.loads((run / "majority-random-seed0" / "metrics.json").read_text())
    assert not {"temperature", "loss_uncalibrated"} & metrics.keys()
    assert "novelty" not in table(run / "majority-random-seed0" / "predictions.csv")[0]


@pytest.mark.parametrize("kind", ["run", "folded"])
def test_a_run_of_before_is_calibrated_to_what_it_would_be_now(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    now = request.getfixturevalue(kind)
    copy = made_before(tmp_path, now)
    done = call("calibrate", copy, "--quiet")
    assert done.status == 0, done.err
    names = {path.name for path in now.glob("*-seed0")}
    assert {Path(line).name for line in done.out.splitlines()} == names
    for part in (outcome.folds(now / TRIAL), [now / TRIAL])[kind == "run"]:
        again = copy / part.relative_to(now)
        assert content(again) == content(part)
    for name in names:
        for file in ("predictions.csv", "metrics.json"):
            assert (copy / name / file).read_bytes() == (now / name / file).read_bytes()
    assert (copy / "results.csv").read_bytes() == (now / "results.csv").read_bytes()
    cards = list(copy.glob("**/classifier/README.md"))
    assert len(cards) == len(list(now.glob("**/classifier/README.md"))) > 0


def test_one_training_of_a_run_is_calibrated_alone(run: Path, tmp_path: Path) -> None:
    copy = made_before(tmp_path, run)
    shutil.rmtree(copy / "majority-random-seed0")
    (copy / "colour-forest-random-seed0" / "metrics.json").unlink()
    assert calibrate(copy / TRIAL, quiet=True) == [copy / TRIAL]
    assert content(copy / TRIAL) == content(run / TRIAL)
    assert not (copy / "colour-forest-random-seed0" / "predictions.csv").exists()


def test_a_finished_training_is_not_repeated_for_what_follows_it(
    run: Path, comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the end of the training and its metrics."""
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / TRIAL / "metrics.json").unlink()
    (copy / TRIAL / "predictions.csv").unlink()

    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("it was trained again")

    monkeypatch.setattr(training, "train", forbidden)
    benchmark(replace(comparison, out=copy))
    assert content(copy / TRIAL) == content(run / TRIAL)


def test_folds_know_the_loss_before_calibration(folded: Path) -> None:
    parts = outcome.folds(folded / TRIAL)
    assert [part.name for part in parts] == ["fold1", "fold2", "fold3"]
    losses, sizes = [], []
    for part in parts:
        losses.append(json.loads((part / "metrics.json").read_text())["loss_uncalibrated"]["value"])
        sizes.append(len(table(part / "predictions.csv")))
    pooled = json.loads((folded / TRIAL / "metrics.json").read_text())
    expected = np.average(losses, weights=sizes)
    assert pooled["loss_uncalibrated"]["value"] == pytest.approx(expected)
    assert len(table(folded / TRIAL / "predictions.csv")) == sum(sizes) == 40
    assert all(float(row["novelty"]) > 0 for row in table(folded / TRIAL / "predictions.csv"))


@pytest.mark.parametrize(("kind", "tested"), [("run", 4), ("folded", 40)])
def test_stress_writes_a_table_of_each_network(
    kind: str, tested: int, smears: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    copy = shutil.copytree(request.getfixturevalue(kind), tmp_path / "copy")
    done = call("stress", copy, "--quiet", "--novel", f"benign={smears / 'Benign'}")
    written = [f"{copy / TRIAL / name}.csv" for name in ("robustness", "novelty")]
    assert (done.status, done.out.splitlines()) == (0, written), done.err
    assert [file.parent.name for file in copy.rglob("robustness.csv")] == [TRIAL]
    rows = table(copy / TRIAL / "robustness.csv")
    assert len(rows) == 1 + sum(len(one.amounts) for one in PERTURBATIONS)
    assert {row["n"] for row in rows} == {str(tested)}
    metrics = json.loads((copy / TRIAL / "metrics.json").read_text())
    assert rows[0]["change"] == "none"
    for name in ("accuracy", "balanced_accuracy", "loss"):
        assert float(rows[0][name]) == pytest.approx(metrics[name]["value"], rel=1e-4)
    assert float(rows[0]["accuracy_low"]) == pytest.approx(metrics["accuracy"]["low"])
    assert all(0 <= float(row["novel"]) <= 1 for row in rows)
    asked = table(copy / TRIAL / "novelty.csv")
    told = [(row["kind"], row["near_or_far"]) for row in asked]
    assert told == [("noise", "far"), ("blank", "far"), ("text", "far"), ("benign", "near")]
    assert asked[-1]["n"] == "10"
    for row in asked:
        assert 0 <= float(row["auroc_low"]) <= float(row["auroc"]) <= float(row["auroc_high"]) <= 1
        assert 0 <= float(row["accepted"]) <= 1


def test_stress_on_few_images(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    written, _ = stress(copy, limit=3, quiet=True)
    first = written.read_bytes()
    assert {row["n"] for row in table(written)} == {"3"}
    stress(copy / TRIAL, limit=3, quiet=True)
    assert written.read_bytes() == first


@pytest.mark.parametrize("command", ["calibrate", "stress"])
def test_a_folder_without_a_training_is_refused(command: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    line = sentence(call(command, tmp_path / "empty"), status=2)
    assert f"{tmp_path / 'empty'} is no folder of a benchmark or of a training." in line
    shutil.copy(run / "settings.json", tmp_path / "empty")
    line = sentence(call(command, tmp_path / "empty"), status=2)
    assert f"{tmp_path / 'empty'} holds no finished training." in line


def test_images_that_moved_are_asked_for(run: Path, smears: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    known = json.loads((copy / "settings.json").read_text())
    (copy / "settings.json").write_text(json.dumps(known | {"root": str(tmp_path / "gone")}))
    with pytest.raises(UsageError, match=r"not in .*gone: give --root DIR"):
        stress(copy, quiet=True)
    shutil.copytree(smears, tmp_path / "moved")
    assert stress(copy, root=tmp_path / "moved", limit=2, quiet=True)
    alone = shutil.copytree(copy / TRIAL, tmp_path / "alone")
    with pytest.raises(UsageError, match="alone does not say where its images are: give --root"):
        calibrate(alone, quiet=True)


def test_images_that_changed_are_refused(run: Path, smears: Path, tmp_path: Path) -> None:
    copy, moved = shutil.copytree(run, tmp_path / "copy"), tmp_path / "moved"
    shutil.copytree(smears, moved)
    row = read_samples(run / "samples.csv")[0]
    (moved / row.path).write_bytes(b"another picture")
    before = content(copy / TRIAL)
    with pytest.raises(DataError, match="its SHA-256 differs"):
        calibrate(copy, root=moved, quiet=True)
    assert content(copy / TRIAL) == before


def test_classifiers_of_folds_predict_together(folded: Path, smears: Path, tmp_path: Path) -> None:
    first, *others = [part / "classifier" for part in outcome.folds(folded / TRIAL)]
    more = [word for other in others for word in ("--with", other)]
    out = tmp_path / "together.csv"
    done = call("predict", first, smears / "Benign", "--out", out, *more, "--quiet")
    assert done.status == 0, done.err
    rows = table(out)
    assert len(rows) == 10
    each = []
    for number, classifier in enumerate((first, *others)):
        single = tmp_path / f"{number}.csv"
        call("predict", classifier, smears / "Benign", "--out", single, "--quiet")
        each.append([float(row["probability_Benign"]) for row in table(single)])
    mean = np.mean(each, axis=0)
    given = [float(row["probability_Benign"]) for row in rows]
    assert given == pytest.approx(mean.tolist(), abs=1e-6)
    assert np.ptp(each, axis=0).max() > 1e-4
