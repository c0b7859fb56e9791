"""Where are reviewed pictures kept, for those who want them kept?"""

import os
from pathlib import Path

from leukoscope.files import make_folder, replacing

_SIGNATURES = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"BM", ".bmp"),
    (b"II", ".tif"),
    (b"MM", ".tif"),
    (b"RIFF", ".webp"),
)


def keep(folder: Path, sha256: str, content: bytes) -> Path:
    """The file of a picture, named by its hash; on disk when this returns.

    Only what could be decoded comes here, so its first bytes say which kind of picture it is.
    """
    known = (suffix for start, suffix in _SIGNATURES if content.startswith(start))
    suffix = next(known, "")  # whatever else could be decoded is found by its content, too
    path = make_folder(folder / sha256[:2]) / f"{sha256}{suffix}"
    if not path.exists():
        with replacing(path) as beside, beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return path
