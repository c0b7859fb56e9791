"""A table on paper: escaped, marked, and with its intervals."""

from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.report.export import latex, markdown
from leukoscope.report.tables import Column, Table, bounds, printed, shown, whole, without_empty

SHARE = Column("F1, macro", "share", "f1")


def table(name: str = "a|b_c & 50 %") -> Table:
    cell = Measured(1.0, Interval(0.93019, 1.0, "exact"))
    return Table("t", "Of 100 % & more.", (Column("Network"), SHARE), ((name, cell), ("–", None)))


def test_bounds_are_rounded_as_the_figure_is_and_an_absent_one_is_said() -> None:
    assert shown(SHARE, Measured(0.99996)) == "0.99996"
    assert bounds(SHARE, Measured(0.9, Interval(0.8999, 0.99991, ""))) == "0.8999 to 0.9999"
    assert bounds(SHARE, Measured(1.0)) == "no interval"
    assert bounds(SHARE, Measured(0.5)) == "no interval"
    assert bounds(SHARE, 0.5) == ""
    assert bounds(Column("v", "figure"), Measured(-0.2, Interval(-0.31, 0.0004, ""))) == (
        "−0.3100 to 0.0004"
    )
    points = Column("d", "points")
    assert bounds(points, Measured(0.0, Interval(-0.01, 0.02, ""))) == "−1.00 to +2.00"


def test_a_predictive_value_of_1_is_its_bound_on_paper_and_whole_in_a_csv() -> None:
    ppv = Column("PPV", "predictive", "ppv")
    cell = Measured(1.0, Interval(0.1745, 1.0, ""))
    assert (shown(ppv, cell), bounds(ppv, cell)) == ("at least 0.1745", "")
    assert shown(ppv, Measured(0.98, Interval(0.9, 0.99, ""))) == "0.9800"
    made = Table("t", "", (Column("Network"), ppv), (("a", cell),))
    assert whole(made)[1] == [["a", 1.0, 0.1745, 1.0]]


def test_figures_of_all_kinds_share_a_column() -> None:
    column = Column("Value", "figure")
    said = [shown(column, value) for value in (0.99996, -0.25, 0.00001, 1.23456, None)]
    assert said == ["0.99996", "−0.2500", "1.0e−05", "1.2346", "–"]


def test_a_csv_has_columns_for_the_bounds() -> None:
    names, rows = whole(table())
    assert names == ["network", "f1_macro", "f1_macro_low", "f1_macro_high"]
    assert rows == [["a|b_c & 50 %", 1.0, 0.93019, 1.0], ["–", "", "", ""]]


def test_markdown_and_latex_escape_what_they_are_given() -> None:
    assert printed(table())[0][1] == "1.0000 (0.9302 to 1.0000)"
    assert "| a\\|b\\_c & 50 % | 1.0000 (0.9302 to 1.0000) |" in markdown(table())
    text = latex(table(), mark="drawn smears, not patients")
    assert r"\caption{Drawn smears, not patients. Of 100 \% \& more.}" in text
    assert r"a$|$b\_c \& 50 \% & 1.0000 (0.9302 to 1.0000) \\" in text
    assert r"\input" not in latex(table(r"\input{secret}")).replace(r"\textbackslash{}input", "")


def test_columns_without_a_cell_are_left_out() -> None:
    one = Table("t", "c", (Column("a"), Column("b"), SHARE), (("x", None, 0.5), ("y", None, None)))
    assert [column.name for column in without_empty(one).columns] == ["a", "F1, macro"]
