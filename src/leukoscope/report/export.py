"""How does a table become a file that a paper can take in: CSV, Markdown and LaTeX?"""

import re
from collections.abc import Iterable
from pathlib import Path

from leukoscope.files import make_folder, write_csv, write_text
from leukoscope.report.tables import Table, printed, whole

KINDS = ("csv", "md", "tex")
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"–": "--", "−": "$-$", "±": r"$\pm$", "≥": r"$\geq$", "<": "$<$", ">": "$>$", "|": "$|$"},
    **{"\N{NO-BREAK SPACE}": "~", "’": "'"},
}


def write_tables(tables: Iterable[Table], folder: Path, *, mark: str = "") -> list[Path]:
    """The files of each table: CSV with all digits, Markdown and LaTeX (booktabs) as it is printed.

    `mark` is what must be read with every table, such as that the images are drawn.
    """
    make_folder(folder)
    written = []
    for table in tables:
        stem = folder / table.stem
        write_csv(stem.with_suffix(".csv"), *whole(table))
        write_text(stem.with_suffix(".md"), markdown(table, mark=mark))
        write_text(stem.with_suffix(".tex"), latex(table, mark=mark))
        written += [stem.with_suffix(f".{kind}") for kind in KINDS]
    return written


def remove_others(folder: Path, written: Iterable[Path], kinds: Iterable[str]) -> None:
    """Nothing; files of these kinds that were not written now are gone."""
    kept = set(written)
    for kind in kinds:
        for old in folder.glob(f"*.{kind}"):
            if old not in kept:
                old.unlink()


def markdown(table: Table, *, mark: str = "") -> str:
    """The table for a README or a manuscript in Markdown."""
    names = [_one_line(column.name) for column in table.columns]
    lines = [f"{_one_line(_marked(table.caption, mark))}", ""]
    lines.append("| " + " | ".join(names) + " |")
    lines.append("|" + "|".join("---" if one.is_text else "---:" for one in table.columns) + "|")
    lines += ["| " + " | ".join(map(_one_line, row)) + " |" for row in printed(table)]
    return "\n".join(lines) + "\n"


def latex(table: Table, *, mark: str = "") -> str:
    """The table for a manuscript in LaTeX; it needs the package booktabs."""
    columns = "".join("l" if one.is_text else "r" for one in table.columns)
    head = " & ".join(_tex(column.name) for column in table.columns)
    body = "\n".join(" & ".join(map(_tex, row)) + r" \\" for row in printed(table))
    return (
        "\\begin{table}\n"
        f"\\caption{{{_tex(_marked(table.caption, mark))}}}\n\\centering\n"
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )


def _marked(caption: str, mark: str) -> str:
    return f"{mark[0].upper()}{mark[1:]}. {caption}" if mark else caption


def _one_line(text: str) -> str:
    return re.sub(r"([\\`*\[\]<>|#~_])", r"\\\1", " ".join(text.split()))


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split(" ")))
