"""What each source finds in a folder, and what it says of a folder that is none."""

import csv
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import kagglehub
import pytest
from PIL import Image

from leukoscope.data import sources
from leukoscope.data.samples import counts, fingerprint, write_samples
from leukoscope.data.sources import KAGGLE_SLUG, TALEQANI, find
from leukoscope.errors import DataError, LeukoscopeError, UsageError

LABELS = ("Benign", "Early", "Pre", "Pro")


def touch(folder: Path, *names: str) -> Path:
    """Files of different contents; nothing here opens a picture."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    return folder


def taleqani(folder: Path, *, per_class: int = 2) -> Path:
    names = (f"WBC-{label}-{n:03d}.jpg" for label in LABELS for n in range(1, per_class + 1))
    return touch(folder, *(f"{name.split('-')[1]}/{name}" for name in names))


def paths(source: sources.Source) -> list[str]:
    return [sample.path for sample in source.samples]


def test_class_folders_become_rows_sorted_and_hashed(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "a/10.png", "a/9.png")
    found = find(tmp_path)
    assert paths(found) == ["a/10.png", "a/9.png", "b/2.png"]
    assert [sample.label for sample in found.samples] == ["a", "a", "b"]
    assert {sample.source for sample in found.samples} == {tmp_path.name}
    assert {(sample.group, sample.split) for sample in found.samples} == {("", "")}
    assert len({sample.sha256 for sample in found.samples}) == 3
    assert found.root == tmp_path
    assert (found.card.synthetic, found.card.expected_counts, found.warnings) == (False, None, [])


@pytest.fixture
def small_taleqani(monkeypatch: pytest.MonkeyPatch) -> sources.Card:
    """The card, as if the set had two images of each class."""
    card = replace(TALEQANI, expected_counts=dict.fromkeys(LABELS, 2))
    monkeypatch.setattr(sources, "TALEQANI", card)
    return card


@pytest.mark.parametrize("original", [True, False])
def test_the_taleqani_set_is_known_by_its_folders(
    tmp_path: Path, original: bool, small_taleqani: sources.Card
) -> None:
    root = taleqani(tmp_path / "Original" if original else tmp_path)
    if original:
        touch(tmp_path, "Segmented/Benign/WBC-Benign-001.jpg")
    found = find(str(tmp_path))
    assert found.card is small_taleqani
    assert found.root == root
    assert len(found.samples) == 8
    assert paths(found)[0] == "Benign/WBC-Benign-001.jpg"
    assert {sample.source for sample in found.samples} == {"taleqani"}


def test_with_original_or_without_it_is_the_same_data(tmp_path: Path) -> None:
    taleqani(tmp_path / "Original")
    assert fingerprint(find(tmp_path).samples) == fingerprint(find(tmp_path / "Original").samples)


def test_counts_that_differ_from_the_card_are_a_warning_with_both(tmp_path: Path) -> None:
    found = find(taleqani(tmp_path))
    found = replace(found, card=TALEQANI)
    (sentence,) = found.warnings
    assert "should hold Benign 504, Early 985, Pre 963, Pro 804" in sentence
    assert f"found Benign 2, Early 2, Pre 2, Pro 2 in {tmp_path}." in sentence


@pytest.mark.parametrize(("few", "known"), [(54, True), (53, False)])
def test_the_taleqani_set_may_lack_a_tenth(tmp_path: Path, few: int, known: bool) -> None:
    """Another set of the same classes has neither its licence nor its citation."""
    expected = dict.fromkeys(LABELS, 60) | {"Pre": few}
    for label, count in expected.items():
        (tmp_path / label).mkdir()
        for number in range(count):
            (tmp_path / label / f"{number}.jpg").touch()
    with pytest.MonkeyPatch.context() as patch:
        card = replace(TALEQANI, expected_counts=dict.fromkeys(LABELS, 60))
        patch.setattr(sources, "TALEQANI", card)
        found = sources.folder(tmp_path)
    assert (found.card == card) is known
    if not known:
        assert (found.card.name, found.card.licence) == (tmp_path.name, "")
        assert found.card.notes == (f"Its classes are called like those of the {TALEQANI.title}.",)
        assert {row.source for row in found.samples} == {tmp_path.name}


def test_counts_as_on_the_card_are_no_warning(tmp_path: Path) -> None:
    for label, count in (TALEQANI.expected_counts or {}).items():
        (tmp_path / label).mkdir()
        for number in range(count):
            (tmp_path / label / f"{number}.jpg").touch()
    found = sources.folder(tmp_path)
    assert found.card is TALEQANI
    assert sum(counts(found.samples).values()) == 3256
    assert found.warnings == []


def test_a_card_carries_what_was_found(tmp_path: Path) -> None:
    found = find(taleqani(tmp_path))
    card = TALEQANI.as_dict(found.samples)
    assert card["counts"] == dict.fromkeys(LABELS, 2)
    assert card["expected_counts"]["Early"] == 985
    assert "Aria M" in card["citation"]
    assert card["redistributable"] is False


def test_all_kinds_of_picture_are_found_whatever_their_case_and_depth(tmp_path: Path) -> None:
    names = ["a/1.JPG", "a/2.jpeg", "a/3.Png", "a/deep/er/4.bmp", "b/5.TIF", "b/6.tiff", "b/7.webp"]
    touch(tmp_path, *names, "a/notes.txt", "a/table.csv", "b/movie.gif", "b/png")
    assert paths(find(tmp_path)) == names


def test_a_name_that_is_not_utf_8_is_shown_escaped(tmp_path: Path) -> None:
    """A table could not hold it."""
    touch(tmp_path, "a/1.png", "b/1.png")
    try:
        (tmp_path / "b" / os.fsdecode(b"b\xe4r.png")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(DataError, match=r"^b/b\\xe4r\.png: the name .* is not UTF-8"):
        find(tmp_path)


def test_what_is_hidden_is_not_there(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    touch(tmp_path, "a/.3.png", "a/._1.png", ".git/4.png", "b/.thumbnails/x/y/z/5.png")
    assert paths(find(tmp_path)) == ["a/1.png", "b/2.png"]


def test_a_set_below_a_hidden_folder_is_there(tmp_path: Path) -> None:
    touch(tmp_path / ".cache" / "set", "a/1.png", "b/2.png")
    assert paths(find(tmp_path / ".cache" / "set")) == ["a/1.png", "b/2.png"]


def test_a_folder_that_is_called_like_a_picture_is_none(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/folder.png/2.png", "b/3.png")
    assert paths(find(tmp_path)) == ["a/1.png", "a/folder.png/2.png", "b/3.png"]


def test_files_beside_the_class_folders_do_not_matter(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png", "README.txt", "stray.png")
    assert paths(find(tmp_path)) == ["a/1.png", "b/2.png"]


@pytest.mark.parametrize("names", [(), ("1.png", "2.png"), ("a/notes.txt", "b/notes.txt")])
def test_a_folder_without_class_folders_with_images_is_refused(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match="has no images; one sub-folder per class") as caught:
        find(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert ".jpg, .jpeg, .png" in str(caught.value)


def test_a_class_folder_without_images_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "empty/notes.txt", "z/1.png")
    with pytest.raises(DataError, match="empty is a class folder without images") as caught:
        find(tmp_path)
    assert str(tmp_path / "empty") in str(caught.value)


def test_class_folders_that_lie_deeper_are_suggested(tmp_path: Path) -> None:
    touch(tmp_path, "leukemia/a/1.png", "leukemia/b/2.png")
    with pytest.raises(DataError, match="lie deeper") as caught:
        find(tmp_path)
    suggestion = tmp_path / "leukemia"
    assert str(caught.value).endswith(f"Try {suggestion}.")
    assert paths(find(suggestion)) == ["a/1.png", "b/2.png"]


def test_what_is_not_there_is_a_wrong_call_that_says_what_could_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none is not there; give a folder .*'kaggle' or"):
        find(tmp_path / "none")


def test_a_table_is_read_from_beside_its_images(tmp_path: Path) -> None:
    touch(tmp_path, "x/2.png", "x/1.png")
    (tmp_path / "samples.csv").write_text("label,group,path\nb,p1,x/2.png\na,p2,x/1.png\n")
    found = find(tmp_path / "samples.csv")
    assert paths(found) == ["x/1.png", "x/2.png"]
    assert [(sample.label, sample.group) for sample in found.samples] == [("a", "p2"), ("b", "p1")]
    assert all(len(sample.sha256) == 64 for sample in found.samples)
    assert found.root == tmp_path


def test_a_table_elsewhere_needs_the_root_of_its_images(tmp_path: Path) -> None:
    root = touch(tmp_path / "images", "a/1.png", "b/2.png")
    table = tmp_path / "tables" / "samples.csv"
    table.parent.mkdir()
    write_samples(find(root).samples, table)
    with pytest.raises(UsageError, match=r"a/1\.png cannot be read"):
        find(table)
    found = find(table, root=root)
    assert found.samples == find(root).samples
    assert found.root == root


def test_a_table_notices_a_changed_image(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    write_samples(find(tmp_path).samples, tmp_path / "samples.csv")
    (tmp_path / "b/2.png").write_text("changed")
    with pytest.raises(DataError, match=r"2\.png is not the file that the table was written for"):
        find(tmp_path / "samples.csv")


def test_drawn_smears_are_known_wherever_they_lie(tmp_path: Path) -> None:
    drawn = sources.drawn(tmp_path / "smears", per_class=1, size=64)
    found = find(tmp_path / "smears")
    assert found.card is drawn.card is sources.DRAWN
    assert paths(found) == paths(drawn)
    write_samples(found.samples, tmp_path / "samples.csv")
    assert find(tmp_path / "samples.csv", root=found.root).card is sources.DRAWN


def test_a_table_of_the_taleqani_set_keeps_its_card(
    tmp_path: Path, small_taleqani: sources.Card
) -> None:
    write_samples(find(taleqani(tmp_path)).samples, tmp_path / "samples.csv")
    assert find(tmp_path / "samples.csv").card is small_taleqani


def test_kaggle_is_downloaded_and_read_like_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(slug: str) -> str:
        asked.append(slug)
        return str(tmp_path)

    monkeypatch.setattr(kagglehub, "dataset_download", download)
    taleqani(tmp_path / "Original")
    found = find("kaggle")
    assert asked == [KAGGLE_SLUG] == ["mehradaria/leukemia"]
    assert found.card is TALEQANI
    assert {row.source for row in found.samples} == {"taleqani"}
    assert paths(found) == paths(find(tmp_path))


def test_a_failed_download_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(slug: str) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(kagglehub, "dataset_download", download)
    with pytest.raises(LeukoscopeError) as caught:
        find("kaggle")
    assert str(caught.value) == (
        "mehradaria/leukemia could not be downloaded from Kaggle (ConnectionError: no route to "
        f"host). Download it from {TALEQANI.url} and give the folder with --data."
    )
    assert caught.value.exit_status == 1


def test_drawn_smears_are_files_with_their_sessions_as_groups(tmp_path: Path) -> None:
    found = sources.drawn(tmp_path / "smears", per_class=2, size=64)
    assert found.card.synthetic
    assert counts(found.samples) == dict.fromkeys(LABELS, 2)
    assert paths(found) == sorted(paths(found))
    with (tmp_path / "smears" / "truth.csv").open(encoding="utf-8") as file:
        session = {row["path"]: row["session"] for row in csv.DictReader(file)}
    assert {sample.path: sample.group for sample in found.samples} == session
    with Image.open(tmp_path / "smears" / paths(found)[0]) as picture:
        assert picture.size == (64, 64)


def test_synthetic_is_drawn_where_it_is_told_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "drawn", partial(sources.drawn, per_class=2, size=64))
    first = find("synthetic", draw_into=tmp_path / "smears")
    picture = tmp_path / "smears" / paths(first)[0]
    before = picture.stat().st_ino
    assert find("synthetic", draw_into=tmp_path / "smears") == first
    assert picture.stat().st_ino == before
    assert first.root == tmp_path / "smears"
    assert all(len(sample.sha256) == 64 for sample in first.samples)
