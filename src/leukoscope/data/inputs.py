"""Which pictures are to be read, and where: files, folders, patterns, archives, or a list."""

import glob
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from leukoscope.data.images import SUFFIXES
from leukoscope.errors import DataError, UsageError
from leukoscope.files import reason

ZIPS = (".zip",)
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LARGEST = 2**30  # bytes of a file within an archive
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that may be a picture: its name, and where its bytes are or why there are none."""

    name: str  # its path, or archive/path; what it is called in every table
    content: Path | bytes
    weight: int  # bytes of the inputs that are behind us with it, for a progress bar
    error: str = ""

    @property
    def folder(self) -> str:
        """The folder that it lies in, within an archive too."""
        return str(PurePosixPath(self.name).parent)


def expand(words: Sequence[str], *, listing: BinaryIO | None = None) -> list[Path]:
    """The files and archives that are meant, each once, in the order of the words.

    A word is a file, an archive (zip, tar, compressed or not), a folder whose pictures are meant
    at any depth, a pattern such as `day*/**/*.jpg`, or `-` for a list of such words, one a line
    (or with a NUL between them), by default from standard input. Raises `UsageError` for what is
    not there, `DataError` for a folder without pictures.
    """
    files: list[Path] = []
    for word in words:
        if word == "-":
            read = (listing or sys.stdin.buffer).read()
            files += expand([line for line in _lines(read) if line != "-"])
        elif Path(word).is_dir():
            files += _inside(Path(word))
        elif Path(word).exists():
            files.append(Path(word))
        elif matches := sorted(glob.glob(word, recursive=True)):  # noqa: PTH207 (hidden files)
            files += expand(matches)
        else:
            raise UsageError(f"{word} is not there.")
    return list(dict.fromkeys(files))


def is_archive(path: Path) -> bool:
    """Whether a file's name is that of an archive."""
    return path.name.lower().endswith((*ZIPS, *TARS))


def pictures(files: Iterable[Path]) -> Iterator[Picture]:
    """The pictures one after the other, those of an archive in its order, unpacked in memory only.

    An archive that cannot be read, or not to its end, is a picture with an error; what came before
    is not lost. In archives only names of pictures count, and a file larger than 1 GiB is an error.
    """
    for path in files:
        if not is_archive(path):
            yield Picture(_text(path.as_posix()), path, _size(path))
            continue
        walk = _zipped if path.name.lower().endswith(ZIPS) else _tarred
        try:
            yield from walk(path)
        except _BROKEN as error:
            why = f"{path} cannot be read to its end: {reason(error)}."
            yield Picture(_text(path.as_posix()), b"", 0, why)


def _lines(listing: bytes) -> list[str]:
    separator = b"\0" if b"\0" in listing else b"\n"
    lines = (line.rstrip(b"\r") for line in listing.split(separator))
    return [line.decode("utf-8", "surrogateescape") for line in lines if line]


def _inside(folder: Path) -> list[Path]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if _is_picture(path.relative_to(folder).as_posix()) and path.is_file()
    )
    if not files:
        raise DataError(f"{folder} has no pictures ({', '.join(SUFFIXES)}).")
    return files


def _is_picture(name: str) -> bool:
    """By its name; what is hidden is not meant, nor are the resource forks of macOS archives."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    hidden = any(part[0] == "." or part == "__MACOSX" for part in parts)
    return name.lower().endswith(SUFFIXES) and not hidden


def _zipped(path: Path) -> Iterator[Picture]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir() or not _is_picture(entry.filename):
                continue
            name = _text(f"{path.as_posix()}/{entry.filename}")
            try:
                with archive.open(entry) as file:
                    yield _read(name, file, entry.file_size, entry.compress_size)
            except (*_BROKEN, RuntimeError, NotImplementedError) as error:  # encrypted; exotic
                why = f"{name} cannot be read: {reason(error)}."
                yield Picture(name, b"", entry.compress_size, why)


def _tarred(path: Path) -> Iterator[Picture]:
    with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*") as archive:
        before = 0
        for entry in archive:
            # Else every header would be kept to the end of the archive.
            archive.members = []  # type: ignore[attr-defined]
            if not entry.isfile() or not _is_picture(entry.name):
                continue
            file = archive.extractfile(entry)
            assert file is not None  # it is a regular file
            weight, before = raw.tell() - before, raw.tell()
            yield _read(_text(f"{path.as_posix()}/{entry.name}"), file, entry.size, weight)


def _read(name: str, file: IO[bytes], size: int, weight: int) -> Picture:
    if size > LARGEST:  # no more than this size is ever unpacked, whatever the archive holds
        return Picture(name, b"", weight, f"{name} is larger than {LARGEST >> 20} MiB.")
    return Picture(name, file.read(), weight)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # it went away; reading it will say so


def _text(name: str) -> str:
    """The name as text that any file can hold; bytes that are no UTF-8 are spelled out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
