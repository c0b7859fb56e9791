"""An audit finds what was planted, says so in files and sentences, and splits follow it."""

import csv
import json
import re
import shutil
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import Answer, call, sentence

from leukoscope.audit import checks
from leukoscope.audit.duplicates import read_overlaps
from leukoscope.audit.findings import KINDS, Finding
from leukoscope.audit.leaks import find as find_leaks
from leukoscope.data import sources, synthetic
from leukoscope.data.predictions import Predictions, write_predictions
from leukoscope.data.samples import Sample, read_samples, write_samples
from leukoscope.errors import DataError

SMEARS = synthetic.draw(
    per_class=15, size=112, seed=8, sessions_per_class=3, copies=4, shifted=6, marks="label"
)


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKOSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def smears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "smears"
    synthetic.write(SMEARS, folder)
    return folder


@pytest.fixture(scope="module")
def audited(smears: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    out = tmp_path_factory.mktemp("audit") / "out"
    return out, call("audit", smears, "--out", out, "--quiet")


def verdicts(out: Path) -> dict[str, str]:
    content = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    return {one["check"]: one["verdict"] for one in content["findings"]}


def planted() -> set[frozenset[str]]:
    """The pairs that were drawn to be equal or to overlap."""
    by_scene = defaultdict(list)
    for field in SMEARS.fields:
        by_scene[field.scene].append(field.path)
    return {frozenset(pair) for paths in by_scene.values() for pair in pairwise(paths)}


def test_an_audit_names_every_finding_and_its_files(audited: tuple[Path, Answer]) -> None:
    out, answer = audited
    assert answer.status == 0, answer.err
    assert "problem  equal files: 4 files are copies of another one" in answer.out
    first, *_, found, _ = answer.out.rstrip().splitlines()
    assert first.startswith("problem  ")
    assert found == f"Findings: {out / 'findings.json'}"
    assert answer.out.rstrip().endswith(
        f"leukoscope split {out / 'samples.csv'} --protocol scene --audit {out} --out split.csv"
    )
    assert re.search(r"\n\d+ checks: \d+ problems?, .*\d+ clear\.\n", answer.out)
    assert {path.name for path in out.iterdir()} == {
        *("audit.html", "findings.json", "overlaps.csv", "sessions.csv"),
        *("samples.csv", "information.csv", "figures"),
    }


def test_what_was_planted_is_found(audited: tuple[Path, Answer]) -> None:
    out, _ = audited
    found = {frozenset((one.path_a, one.path_b)) for one in read_overlaps(out / "overlaps.csv")}
    assert planted() <= found
    scene_of = {field.path: field.scene for field in SMEARS.fields}
    assert all(len({scene_of[path] for path in pair}) == 1 for pair in found)
    said = verdicts(out)
    for check in ("equal files", "overlapping fields", "random split"):
        assert said[check] == "problem"
    assert said["shortcut: bottom right corner"] in ("problem", "note")
    assert said["labels of twins"] == said["readable"] == "clear"
    assert [check for check, verdict in said.items() if verdict == "not run"] == ["doubtful labels"]


def test_findings_are_as_documented(audited: tuple[Path, Answer]) -> None:
    content = json.loads((audited[0] / "findings.json").read_text(encoding="utf-8"))
    assert set(content) == {
        *("leukoscope", "title", "synthetic", "root", "command", "groups", "seconds"),
        *("images", "fingerprint", "findings"),
    }
    documented = (Path(__file__).parents[1] / "docs" / "findings.md").read_text(encoding="utf-8")
    for one in content["findings"]:
        assert set(one) == set(Finding.__slots__)
        assert one["kind"] in KINDS
        assert one["sentence"].endswith(".")
        assert f"`{re.sub(': .*', ': …', one['check'])}`" in documented, one["check"]


def test_the_report_is_one_file_marked_as_drawn(audited: tuple[Path, Answer]) -> None:
    page = (audited[0] / "audit.html").read_text(encoding="utf-8")
    assert "Drawn smears, not patients" in page
    assert "does not diagnose" in page
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)", page)
    assert page.count("<img") > 10
    assert len(page) < 5_000_000


def test_the_report_names_equal_files_and_what_sessions_hold(audited: tuple[Path, Answer]) -> None:
    page = (audited[0] / "audit.html").read_text(encoding="utf-8")
    assert "4 sets of equal pictures:" in page
    lines = re.findall(r"^<li class=\"path\">(.+) = (.+) \(same label\)</li>$", page, re.MULTILINE)
    assert len(lines) == 4
    assert {frozenset(one) for one in lines} <= planted()
    assert re.search(r"s001: \d+ images? \(\w+ \d+", page)
    assert re.search(r"Here are \d+ of \d+, first those that are least alike", page)


def test_a_report_without_pictures_names_them(audited: tuple[Path, Answer], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(audited[0], copy)
    assert call("report", copy, "--without-images").out.strip() == str(copy / "audit.html")
    page = (copy / "audit.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page
    assert "data:image/svg" in page


@pytest.mark.parametrize(("kinds", "status"), [("balance", 0), ("leak,shortcut", 1)])
def test_the_exit_status_is_usable(kinds: str, status: int, smears: Path, tmp_path: Path) -> None:
    answer = call("audit", smears, "--out", tmp_path / "out", "--quiet", "--fail-on", kinds)
    assert answer.status == status
    if status:
        assert (
            "Of the kinds leak, shortcut, these are not clear: equal files (problem);" in answer.err
        )
        assert "equal files" in answer.err


def test_the_price_is_found_for_a_network_too(
    smears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = {"size": 32, "epochs": 1, "early_epochs": 0}
    monkeypatch.setattr("leukoscope.learn.probe._BRIEF", brief)
    out = tmp_path / "out"
    call("audit", smears, "--network", "squeezenet1_1", "--out", out, "--quiet")
    said = json.loads((out / "findings.json").read_text(encoding="utf-8"))["findings"]
    (found,) = (one for one in said if one["check"] == "price of leaking")
    models = {point["model"] for point in found["details"]["points"]}
    assert models == {"colour forest", "squeezenet1_1"}
    assert "squeezenet1_1, random 0" in (out / "audit.html").read_text(encoding="utf-8")


def test_an_unknown_kind_is_named_with_the_nearest(smears: Path, tmp_path: Path) -> None:
    answer = call("audit", smears, "--out", tmp_path / "out", "--fail-on", "leaks")
    assert "no kind of finding 'leaks'" in sentence(answer, status=2)
    assert answer.err.rstrip().endswith("Did you mean leak?")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("protocol", ["scene", "session"])
def test_a_split_follows_the_audit(
    protocol: str, audited: tuple[Path, Answer], tmp_path: Path
) -> None:
    out, _ = audited
    answer = call(
        *("split", out / "samples.csv", "--protocol", protocol, "--audit", out),
        *("--out", tmp_path / "split.csv"),
    )
    assert answer.status == 0, answer.err
    rows = read_samples(tmp_path / "split.csv")
    leaks = find_leaks(rows, read_overlaps(out / "overlaps.csv"))
    assert (leaks.pairs, leaks.groups) == ((), ())
    assert not leaks.forbidden(protocol)


def test_a_split_by_scene_needs_an_audit(audited: tuple[Path, Answer], tmp_path: Path) -> None:
    answer = call(
        *("split", audited[0] / "samples.csv", "--protocol", "scene"),
        *("--out", tmp_path / "split.csv"),
    )
    assert "needs an audit: leukoscope audit" in sentence(answer, status=2)


def test_an_audit_of_other_images_is_refused(audited: tuple[Path, Answer], tmp_path: Path) -> None:
    out, _ = audited
    rows = read_samples(out / "samples.csv")
    changed = [replace(rows[0], sha256="0" * 64), *rows[1:]]
    write_samples(changed, tmp_path / "samples.csv")
    answer = call(
        *("split", tmp_path / "samples.csv", "--protocol", "scene", "--audit", out),
        *("--out", tmp_path / "split.csv"),
    )
    assert "holds the audit of other images" in sentence(answer, status=2)


def test_a_leak_planted_in_a_saved_split_is_caught(
    smears: Path, audited: tuple[Path, Answer], tmp_path: Path
) -> None:
    out, _ = audited
    split = tmp_path / "samples.csv"
    assert (
        call(
            *("split", out / "samples.csv", "--protocol", "scene", "--audit", out, "--out", split)
        ).status
        == 0
    )
    rows = read_samples(split)
    (tmp_path / "settings.json").write_text(json.dumps({"protocol": "scene"}), encoding="utf-8")
    _predictions([row for row in rows if row.split == "test"], tmp_path / "predictions.csv")
    fine = call("evaluate", tmp_path / "predictions.csv", "--out", tmp_path, "--audit", out)
    assert fine.status == 0, fine.err
    assert "has a twin on the training side" in fine.out
    paths = next(set(pair) for pair in planted() if _split_of(rows, *pair) == {"train"})
    write_samples(
        [replace(row, split="test") if row.path == min(paths) else row for row in rows], split
    )
    caught = call("evaluate", tmp_path / "predictions.csv", "--out", tmp_path)
    assert "leaks what the protocol 'scene' forbids" in sentence(caught, status=1)
    assert "1 group on both sides" in caught.out
    figures = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert figures["leaks"]["forbidden"] is True
    # Nor does a training take such a table, which says nothing of its protocol.
    refused = call(
        *("train", split, "--network", "squeezenet1_1", "--root", smears, "--epochs", "1"),
        *("--set", "size=32", "--out", tmp_path / "net"),
    )
    assert "in training and test; keep each group on one side" in sentence(refused, status=1)
    split.unlink()
    alone = call("evaluate", tmp_path / "predictions.csv", "--out", tmp_path)
    assert alone.status == 0, alone.err
    assert "Leaks were not looked for: there is no samples.csv" in alone.out


def test_a_report_without_its_images_is_refused(
    audited: tuple[Path, Answer], tmp_path: Path
) -> None:
    out, _ = audited
    moved = tmp_path / "moved"
    shutil.copytree(out, moved)
    content = json.loads((moved / "findings.json").read_text(encoding="utf-8"))
    (moved / "findings.json").write_text(
        json.dumps(content | {"root": str(tmp_path / "gone")}), encoding="utf-8"
    )
    before = (moved / "audit.html").read_bytes()
    said = sentence(call("report", moved), status=2)
    assert "are not in" in said
    assert "--without-images" in said
    assert (moved / "audit.html").read_bytes() == before


def _split_of(rows: list[Sample], *paths: str) -> set[str]:
    return {row.split for row in rows if row.path in paths}


def _predictions(rows: list[Sample], path: Path) -> None:
    classes = ("Benign", "Malignant")
    labels = tuple("Benign" if row.label == "Benign" else "Malignant" for row in rows)
    write_predictions(
        Predictions(
            paths=tuple(row.path for row in rows),
            labels=labels,
            classes=classes,
            probabilities=np.tile([0.25, 0.75], (len(rows), 1)),
            splits=tuple(row.split for row in rows),
            groups=tuple(row.group for row in rows),
        ),
        path,
    )


def test_a_benchmark_audits_first_and_shows_protocols_side_by_side(
    smears: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = (
        *("benchmark", "--data", smears, "--networks", "squeezenet1_1", "--epochs", "1"),
        *("--set", "size=32", "--set", "batch=8", "--quiet", "--out", out),
    )
    answer = call(*arguments, "--protocol", "random,scene")
    assert answer.status == 0, answer.err
    assert re.search(r"Split \(random\): Seed 0: \d of \d+ test images", answer.out)
    assert re.search(r"Split \(scene\): Seed 0: 0 of \d+ test images", answer.out)
    assert (out / "audit" / "audit.html").exists()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Protocols side by side" in page
    assert "equal or overlapping image on the training side" in page
    for protocol in ("random", "scene"):
        folder = out / f"colour-forest-{protocol}-seed0"
        rows = read_samples(folder / "samples.csv")
        assert all(row.group for row in rows) is (protocol == "scene")
        fine = call("evaluate", folder / "predictions.csv", "--out", tmp_path / protocol)
        assert fine.status == 0, fine.err
        assert f"Split ({protocol}): " in fine.out
    findings = (out / "audit" / "findings.json").read_bytes()
    assert call(*arguments, "--protocol", "random,scene").status == 0
    assert (out / "audit" / "findings.json").read_bytes() == findings


# Bad input


def pictures(folder: Path, *images: np.ndarray, labels: str = "ab") -> list[Sample]:
    for number, image in enumerate(images):
        label = labels[number % len(labels)]
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / label / f"{number}.png")
    return list(sources.find(folder).samples)


def audit(folder: Path, rows: list[Sample], **options: object) -> dict[str, Finding]:
    found = checks.audit(rows, folder, quiet=True, **options)  # type: ignore[arg-type]
    return {one.check: one for one in found.findings}


def test_one_image(tmp_path: Path) -> None:
    found = audit(tmp_path, pictures(tmp_path, SMEARS.pixels[0], labels="a"))
    assert found["shortcuts"].verdict == "not run"
    assert "one class only (a)" in found["shortcuts"].sentence
    assert found["equal files"].verdict == found["overlapping fields"].verdict == "clear"


def test_one_class(tmp_path: Path) -> None:
    found = audit(tmp_path, pictures(tmp_path, *SMEARS.pixels[:8], labels="a"))
    assert found["price of leaking"].verdict == "not run"
    assert found["class balance"].verdict == "note"


@pytest.mark.parametrize("level", [0, 255, None])
def test_equal_black_or_white_pictures(tmp_path: Path, level: int | None) -> None:
    one = SMEARS.pixels[0] if level is None else np.full((64, 64, 3), level, np.uint8)
    found = audit(tmp_path, pictures(tmp_path, *[one] * 14))
    assert found["equal files"].figure == 13
    assert "in 1 set of equal pictures" in found["equal files"].sentence
    assert not any(re.search(r"Error|n_splits", one.sentence) for one in found.values())
    shown = "problem" if level is None else "clear"  # one colour shows no cells
    assert found["labels of twins"].verdict == found["overlapping fields"].verdict == shown
    assert not any(
        one.verdict == "problem" for check, one in found.items() if check.startswith("shortcut: ")
    )
    if level is not None:
        assert found["one colour all over"].figure == 14


def test_pictures_of_different_sizes(tmp_path: Path) -> None:
    single = synthetic.draw(per_class=2, size=96, seed=1).pixels[:6]
    larger = single.repeat(2, axis=1).repeat(2, axis=2)
    found = audit(tmp_path, pictures(tmp_path, *larger, *single))
    assert found["overlapping fields"].details["pairs"] == 6


def test_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    rows = pictures(tmp_path, *SMEARS.pixels[:6])
    (tmp_path / rows[0].path).write_bytes(b"words")
    found = audit(tmp_path, list(sources.find(tmp_path).samples))
    assert found["readable"].verdict == "problem"
    assert found["readable"].paths == (rows[0].path,)
    why = found["readable"].details["reasons"][rows[0].path]
    assert why.startswith(f"{rows[0].path} is not a picture")
    for row in rows:
        (tmp_path / row.path).write_text(row.path)
    with pytest.raises(DataError, match=r"None of the 6 .* The first: a/0.png is not a picture"):
        audit(tmp_path, list(sources.find(tmp_path).samples))


def test_the_report_shows_twins_side_by_side_and_says_why_pictures_are_missing(
    tmp_path: Path,
) -> None:
    folder, out = tmp_path / "data", tmp_path / "out"
    pictures(folder, *SMEARS.pixels[:3], SMEARS.pixels[0])
    (folder / "a" / "none.png").write_bytes(b"words")
    assert call("audit", folder, "--out", out, "--quiet").status == 0
    page = (out / "audit.html").read_text(encoding="utf-8")
    assert "4 of 5 pictures" in page
    assert "a/none.png is not a picture" in page
    assert "a/0.png = b/3.png (different labels: a and b)" in page
    assert "a/0.png (label a) and b/3.png (label b): equal" in page
    assert "Left out: random (a class has fewer than 5 images)" in page


def test_a_table_of_groups_that_misses_images(tmp_path: Path) -> None:
    rows = pictures(tmp_path, *SMEARS.pixels[:6])
    known = {row.path: "one" for row in rows[1:]}
    with pytest.raises(DataError, match=f"misses 1 of 6 images; the first is {rows[0].path}"):
        audit(tmp_path, rows, groups=known)


def test_known_groups_that_share_fields_are_kept_together(tmp_path: Path) -> None:
    single = synthetic.draw(per_class=2, size=96, seed=1).pixels[:6]
    rows = pictures(tmp_path, *single, single[0])
    known = {row.path: f"patient {number}" for number, row in enumerate(rows)}
    found = checks.audit(rows, tmp_path, groups=known, quiet=True)
    (joined,) = (one for one in found.findings if one.check == "groups with common fields")
    assert (joined.verdict, joined.figure) == ("problem", 2)
    session = dict(zip((row.path for row in found.samples), found.sessions.session, strict=True))
    same = [row.path for row in rows if row.path.endswith(("/0.png", "/6.png"))]
    assert len({session[path] for path in same}) == 1
    assert len(set(session.values())) == 6


def test_known_groups_stand_in_for_sessions(smears: Path, tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "group"])
        writer.writerows((field.path, field.session) for field in SMEARS.fields)
    out = tmp_path / "out"
    answer = call("audit", smears, "--out", out, "--quiet", "--groups", table)
    assert answer.status == 0, answer.err
    assert "groups that were given agree by" in answer.out
    with (out / "sessions.csv").open(encoding="utf-8", newline="") as file:
        written = {row["path"]: row["session"] for row in csv.DictReader(file)}
    assert written == {field.path: field.session for field in SMEARS.fields}
    divided = tmp_path / "divided.csv"
    again = call("split", out / "samples.csv", "--protocol", "group", "--out", divided)
    assert again.status == 0, again.err


def test_a_table_of_groups_may_miss_what_cannot_be_read(tmp_path: Path) -> None:
    rows = pictures(tmp_path, *SMEARS.pixels[:6])
    (tmp_path / rows[0].path).write_bytes(b"no picture")
    found = checks.audit(rows, tmp_path, groups={r.path: r.label for r in rows[1:]}, quiet=True)
    assert [row.path for row in found.samples] == [row.path for row in rows[1:]]
    assert all(row.group for row in found.samples)


def test_what_an_audit_wrote_is_no_class_and_leaves_nothing_to_the_next(
    smears: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(smears, data)
    out = data / "audited"
    for _ in range(2):
        assert call("audit", data, "--out", out, "--quiet").status == 0
        said = json.loads((out / "findings.json").read_text(encoding="utf-8"))
        assert said["images"] == len(SMEARS.fields)
    assert (out / "figures" / "information.png").exists()
    one = tmp_path / "one"
    shutil.copytree(next(data.glob("Benign")), one / "Benign")
    assert call("audit", one, "--out", out, "--quiet").status == 0
    assert not (out / "information.csv").exists()
    assert not list((out / "figures").glob("information.*"))


def test_a_stopped_audit_says_so_and_leaves_no_folder(
    smears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checks, "audit", stopped)
    answer = call("audit", smears, "--out", tmp_path / "out", "--quiet")
    assert (answer.status, (tmp_path / "out").exists()) == (130, False)
    assert "Stopped; nothing was written." in answer.err


def test_a_check_that_raises_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(checks.duplicates, "find_overlaps", fail)
    monkeypatch.setattr(checks.quality, "measure", fail)
    found = audit(tmp_path, pictures(tmp_path, *SMEARS.pixels[:8]))
    for check in ("overlapping fields", "odd images"):
        assert found[check].verdict == "not run"
        assert "no such luck" in found[check].sentence
        assert "RuntimeError" not in found[check].sentence
        assert found[check].details["error"] == "RuntimeError: no such luck"
    assert "random split" not in found
