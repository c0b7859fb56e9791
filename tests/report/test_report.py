"""The page: self-contained, honest, accessible, and unharmed by what it is given."""

import csv
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from made_up import FINE, SKILLS, FakeRun, build

from leukoscope.errors import DataError, LeukoscopeError, UsageError
from leukoscope.report import report, style

DRAWN = "drawn smears, not patients"
HOSTILE = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Elements and visible text of a page; fails on tags that do not match."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.text += " "
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported run with errors on images that are not drawn, three seeds."""
    skills = SKILLS | {"alexnet": 0.5}
    run = build(tmp_path_factory.mktemp("plain") / "run", seeds=3, skills=skills)
    report.write(run)
    return run


@pytest.fixture(autouse=True)
def _undrawn(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time; only the run of the module fixture has its figures."""
    for kind in ("png", "svg"):
        monkeypatch.setattr(style, kind, lambda figure: b"drawn")


@pytest.fixture(scope="module")
def page(plain: Path) -> Page:
    return Page((plain / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself(plain: Path, page: Page) -> None:
    assert not page.of("script")
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        if tag != "a":
            assert not attributes.get("href", "data:").startswith("http")
        assert attributes.get("src", "data:").startswith("data:")
    content = (plain / "report.html").read_text(encoding="utf-8")
    assert "url(" not in content
    assert "@import" not in content
    assert len(content) < 2_000_000


def test_structure_for_those_who_do_not_see_the_page(page: Page) -> None:
    assert page.of("html")[0]["lang"] == "en-GB"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert all(attributes.get("alt") for attributes in page.of("img"))
    assert len(page.of("caption")) == len(page.of("table")) > 4
    assert all("scope" in attributes for attributes in page.of("th"))
    assert len(page.of("figcaption")) == len(page.of("figure")) == 8
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert max(Counter(names).values()) == 1
    targets = {
        attributes["href"][1:] for attributes in page.of("a") if attributes["href"][0] == "#"
    }
    assert targets <= set(names)


def test_the_sentences_that_must_be_there(page: Page) -> None:
    assert page.text.count("It assists research; it does not diagnose.") == 1
    assert "Images of the same field can be on both sides" in page.words
    assert "colour baseline" in page.words
    assert "leukoscope benchmark --data images" in page.words
    assert "12 March 2026, 14:03 UTC" in page.words
    assert "2\N{NO-BREAK SPACE}h 38\N{NO-BREAK SPACE}min" in page.text
    assert "Without batch normalisation a higher rate diverges." in page.words
    assert DRAWN not in page.text.lower()


def test_the_table_holds_the_means_of_results_csv(plain: Path, page: Page) -> None:
    with (plain / "results.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["network"] == "resnet50"]
    assert len(rows) == 3
    for column in ("loss", "accuracy", "f1", "balanced_accuracy", "auroc"):
        mean = sum(float(row[column]) for row in rows) / 3
        assert f"{mean:.4f}" in page.text


def test_figures_are_written_beside_the_page(plain: Path) -> None:
    names = {path.name for path in (plain / "figures").iterdir()}
    assert names == {
        *("binary-random-curves.png", "binary-random-overview.png", "binary-random-errors.png"),
        *(f"binary-random-confusion-{name}.png" for name in ("alexnet", "resnet50", "majority")),
        "binary-random-confusion-colour-forest.png",
        *(f"binary-random-training-{name}.png" for name in ("alexnet", "resnet50")),
        *("binary-random-reliability.png", "binary-random-risk-coverage.png", "flow.png"),
    }
    for path in (plain / "figures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
    assert not [path for path in plain.rglob("*") if path.name.startswith(".")]


def test_all_correct_never_stands_without_its_lower_bound(fake_run: FakeRun) -> None:
    run = fake_run(networks=("vgg16",), skills={"vgg16": 60.0})
    found = Page(report.write(run).read_text(encoding="utf-8")).text.replace("\xa0", " ")
    share = re.search(r"100 %\s+accuracy on 14 test images; 95 % interval 76\.8 % to 100 %", found)
    assert share is not None
    assert "0.7684 to 1.0000" in found


def test_drawn_smears_are_marked_everywhere(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), synthetic=True)
    found = Page(report.write(run).read_text(encoding="utf-8"))
    assert found.elements[found.elements.index(("body", {})) + 1] == ("p", {"class": "alert"})
    assert "[Drawn smears]" in found.text
    assert found.text.count("Drawn smears, not patients.") >= 1 + len(found.of("figure"))


def test_without_images_the_page_lists_paths_and_says_why(plain: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(plain, run)
    content = report.write(run, images=False).read_text(encoding="utf-8")
    assert "image/jpeg" not in content
    assert "terms do not allow its pictures to be passed on" in Page(content).words
    assert "WBC-Pro-" in content
    assert not (run / "figures" / "binary-random-errors.png").exists()
    assert (run / "figures" / "binary-random-curves.png").exists()


def test_images_out_of_reach_are_said_to_be(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), skills={"alexnet": -5.0})
    shutil.rmtree(run / "images" / "Pro")
    (run / "images" / "Pre" / "WBC-Pre-000.jpg").write_bytes(b"no picture")
    found = Page(report.write(run).read_text(encoding="utf-8"))
    assert "could not be opened below" in found.words
    assert "WBC-Pro-001.jpg" in found.text


def test_hostile_names_are_escaped(fake_run: FakeRun) -> None:
    label = f"{HOSTILE}$x^"
    run = fake_run(networks=("alexnet", HOSTILE), classes="subtype", labels=(label, *FINE[1:]))
    card = json.loads((run / "card.json").read_text())
    card |= {"url": "javascript:alert(1)", "title": HOSTILE, "notes": [HOSTILE]}
    (run / "card.json").write_text(json.dumps(card))
    settings = json.loads((run / "settings.json").read_text())
    settings["settings"][HOSTILE] = f'"{HOSTILE}'
    (run / "settings.json").write_text(json.dumps(settings))
    content = report.write(run, images=False).read_text(encoding="utf-8")
    found = Page(content)
    assert not found.of("script")
    assert HOSTILE not in content
    assert HOSTILE in found.text
    assert not any(link["href"].startswith("javascript") for link in found.of("a"))
    assert all(path.parent == run / "figures" for path in (run / "figures").rglob("*"))


def test_a_picture_outside_the_data_set_is_not_shown(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    outside = run / "outside.jpg"
    shutil.copy(next((run / "images").rglob("*.jpg")), outside)
    file = run / "alexnet-random-seed0" / "predictions.csv"
    rows = file.read_text(encoding="utf-8").splitlines()
    rows[1:] = [f"../outside.jpg,{rows[1].split(',', 1)[1]}"]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert "image/jpeg" not in report.write(run).read_text(encoding="utf-8")


def test_several_tasks_and_protocols_have_sections_of_their_own(fake_run: FakeRun) -> None:
    run = fake_run(
        networks=("majority",),
        classes="subtype",
        protocols=("random", "group"),
        groups=True,
    )
    found = Page(report.write(run, images=False).read_text(encoding="utf-8"))
    assert "Results: 4 classes, random split" in found.words
    assert "Results: 4 classes, group split" in found.words
    assert "Groups" in found.words


def test_a_run_without_details_still_has_its_table(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "majority"))
    for folder in run.glob("*-seed0"):
        shutil.rmtree(folder)
    found = Page(report.write(run).read_text(encoding="utf-8")).words
    assert "There are no curves" in found
    assert "No training history was kept" in found
    assert "errors cannot be listed" in found


def test_settings_that_are_missing_are_not_recorded(fake_run: FakeRun) -> None:
    run = fake_run(networks=("majority",))
    (run / "settings.json").write_text("{}")
    (run / "card.json").write_text("{}")
    found = Page(report.write(run, images=False).read_text(encoding="utf-8")).words
    assert "Unnamed images" in found
    assert "Machine not recorded" in found


def test_the_page_is_the_same_twice(fake_run: FakeRun) -> None:
    run = fake_run(networks=("majority",))
    first = report.write(run).read_bytes()
    assert report.write(run).read_bytes() == first


@pytest.mark.parametrize(
    ("name", "content", "kind", "sentence"),
    [
        ("results.csv", None, UsageError, "cannot be read"),
        ("results.csv", "network,protocol\nalexnet,random\n", UsageError, "no column classes"),
        ("settings.json", "{", UsageError, "is not JSON"),
        ("card.json", None, UsageError, "card.json"),
        ("samples.csv", None, UsageError, "samples.csv"),
    ],
)
def test_a_damaged_run_is_named_and_the_old_page_stays(
    fake_run: FakeRun, name: str, content: str | None, kind: type[Exception], sentence: str
) -> None:
    run = fake_run(networks=("majority",))
    (run / "report.html").write_text("old")
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_text(content)
    with pytest.raises(kind, match=sentence):
        report.write(run)
    assert (run / "report.html").read_text() == "old"
    assert not (run / "figures").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (",random,binary,0,", ",random,binary,zero,", "line 2: invalid literal"),
        ('"[[', '"[[9', "does not count 14 test images"),
        ('"[[', '"[', "line 2"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(
    fake_run: FakeRun, old: str, new: str, sentence: str
) -> None:
    run = fake_run(networks=("majority",))
    rows = (run / "results.csv").read_text()
    assert old in rows
    (run / "results.csv").write_text(rows.replace(old, new))
    with pytest.raises(DataError, match=sentence):
        report.write(run)


def test_an_empty_run_and_no_run(fake_run: FakeRun, tmp_path: Path) -> None:
    run = fake_run(networks=())
    with pytest.raises(DataError, match="nothing to report yet"):
        report.write(run)
    with pytest.raises(LeukoscopeError, match="is not a folder"):
        report.write(tmp_path / "none")


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_the_contrast_that_wcag_aa_asks_for() -> None:
    css = files("leukoscope.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    themes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in _roots(css)]
    assert len(themes) == 3
    pairs = [("ink", "paper"), ("quiet", "paper"), ("link", "paper"), ("quiet", "soft")]
    for theme in themes:
        for ink, paper in [*pairs, ("ink", "soft"), ("alert-ink", "alert-paper")]:
            light, dark = sorted((_luminance(theme[ink]), _luminance(theme[paper])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper, theme)


def _roots(css: str) -> list[str]:
    return re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)


def test_the_head_counts_the_networks_of_all_protocols(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "resnet50"), protocols=("random", "scene"))
    table = run / "results.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("resnet50,random")]
    assert len(kept) == len(lines) - 1
    table.write_text("".join(kept), encoding="utf-8")
    report.write(run, images=False)
    page = (run / "report.html").read_text(encoding="utf-8")
    head = re.search(r'<p class="subtitle">(.*?)</p>', page, flags=re.DOTALL)
    assert head is not None
    assert "2 networks" in head.group(1)
