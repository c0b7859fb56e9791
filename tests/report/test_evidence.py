"""What the page says beyond the table agrees with other libraries, and says what is missing."""

import csv
import json
import math
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from made_up import FINE, FakeRun, build
from scipy.stats import binomtest
from sklearn import metrics as sklearn

from leukoscope.audit.attention import Attention, Looked, read_attention, write_attention
from leukoscope.data.predictions import Predictions, join, read_predictions, write_predictions
from leukoscope.errors import DataError, UsageError
from leukoscope.evaluate.calibration import apply_temperature, fit_temperature
from leukoscope.report import report, style
from leukoscope.report.glossary import BY_KEY, TERMS
from leukoscope.report.run import read
from leukoscope.report.validated import validate

NETWORKS = {"AlexNet": "alexnet", "ResNet-50": "resnet50", "Colour forest": "colour-forest"}
COUNTS = (200, 70, 70, 60)  # twenty validation images of a class are enough for a set


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time, and is tested with the plots."""
    _without_drawing(monkeypatch)


def _without_drawing(patch: pytest.MonkeyPatch) -> None:
    for kind in ("png", "svg", "pdf"):
        patch.setattr(style, kind, lambda figure: b"drawn")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported run that kept everything."""
    run = build(tmp_path_factory.mktemp("rich") / "run", counts=COUNTS, evidence=True)
    with pytest.MonkeyPatch.context() as patch:
        _without_drawing(patch)
        report.write(run, images=False)
    return run


@pytest.fixture(scope="module")
def content(rich: Path) -> str:
    return (rich / "report.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


def rows(content: str, caption: str) -> list[list[str]]:
    """The cells of the table whose caption has these words."""
    tables = re.findall(r"<table.*?</table>", content, flags=re.DOTALL)
    (table,) = [one for one in tables if caption in words(one.split("</caption>")[0])]
    body = re.findall(r"<tr>(.*?)</tr>", table.split("</thead>")[1], flags=re.DOTALL)
    return [
        [words(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in body
    ]


def predictions(run: Path, network: str) -> Predictions:
    return read_predictions(run / f"{network}-random-seed0" / "predictions.csv")


def test_the_figures_on_the_page_are_those_of_scikit_learn(rich: Path, content: str) -> None:
    shown = {row[0]: row[1:] for row in rows(content, "Figures with their 95 % intervals")}
    two = {row[0]: row[1:] for row in rows(content, "the more probable side called")}
    for name, network in NETWORKS.items():
        test = predictions(rich, network)
        y, p = test.targets, test.probabilities
        called = p.argmax(axis=1)
        expected = [
            sklearn.accuracy_score(y, called),
            sklearn.balanced_accuracy_score(y, called),
            sklearn.f1_score(y, called, average="macro"),
            sklearn.matthews_corrcoef(y, called),
            sklearn.roc_auc_score(y, p[:, 1]),
            sklearn.average_precision_score(y, p[:, 1]),
            sklearn.brier_score_loss(y, p[:, 1]),
            sklearn.log_loss(y, p),
        ]
        assert [cell.split()[0] for cell in shown[name]] == [f"{x:.4f}" for x in expected]
        of_two = [
            sklearn.recall_score(y, called),
            sklearn.recall_score(y, called, pos_label=0),
            sklearn.precision_score(y, called),
            sklearn.precision_score(y, called, pos_label=0),
        ]
        for cell, value in zip(two[name][:4], of_two, strict=True):
            assert cell.startswith(f"{value:.4f}") or (value == 1 and cell.startswith("at least 0"))


def test_pairs_are_tested_by_mcnemar_and_adjusted_together(rich: Path, content: str) -> None:
    shown = rows(content, "Differences in accuracy")
    assert len(shown) == 3  # best against the other, and both against colour
    right = {}
    for name, network in NETWORKS.items():
        test = predictions(rich, network)
        right[name] = test.probabilities.argmax(axis=1) == test.targets
    for first, second, n, difference, p, adjusted, over_sessions, _ in shown:
        one, other = right[first], right[second]
        only = int((one & ~other).sum()), int((other & ~one).sum())
        expected = binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
        assert float(p) == pytest.approx(expected, abs=6e-4)
        assert float(adjusted) >= float(p)
        assert int(n) == len(one)
        points = float(difference.split()[0].replace("−", "-"))
        assert points == pytest.approx(100 * (one.mean() - other.mean()), abs=0.006)
        assert over_sessions.split()[0] == difference.split()[0]


def test_the_threshold_comes_from_validation_alone(rich: Path, content: str) -> None:
    shown = {row[0]: row[1:] for row in rows(content, "At the threshold that reaches")}
    folder = rich / "alexnet-random-seed0"
    before = read_predictions(folder / "validation.csv")
    temperature = fit_temperature(before.targets, before.probabilities)
    after = apply_temperature(before.probabilities, temperature)
    threshold = after[before.targets == 1, 1].min()  # all of twenty, for 99 %
    assert float(shown["AlexNet"][1]) == pytest.approx(threshold, rel=5e-3)
    test = predictions(rich, "alexnet")
    called = test.probabilities[:, 1] >= threshold
    assert shown["AlexNet"][2].startswith(f"{sklearn.recall_score(test.targets, called):.4f}")


def test_what_was_before_the_temperature_is_found_again(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), evidence=True)
    folder = run / "alexnet-random-seed0"
    raw = read_predictions(folder / "predictions.csv")
    before = read_predictions(folder / "validation.csv")
    temperature = fit_temperature(before.targets, before.probabilities)
    warmed = apply_temperature(raw.probabilities, temperature)
    fields = {name: getattr(raw, name) for name in Predictions.__slots__}
    write_predictions(Predictions(**fields | {"probabilities": warmed}), folder / "predictions.csv")
    found = validate(folder, baseline=False, groups=None)
    assert found is not None
    assert found.calibration.temperatures == pytest.approx((temperature,))
    expected = sklearn.log_loss(raw.targets, raw.probabilities)
    loss = found.calibration.loss_before
    assert loss.value == pytest.approx(expected, rel=1e-6)
    assert loss.interval is not None
    assert loss.interval.low < expected < loss.interval.high


def test_folds_are_judged_each_by_its_own_validation_images(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), evidence=True)
    folder = run / "alexnet-random-seed0"
    for number in (1, 2):
        (folder / f"fold{number}").mkdir()
        for name in ("validation.csv", "predictions.csv"):
            text = (folder / name).read_text().replace("WBC", f"WBC{number}")
            (folder / f"fold{number}" / name).write_text(text)
    found = validate(folder, baseline=False, groups=None)
    assert found is not None
    assert found.point is not None
    assert len(found.point.thresholds) == len(found.calibration.temperatures) == 2
    assert found.sets.coverages[0].n == 2 * len(read_predictions(folder / "predictions.csv").paths)
    assert found.folds == 2
    (folder / "fold2" / "validation.csv").unlink()
    assert validate(folder, baseline=False, groups=None) is None


def in_folds(run: Path, sizes: tuple[int, ...]) -> Path:
    """A trial in folds whose classes have so many validation images each; its images differ."""
    folder = run / "alexnet-subtype-scene-seed0"
    rng = np.random.default_rng(3)
    tested = []
    for number, size in enumerate(sizes, start=1):
        (folder / f"fold{number}").mkdir()
        for name, split, n in (("validation", "validation", size), ("predictions", "test", 40)):
            labels = np.repeat(np.arange(4), n)
            scores = 2 * np.eye(4)[labels] + rng.normal(size=(4 * n, 4))
            odds = np.exp(scores)
            made = Predictions(
                paths=tuple(f"{name}/{number}/{row}.png" for row in range(4 * n)),
                labels=tuple(FINE[index] for index in labels),
                classes=FINE,
                probabilities=odds / odds.sum(axis=1, keepdims=True),
                splits=(split,) * (4 * n),
                groups=tuple(f"{number}-{index}-{row // 4}" for row, index in enumerate(labels)),
            )
            write_predictions(made, folder / f"fold{number}" / f"{name}.csv")
        tested.append(made)
    write_predictions(join(tested), folder / "predictions.csv")
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps(settings | {"folds": len(sizes)}))
    return folder


def folds_by_hand(folder: Path) -> tuple[dict[str, list[bool]], dict[str, list[bool]], list[float]]:
    """Of each class who is covered, and who by a threshold; and which positive ones are called."""
    covered: dict[str, list[bool]] = {name: [] for name in FINE}
    told: dict[str, list[bool]] = {name: [] for name in FINE}
    called = []
    for fold in sorted(folder.glob("fold*")):
        before, test = (
            read_predictions(fold / f"{one}.csv") for one in ("validation", "predictions")
        )
        temperature = fit_temperature(before.targets, before.probabilities)
        after = apply_temperature(before.probabilities, temperature)
        lowest = np.sort(after[before.targets > 0, 1:].sum(axis=1))
        limit = lowest[int(0.01 * len(lowest))]
        called += list(test.probabilities[test.targets > 0, 1:].sum(axis=1) >= limit)
        for index, name in enumerate(FINE):
            own = np.sort(1 - after[before.targets == index, index])
            rank = math.ceil(0.95 * (len(own) + 1))
            few = rank > len(own)
            inside = 1 - test.probabilities[test.targets == index, index]
            hit = [few or bool(one <= own[rank - 1]) for one in inside]
            covered[name] += hit
            told[name] += [] if few else hit
    return covered, told, called


def test_sets_over_folds_are_those_of_each_fold_counted_once(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), protocols=("scene",), classes="subtype", groups=True)
    folder = in_folds(run, (40, 30, 12))
    pooled = read_predictions(folder / "predictions.csv")
    groups = dict(zip(pooled.paths, pooled.groups, strict=True))
    found = validate(folder, baseline=False, groups=groups, parts_of=groups)
    assert found is not None
    assert found.point is not None
    covered, told, called = folds_by_hand(folder)
    assert found.point.sensitivity.value == pytest.approx(np.mean(called))
    whole, *classes = found.sets.coverages
    assert whole.n == 3 * 160 == len(pooled.paths)
    assert whole.coverage == pytest.approx(np.mean([*chain(*covered.values())]))
    for each in classes:
        assert each.coverage == pytest.approx(np.mean(covered[each.name]))
        assert "over 30 groups" in each.interval.method
        assert "over" in each.single_interval.method
        assert found.sets.told[each.name].value == pytest.approx(np.mean(told[each.name]))
        low, high = found.sets.expected[each.name]
        assert 1 / 3 < low < 0.97 < high <= 1
    assert found.sets.untold == {"all": 160} | dict.fromkeys(FINE, 40)


def test_the_page_says_how_sets_over_folds_were_made(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), protocols=("scene",), classes="subtype", groups=True)
    folder = in_folds(run, (40, 30, 12))
    made = page(run)
    told = words(made)
    for part in (
        "Each of the 3 folds has a training, validation images, a temperature and thresholds",
        "Each of the 3 folds has a threshold of its own",
        "160 of 480 test images (40 of the 120",
        "fewer than 19 validation images of their class",
        "without 160 images that every set covers",
    ):
        assert part in told
    shown = {row[1]: row for row in rows(made, "Prediction sets with a demanded coverage")}
    covered, others, _ = folds_by_hand(folder)
    assert shown["Early"][3].startswith(f"{np.mean(covered['Early']):.4f}")
    assert shown["Early"][5] == "40"
    assert shown["Early"][6].startswith(f"{np.mean(others['Early']):.4f}")
    for fold in folder.glob("fold*"):
        (fold / "validation.csv").unlink()
    assert "(validation.csv and predictions.csv in fold1 to fold3) were not kept" in words(
        page(run)
    )


def test_a_coverage_that_fails_is_said_plainly(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), protocols=("scene",), classes="subtype", groups=True)
    folder = in_folds(run, (40, 40))
    for fold in folder.glob("fold*"):
        test = read_predictions(fold / "predictions.csv")
        fields = {name: getattr(test, name) for name in Predictions.__slots__}
        shifted = np.where(
            test.targets[:, None] == 1, [[0.97, 0.01, 0.01, 0.01]], test.probabilities
        )
        write_predictions(
            Predictions(**fields | {"probabilities": shifted}), fold / "predictions.csv"
        )
    told = words(page(run))
    assert "AlexNet: The demanded coverage of 95.0 % does not hold for Early (0 %, 95 %" in told
    assert "Early (2 of 2 folds, smallest p < 0.001)" in told.replace("&lt;", "<")


def test_the_summary_has_all_that_one_screen_needs(content: str) -> None:
    summary = words(content.split('<section id="summary"')[1].split("</section>")[0])
    for part in (
        *("Highest accuracy of 2 networks", "Colour forest", "Always the commonest class"),
        *("Worst session, as the audit infers them", "Random split", "1 problem"),
        *(
            "of the test images get one class",
            "called novel",
            "worst change that was tried (blur, 4)",
            "14 test images is 50.0 % (25.0 % to 75.0 %)",
            "of the same images unchanged it is 93.0 %",
        ),
        *("Images of the same field can be on both sides", "With whole sessions weighed anew"),
    ):
        assert part in summary
    assert "3 files are copies of another one." in summary


def test_what_is_absent_is_said(fake_run: FakeRun) -> None:
    page = words(report.write(fake_run(networks=("alexnet",))).read_text(encoding="utf-8"))
    for part in (
        *("no threshold could be chosen", "not calibrated", "there are no prediction sets"),
        *("were not put under changed stain", "No novelty score was kept", "No groups"),
        *("no rule says when not to answer", "Not kept with this run", "no second network"),
    ):
        assert part in page


def test_two_classes_of_more_are_compared_with_colour(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "colour-forest"), classes="subtype", evidence=True)
    told = page(run)
    one, other = (
        read_predictions(run / f"{name}-subtype-random-seed0" / "predictions.csv")
        for name in ("alexnet", "colour-forest")
    )
    truth = one.targets > 0
    calls = [each.probabilities[:, 1:].sum(axis=1) > 0.5 for each in (one, other)]
    accuracies = [sklearn.accuracy_score(truth, called) for called in calls]
    balanced = [sklearn.balanced_accuracy_score(truth, called) for called in calls]
    (row,) = rows(told, "Differences in accuracy")
    for cell, (a, b) in zip(row[-2:], (accuracies, balanced), strict=True):
        assert cell.split()[0].replace("−", "-") == f"{100 * (a - b):+.2f}"
    assert "Called Benign or Malignant only, the accuracy of AlexNet is" in words(told)
    assert "Best of" not in told
    assert "was picked on these same images" not in told


def test_the_cost_of_a_harder_split_is_paired_on_the_same_images(fake_run: FakeRun) -> None:
    run = fake_run(
        networks=("alexnet",), protocols=("random", "session"), groups=True, counts=COUNTS
    )
    right = [
        one.probabilities.argmax(axis=1) == one.targets
        for one in (
            read_predictions(run / f"alexnet-{protocol}-seed0" / "predictions.csv")
            for protocol in ("session", "random")
        )
    ]
    lost = 100 * (right[0].mean() - right[1].mean())
    found = re.search(
        r"on the same 40 images the difference is ([+−][\d.]+) percentage points, 95 % interval "
        r"([+−][\d.]+) to ([+−][\d.]+) over 15 sessions",
        words(page(run)),
    )
    assert found is not None
    value, low, high = (float(part.replace("−", "-")) for part in found.groups())
    assert value == pytest.approx(lost, abs=0.06)
    assert low <= value <= high


def test_a_last_epoch_that_was_the_best_is_said_not_to_have_converged(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), seeds=2)
    file = run / "alexnet-random-seed0" / "history.csv"
    assert "Not converged" not in page(run)
    *lines, last = file.read_text().splitlines()
    cells = last.split(",")
    cells[3] = "0.0001"
    file.write_text("\n".join((*lines, ",".join(cells))) + "\n")
    told = words(page(run))
    assert "AlexNet not converged: the last epoch was the best in 1 of 2 trainings." in told
    assert "the last epoch was the best in 1 of 2 trainings (AlexNet)" in told
    cells[1] = "300"
    file.write_text("\n".join((*lines, ",".join(cells))) + "\n")
    assert "(the only one at full image size). More epochs" in words(page(run))


def test_reached_and_missed_promises_are_told_in_the_same_words(rich: Path, content: str) -> None:
    told = words(content)
    both = r"is neither shown to reach the demanded 95.0 % nor shown to miss it in Benign \([^)]+\)"
    assert re.search(both, told)
    assert "though the interval does not exclude it" not in told
    assert re.search(r"A sensitivity of 99.0 % is neither shown to be reached nor to be miss", told)


def test_no_promise_is_judged_of_a_class_that_one_group_holds(
    rich: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leukoscope.report.concentration.carried", lambda *_: False)
    told = words(page(rich))
    assert re.search(r"holds for Benign \([\d.]+ %\)[^.]* and Malignant .{,9} cannot be said", told)
    assert "neither shown to reach the demanded 95.0 %" not in told


def test_the_specificity_at_the_neighbouring_thresholds(rich: Path) -> None:
    folder = rich / "alexnet-random-seed0"
    found = validate(folder, baseline=False, groups=None)
    assert found is not None
    assert found.point is not None
    before, test = (
        read_predictions(folder / f"{one}.csv") for one in ("validation", "predictions")
    )
    after = apply_temperature(
        before.probabilities, fit_temperature(before.targets, before.probabilities)
    )
    scores = np.sort(after[before.targets == 1, 1])  # the lowest is chosen of twenty
    negative = test.probabilities[test.targets == 0, 1]
    assert found.point.positives == (len(scores),)
    assert found.point.neighbours == (np.mean(negative < scores[0]), np.mean(negative < scores[1]))


def test_a_threshold_worse_than_none_is_said(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), counts=COUNTS, evidence=True)
    folder = run / "alexnet-random-seed0"
    before = read_predictions(folder / "validation.csv")
    fields = {name: getattr(before, name) for name in Predictions.__slots__}
    sure = np.where(before.targets[:, None] == 1, [[0.0001, 0.9999]], [[0.9999, 0.0001]])
    write_predictions(Predictions(**fields | {"probabilities": sure}), folder / "validation.csv")
    told = words(page(run))
    assert re.search(r"finds fewer positive test images than .* does: AlexNet \(", told)


def test_false_alarms_are_those_of_the_class_that_suffers_most(rich: Path, content: str) -> None:
    with (rich / "resnet50-random-seed0" / "predictions.csv").open() as file:
        found = [(row["label"], float(row["novelty"]) > 1) for row in csv.DictReader(file)]
    shares = {
        name: np.mean([novel for label, novel in found if label == name])
        for name in ("Benign", "Malignant")
    }
    worst = max(shares, key=lambda name: shares[name])
    told = words(content.split('<section id="summary"')[1].split("</section>")[0])
    assert f"most often {worst}, {100 * shares[worst]:.1f} %" in told
    assert f"of the {worst} test images {100 * shares[worst]:.1f} %" in told


def test_every_name_of_a_figure_leads_to_its_definition(content: str) -> None:
    links = re.findall(r'class="term" href="#([^"]+)"', content)
    anchors = re.findall(r'<dt id="([^"]+)"', content)
    assert sorted(anchors) == sorted(one.anchor for one in TERMS)
    assert len(BY_KEY) == len(TERMS)
    assert set(links) <= set(anchors)
    assert len(set(links)) > 20
    assert all(one.meaning and one.formula and one.source for one in TERMS)


def test_one_never_stands_without_its_lower_bound(fake_run: FakeRun) -> None:
    run = fake_run(skills={"alexnet": 60.0, "resnet50": 60.0, "colour-forest": 60.0}, evidence=True)
    page = report.write(run, images=False).read_text(encoding="utf-8")
    alone = re.compile(r"(?<!to )(?<!, )\b1\.0000(?! at least 0\.| [01]\.\d+ to | \[0\.)")
    visible = words(page.split("<body>")[1])
    assert "1.0000 at least 0.7" in visible
    assert [visible[m.start() - 60 : m.end() + 30] for m in alone.finditer(visible)] == []
    described = " ".join(re.findall(r'alt="([^"]+)"', page))
    assert "1.0000 [0." in described
    assert not alone.search(described)
    for file in (run / "tables").glob("*.md"):
        printed = file.read_text(encoding="utf-8")
        assert not re.search(r"(?<!to )\b1\.0000(?! \()", printed), file


def test_sessions_of_an_audit_give_groups_to_a_random_split(content: str) -> None:
    shown = rows(content, "The worst session of at least")
    assert {row[1] for row in shown} == {"2"}
    assert "inferred by the audit from how the images look" in words(content)


def test_a_subtype_run_has_its_binary_figures(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "majority"), classes="subtype", evidence=True)
    page = report.write(run, images=False, prevalence=0.1).read_text(encoding="utf-8")
    shown = rows(page, "against Benign")
    assert "at the stated prevalence of 10.0 %" in words(page)
    test = read_predictions(run / "alexnet-subtype-random-seed0" / "predictions.csv")
    truth = test.targets != 0
    called = test.probabilities[:, 1:].sum(axis=1) > test.probabilities[:, 0]
    assert shown[0][1].startswith(f"{sklearn.recall_score(truth, called):.4f}")


def test_a_prevalence_that_cannot_be_is_refused(fake_run: FakeRun) -> None:
    with pytest.raises(UsageError, match="prevalence must lie between 0 and 1"):
        report.write(fake_run(networks=("majority",)), prevalence=1.5)


def test_the_checklist_leaves_to_the_authors_what_no_file_says(rich: Path, content: str) -> None:
    shown = rows(content, "What the guidelines ask")
    answers = {row[3]: row[4] for row in shown}
    assert answers["Funding and interests"] == "To be stated by the authors."
    assert "AlexNet and ResNet-50" in answers["The networks"]
    claim, tripod, stard = (numbers(row[place] for row in shown) for place in range(3))
    assert claim == set(range(1, 45))
    assert tripod == set(range(1, 28))
    assert stard == set(range(1, 41))


def numbers(cells: Iterable[str]) -> set[int]:
    """The items that cells like 8a–c, 13 or 37–38 name."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)[a-g]?(?:–(\d+))?", " ".join(cells)):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_what_could_not_be_read_is_counted_and_listed(fake_run: FakeRun) -> None:
    run = fake_run(networks=("majority",))
    path = run / "settings.json"
    settings = json.loads(path.read_text())
    assert "Unreadable images left out: not recorded. 130 images used." in page(run)
    settings["left_out"] = {"Pro/<b>.png": "is not a picture."}
    path.write_text(json.dumps(settings))
    told = page(run)
    assert "131 images found, 1 unreadable, 130 images used." in told
    assert "Pro/&lt;b&gt;.png</span> is not a picture." in told
    settings["left_out"] = {}
    settings["settings"]["skip_unreadable"] = False
    path.write_text(json.dumps(settings))
    assert "130 images found, 0 unreadable, 130 images used." in page(run)


def page(run: Path) -> str:
    report.write(run, images=False)
    return (run / "report.html").read_text(encoding="utf-8")


def test_the_flow_counts_every_image(rich: Path, content: str) -> None:
    (alt,) = re.findall(r'alt="(Flow of images[^"]+)"', content)
    samples = read(rich).samples
    for split in ("train", "validation", "test"):
        count = sum(one.split == split for one in samples)
        assert f"{split.capitalize()}: {count:,} image" in alt


def test_tables_keep_all_digits_and_figures_come_as_vectors(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), evidence=True)
    (run / "tables").mkdir()
    (run / "tables" / "binary-moon-classes.csv").write_text("of an earlier report")
    report.write(run, images=False, vector=True)
    assert not (run / "tables" / "binary-moon-classes.csv").exists()
    with (run / "tables" / "binary-random-intervals.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    test = predictions(run, "alexnet")
    auroc = sklearn.roc_auc_score(test.targets, test.probabilities[:, 1])
    assert float(row["auroc"]) == pytest.approx(auroc, abs=1e-12)
    assert float(row["auroc_low"]) <= auroc <= float(row["auroc_high"])
    kinds = {file.suffix for file in (run / "figures").glob("binary-random-reliability.*")}
    assert kinds == {".png", ".svg", ".pdf"}


def test_without_predictions_there_is_one_sentence(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    (run / "alexnet-random-seed0" / "predictions.csv").unlink()
    page = words(report.write(run, images=False).read_text(encoding="utf-8"))
    assert "nothing can be said about classes, groups, calibration or abstention" in page


def test_intervals_are_over_the_groups_that_the_split_kept_apart(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), protocols=("session",), groups=True, evidence=True)
    page = report.write(run, images=False).read_text(encoding="utf-8")
    test = read_predictions(run / "alexnet-session-seed0" / "predictions.csv")
    assert f"over {len(set(test.groups))} sessions" in words(page)


def test_novelty_is_counted(rich: Path, content: str) -> None:
    shown = {(row[0], row[1]): row[3] for row in rows(content, "called unlike the training")}
    with (rich / "alexnet-random-seed0" / "predictions.csv").open() as file:
        novel = [float(row["novelty"]) > 1 for row in csv.DictReader(file)]
    assert shown["AlexNet", "all"].startswith(f"{np.mean(novel):.4f}")


def test_leaks_of_settings_are_shown(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    settings = json.loads((run / "settings.json").read_text())
    leak = {"protocol": "random", "seed": 0, "tested": 14, "known": 7, "pairs": 9, "audited": True}
    (run / "settings.json").write_text(json.dumps(settings | {"leaks": [leak]}))
    page = words(report.write(run, images=False).read_text(encoding="utf-8"))
    assert "50.0 % of the test images (7 of 14) have an equal or overlapping image" in page


def test_pictures_of_other_kinds_stand_in_a_table(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), evidence=True)
    assert "Pictures of other kinds were not asked about" in page(run)
    lines = (
        "kind,near_or_far,n,auroc,auroc_low,auroc_high,accepted",
        "noise,far,48,1.0,0.95,1.0,0.0",
        "<pbc>,near,20,0.9612,0.9304,0.9811,0.25",
    )
    table = run / "alexnet-random-seed0" / "novelty.csv"
    table.write_text("\n".join(lines) + "\n")
    found = {row[1]: row for row in rows(page(run), "Pictures of other kinds against")}
    assert found["noise"][2:5] == ["far", "48", "1.0000 0.9500 to 1.0000"]
    bounds = binomtest(5, 20).proportion_ci(method="exact")
    shown = found["&lt;pbc&gt;"][5]
    assert shown.startswith("0.2500")
    low, high = (float(bound) for bound in shown.split()[1::2])
    assert (low, high) == (
        pytest.approx(bounds.low, abs=1e-3),
        pytest.approx(bounds.high, abs=1e-3),
    )
    table.write_text("\n".join((lines[0], "noise,far,48,one,1,1,0")))
    with pytest.raises(DataError, match=r"novelty\.csv: could not convert"):
        report.write(run, images=False)


def test_of_several_seeds_the_page_says_which_is_shown(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "colour-forest"), seeds=2, evidence=True)
    told = page(run)
    captions = [words(one) for one in re.findall(r"<caption>.*?</caption>", told, re.DOTALL)]
    named = [one for one in captions if "Seed 0 shown." in one]
    for start in ("Figures with their", "Each class", "The worst session", "Prediction sets with"):
        assert any(start in one for one in named), start
    drawn = [words(one) for one in re.findall(r"<figcaption>.*?</figcaption>", told, re.DOTALL)]
    assert sum("Seed 0 shown." in one for one in drawn) == 3  # calibration, abstention, robustness
    assert "seed 0 shown" in words(told).split("Protocol Random split")[0]
    (row, _) = rows(told, "Mean over 2 seeds")
    accuracies = [
        json.loads((run / f"alexnet-random-seed{seed}" / "metrics.json").read_text())["accuracy"]
        for seed in range(2)
    ]
    values = [one["value"] for one in accuracies]
    assert (row[1], row[2].split()[0]) == ("2", f"{sum(values) / 2:.4f}")
    with (run / "tables" / "binary-random-seeds.csv").open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    assert [float(first[f"accuracy_{end}"]) for end in ("low", "high")] == sorted(values)


def test_what_few_images_cannot_say_is_said(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), counts=(20, 40, 30, 30), evidence=True)
    folder = run / "alexnet-random-seed0"
    test = read_predictions(folder / "predictions.csv")
    fields = {name: getattr(test, name) for name in Predictions.__slots__}
    same = np.tile([0.3, 0.7], (len(test.paths), 1))
    write_predictions(Predictions(**fields | {"probabilities": same}), folder / "predictions.csv")
    told = words(page(run))
    assert "With 10 positive validation images a sensitivity of 99.0 % means all of them" in told
    assert "AlexNet: every set holds every class" in told
    shown = {row[1]: row for row in rows(page(run), "Each class against the rest")}
    assert shown["Benign"][4] == "–"  # nothing was called it
    assert shown["Malignant"][4].startswith("0.8333")


def test_a_harder_split_says_what_is_to_be_expected(fake_run: FakeRun) -> None:
    told = words(page(fake_run(networks=("alexnet",), protocols=("random", "session"))))
    assert "Figures under session are expected to be worse than under a random split" in told
    assert re.search(r"AlexNet has an accuracy of [\d.]+ % \(95 % interval", told)
    assert told.count("are expected to be worse") == 1


def test_two_sessions_tell_nothing_of_where_a_network_looks(content: str) -> None:
    ratio, *_, mark = rows(content, "Attention on nuclei")[0][-4:]
    assert (float(ratio), float(mark)) == (pytest.approx(2, abs=0.05), 3)
    assert "no interval is given over fewer than 5 effective sessions" in words(content)
    assert "At nuclei, over all classes: not told apart from chance: AlexNet" in words(content)


def test_where_the_networks_looked_stands_beside_chance(tmp_path: Path) -> None:
    rich = build(tmp_path / "run", networks=("alexnet",), evidence=True)
    (rich / "audit" / "sessions.csv").unlink()
    report.write(rich, images=False)
    content = (rich / "report.html").read_text(encoding="utf-8")
    shown = rows(content, "Attention on nuclei")
    assert [row[0] for row in shown[:3]] == ["AlexNet"] * 3
    assert [row[1] for row in shown[:3]] == ["all", "Benign", "Malignant"]
    tested = predictions(rich, "alexnet")
    name, _, n, share, area, ratio, mark, mark_area, mark_ratio = shown[0]
    assert int(n) == len(tested.paths) - 1  # one map is empty
    each = np.resize([0.3, 0.4, 0.5], len(tested.paths))[1:]
    assert (share, area) == (f"{each.mean():.3f}", "0.200")
    value, low, high = map(float, ratio.replace(" to ", " ").split())
    assert value == pytest.approx(each.mean() / 0.2, abs=0.005)
    assert 1 < low < value < high
    assert (mark, mark_area, mark_ratio) == ("0.030", "0.010", "3.000 3.000 to 3.000")
    assert name == "AlexNet"
    told = words(content)
    assert "At nuclei, over all classes: more than chance looked AlexNet" in told
    assert "drawn by chance" in told


def test_a_map_that_sees_nothing_is_not_called_anything(tmp_path: Path) -> None:
    run = build(tmp_path / "run", networks=("alexnet",), evidence=True)
    table = run / "alexnet-random-seed0" / "attention.csv"
    rng, kept = np.random.default_rng(0), read_attention(table)
    areas = rng.gamma(0.6, 0.1, size=len(kept))  # skewed, as the areas of nuclei are
    shares = areas * rng.uniform(0.7, 1.3, size=len(kept))
    shares *= areas.sum() / shares.sum()
    blind = []
    for row, share, area in zip(kept, shares.tolist(), areas.tolist(), strict=True):
        found = Attention((share, 0.0, 1 - share), (area, 0.0, 1 - area))
        blind.append(Looked(row.path, row.label, row.predicted, found))
    write_attention(blind, table)
    report.write(run, images=False)
    told = words((run / "report.html").read_text(encoding="utf-8"))
    assert "At nuclei, over all classes: not told apart from chance: AlexNet." in told
    assert "At the scale bar" not in told


def test_without_it_the_page_says_how_to_measure_it(tmp_path: Path) -> None:
    run = build(tmp_path / "run", networks=("alexnet",))
    report.write(run, images=False)
    assert "Where the networks looked was not measured" in words(
        (run / "report.html").read_text(encoding="utf-8")
    )
