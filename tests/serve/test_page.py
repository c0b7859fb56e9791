"""A person opens the page in a real browser, reviews by keyboard, and finds it all again."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from colours import MODEL, picture
from PIL import Image
from small import SIZE, pictures, saved

from leukoscope.data import seen
from leukoscope.data.images import decode
from leukoscope.data.samples import Sample, digest
from leukoscope.learn.prediction import predict
from leukoscope.serve import keys
from leukoscope.serve.model import open_model
from leukoscope.serve.reviews import Reviews

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SIZES = {"laptop": (1366, 768), "tablet": (820, 1180), "desk": (1920, 1080)}
COLOURS = ((250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 20, 10), (128, 128, 128))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A folder of five pictures, one of them grey, and one file that is none."""
    folder = tmp_path / "cases" / "Case 7"
    folder.mkdir(parents=True)
    for number, colour in enumerate(COLOURS):
        (folder / f"field {number}.png").write_bytes(picture(colour))
    (folder / "field 9.jpg").write_bytes(b"no picture")
    return folder.parent


def opened(browser: Any, address: str, **options: Any) -> Any:
    """The page, whose every complaint fails the test."""
    page = browser.new_context(**options).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    return page


def drop(page: Any, case: Path, answered: int = 6) -> None:
    page.set_input_files("#folder", case)
    images = "image" if answered == 1 else "images"
    page.get_by_text(f"{answered} of {answered} {images} answered").wait_for()


def test_ten_keys_review_a_case_and_a_restart_shows_it(
    browser: Any, serving: Callable[..., str], case: Path, reviews: Reviews
) -> None:
    page = opened(browser, serving())
    drop(page, case)
    page.keyboard.press("Enter")  # asks who reviews, first
    page.fill("#who-name", "Ada")
    page.keyboard.press("Enter")
    page.get_by_text("1 reviewed").wait_for()
    page.keyboard.press("3")  # the second picture is Early, not Pre
    page.keyboard.press("s")
    page.keyboard.press("1")  # what was suggested: confirmed
    page.get_by_text("4 reviewed").wait_for()
    page.keyboard.press("u")
    page.get_by_text("3 reviewed").wait_for()
    page.wait_for_selector("#decided:not(.saving)")
    kept = {one.name: (one.decision, one.label, one.patient) for one in reviews.current()}
    assert kept == {
        "field 0.png": ("confirmed", "Benign", "Case 7"),
        "field 1.png": ("corrected", "Pre", "Case 7"),
        "field 2.png": ("skipped", "", "Case 7"),
    }
    assert {one.person for one in reviews.current()} == {"Ada"}
    again = opened(browser, serving())  # another service with the same database
    again.get_by_role("button", name="Kept reviews").click()
    again.get_by_text("corrected to Pre").wait_for()
    assert again.locator("#kept-table tbody tr").count() == 3
    with again.expect_download() as download:
        again.get_by_role("button", name="Export as CSV").click()
    assert "corrected" in Path(download.value.path()).read_text()
    again.get_by_role("button", name="Review", exact=True).click()
    drop(again, case)
    again.get_by_text("3 reviewed").wait_for()
    assert page.complaints == again.complaints == []


def test_what_is_unlike_anything_and_what_cannot_be_read_says_so(
    browser: Any, serving: Callable[..., str], case: Path
) -> None:
    page = opened(browser, serving())
    drop(page, case)
    page.select_option("#sort", "uncertainty")
    first = page.locator("#list li").first
    first.filter(has_text="field 4.png").wait_for()  # the answers come one by one
    first.click()
    assert page.get_by_text("Unlike anything I know").is_visible()
    page.select_option("#filter", "failed")
    page.locator("#list li", has_text="field 9.jpg").click()
    assert "not a picture" in page.locator("#pending").inner_text()
    assert page.complaints == []


def test_it_shows_the_answer_that_python_gives(
    browser: Any, serving: Callable[..., str], tmp_path: Path
) -> None:
    classifier, (content,) = saved(tmp_path / "classifier"), pictures(1)
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "field.png").write_bytes(content)
    expected = predict(classifier, decode(content, SIZE)[None], quiet=True)[0]
    page = opened(browser, serving(model=open_model(tmp_path / "classifier")))
    with page.expect_response("**/api/predict") as asked:
        drop(page, tmp_path / "case", answered=1)
    (row,) = asked.value.json()["images"]
    assert list(row["answer"]["probabilities"].values()) == pytest.approx(expected, abs=1e-4)
    page.locator("#list li").first.click()
    shown = page.locator("#bars .n").all_inner_texts()
    given = [float(re.sub(r"[^0-9.]", "", text)) / 100 for text in shown]
    assert given == pytest.approx(expected, abs=1e-3)


def test_an_image_that_it_learned_from_is_called_so(
    browser: Any, serving: Callable[..., str], case: Path
) -> None:
    learned = Sample("x.png", "Benign", split="train", sha256=digest(picture(COLOURS[0])))
    page = opened(browser, serving(model=replace(MODEL, seen=seen.of_samples([learned]))))
    drop(page, case)
    page.locator("#list li", has_text="field 0.png").click()
    assert "used to train this classifier" in page.locator("#seen").inner_text()
    assert "1 that it learned from" in page.locator("#case").inner_text()
    page.locator("#list li", has_text="field 1.png").click()
    assert not page.locator("#seen").is_visible()
    assert page.complaints == []


def test_the_heat_map_lies_over_the_square_that_the_network_saw(
    browser: Any, serving: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "wide"
    folder.mkdir()
    Image.new("RGB", (120, 60), (250, 10, 10)).save(folder / "wide.png")
    page = opened(browser, serving())
    drop(page, folder, answered=1)
    page.keyboard.press("h")
    page.wait_for_selector("#heat:not([hidden])")
    seen, heat = page.locator("#picture").bounding_box(), page.locator("#heat").bounding_box()
    assert heat["width"] == pytest.approx(heat["height"], abs=1)
    assert heat["height"] == pytest.approx(seen["height"], abs=2)
    assert heat["x"] - seen["x"] == pytest.approx(seen["width"] / 4, abs=2)


def test_a_key_is_asked_for_and_names_the_reviewer(
    browser: Any, serving: Callable[..., str], case: Path, tmp_path: Path, reviews: Reviews
) -> None:
    secret = keys.add(tmp_path / "keys.csv", "Ada")
    page = browser.new_page()
    page.goto(serving(keyring=keys.Keyring(tmp_path / "keys.csv")))
    for given in ("wrong", secret):
        page.locator("#sign-in[open]").wait_for()
        page.fill("#key", given)
        page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    assert "Ada" in page.locator("#person").inner_text()
    drop(page, case)
    page.keyboard.press("Enter")
    page.get_by_text("1 reviewed").wait_for()
    page.wait_for_selector("#decided:not(.saving)")
    assert [one.person for one in reviews.current()] == ["Ada"]


@pytest.mark.parametrize("size", SIZES)
def test_it_fits(browser: Any, serving: Callable[..., str], case: Path, size: str) -> None:
    width, height = SIZES[size]
    page = opened(browser, serving(), viewport={"width": width, "height": height})
    drop(page, case)
    page.locator("#list li", has_text="field 4.png").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in page.locator("#decision button").all():
        place = button.bounding_box()
        assert place["y"] + place["height"] <= height
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(
    browser: Any, serving: Callable[..., str], case: Path, scheme: str
) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright").Axe()
    # The checker is a script of its own, which the page's rules would forbid.
    still = {"color_scheme": scheme, "reduced_motion": "reduce"}  # what fades in has no contrast
    page = opened(browser, serving(), bypass_csp=True, **still)
    found = axe.run(page)["violations"]
    drop(page, case)
    page.locator("#list li", has_text="field 4.png").click()
    page.keyboard.press("h")
    page.wait_for_selector("#heat:not([hidden])")
    found += axe.run(page)["violations"]
    page.get_by_role("button", name="Patients").click()
    found += axe.run(page)["violations"]
    page.click("#help-button")
    found += axe.run(page)["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
