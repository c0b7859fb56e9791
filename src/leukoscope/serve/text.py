"""What of a text from outside may be kept and shown?"""

from typing import Annotated

from pydantic import AfterValidator, Field

NAME, SHORT = 200, 100  # letters


def line(text: str) -> str:
    """The text as one visible line: no control characters, lone surrogates or marks of direction.

    A file name may hold a right-to-left mark that shows `gpj.exe` as `exe.jpg`, or a NUL, which a
    database refuses; letters of every script stay.
    """
    return "".join(letter for letter in text if letter.isprintable()).strip()


def file_name(text: str) -> str:
    """The last part of a path as a client wrote it, to be shown and never to be opened."""
    return line(text.replace("\\", "/").rpartition("/")[2])[:NAME] or "unnamed"


Line = Annotated[str, Field(max_length=SHORT), AfterValidator(line)]
FileName = Annotated[str, Field(max_length=4 * NAME), AfterValidator(file_name)]
