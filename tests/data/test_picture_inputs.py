"""Everything that may be named is read, in one order, and what is broken costs its own row."""

import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from leukoscope.data import inputs
from leukoscope.data.inputs import Picture, expand, pictures
from leukoscope.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    below = tmp_path / "fields"
    for name in ("b/two.PNG", "a/one.jpg", "a/notes.txt", ".hidden/x.png", "b/._y.png"):
        file = below / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return below


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def names(found: list[Picture], root: Path) -> list[str]:
    return [one.name.removeprefix(f"{root.as_posix()}/") for one in found]


def test_a_folder_means_its_pictures_in_order(folder: Path, tmp_path: Path) -> None:
    files = expand([str(folder)])
    assert [str(file.relative_to(folder)) for file in files] == ["a/one.jpg", "b/two.PNG"]
    found = list(pictures(files))
    assert names(found, tmp_path) == ["fields/a/one.jpg", "fields/b/two.PNG"]
    assert [one.weight for one in found] == [9, 9]
    assert found[0].folder == (folder / "a").as_posix()
    assert found[0].content == files[0]


def test_a_pattern_and_a_file_named_twice(folder: Path) -> None:
    one = folder / "a" / "one.jpg"
    assert expand([str(one), str(folder / "**" / "*.jpg"), str(one)]) == [one]
    odd = folder / "a[1].png"  # its name could be a pattern
    odd.write_bytes(b"")
    assert expand([str(odd)]) == [odd]


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_a_list_is_read_from_standard_input(folder: Path, separator: bytes) -> None:
    paths = [folder / "b" / "two.PNG", folder / "a"]
    listing = io.BytesIO(separator.join(os.fsencode(path) for path in paths) + separator)
    assert expand(["-"], listing=listing) == [paths[0], folder / "a" / "one.jpg"]


def test_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    for word in (tmp_path / "nowhere.png", tmp_path / "*.tif"):
        with pytest.raises(UsageError, match="is not there"):
            expand([str(word)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no pictures"):
        expand([str(tmp_path / "empty")])


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz"])
def test_an_archive_is_read_without_unpacking(tmp_path: Path, name: str) -> None:
    members = {
        "day1/a.png": b"first",
        "readme.txt": b"no picture",
        "__MACOSX/day1/._a.png": b"a resource fork",
        "../b.JPG": b"second",
    }
    path = (zipped if name == "set.zip" else tarred)(tmp_path / name, members)
    before = sorted(tmp_path.parent.rglob("*"))
    found = list(pictures([path]))
    assert names(found, tmp_path) == [f"{name}/day1/a.png", f"{name}/../b.JPG"]
    assert [one.content for one in found] == [b"first", b"second"]
    assert found[0].folder == (path / "day1").as_posix()
    assert sorted(tmp_path.parent.rglob("*")) == before  # nothing was unpacked, here or above
    assert sum(one.weight for one in found) <= path.stat().st_size


def test_an_archive_that_ends_early_keeps_what_came_before(tmp_path: Path) -> None:
    members = {f"{n}.png": os.urandom(20_000) for n in range(10)}
    path = tarred(tmp_path / "cut.tar.gz", members)
    path.write_bytes(path.read_bytes()[:100_000])
    *whole, last = pictures([path])
    assert 2 <= len(whole) < 10
    assert all(one.content == members[Path(one.name).name] for one in whole)
    assert "cut.tar.gz cannot be read to its end" in last.error


@pytest.mark.parametrize("name", ["none.zip", "none.tar", "none.tar.gz"])
def test_an_archive_that_is_none_costs_one_row(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"these are words" * 100)
    (one,) = pictures([tmp_path / name])
    assert "cannot be read to its end" in one.error


def test_a_damaged_file_in_a_zip_costs_one_row(tmp_path: Path) -> None:
    path = zipped(tmp_path / "set.zip", {"a.png": os.urandom(200), "b.png": b"bbbb"})
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF  # in the first
    path.write_bytes(content)
    first, second = pictures([path])
    assert "a.png cannot be read" in first.error
    assert second.content == b"bbbb"


def test_a_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "LARGEST", 1 << 20)
    bomb = zipped(tmp_path / "bomb.zip", {"a.png": bytes(50 << 20), "b.png": b"b"})
    tracemalloc.start()
    first, second = pictures([bomb])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a.png is larger than 1 MiB" in first.error
    assert second.content == b"b"
    assert peak < 8 << 20


def test_memory_does_not_grow_with_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "long.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for number in range(4000):
            archive.addfile(tarfile.TarInfo(f"{number}.png"))
    peaks = []
    tracemalloc.start()
    for number, _ in enumerate(pictures([path])):
        if number in (500, 3999):
            peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000  # the headers alone would be four times that


def test_a_name_that_is_no_text_is_spelled_out(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    file.write_bytes(b"")
    (found,) = pictures(expand([str(tmp_path)]))
    assert found.name.endswith("caf\\xe9.png")
    found.name.encode()
    assert found.content == file
