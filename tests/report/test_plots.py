"""What is drawn, read back from the figures."""

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from leukoscope.evaluate.abstention import RiskCoverage
from leukoscope.evaluate.calibration import Bin
from leukoscope.evaluate.intervals import Interval, clopper_pearson
from leukoscope.report import evidence_plots, plots, style
from leukoscope.report.evidence_plots import Box, Diagram
from leukoscope.report.plots import Dot, Line
from leukoscope.report.robustness import Grade
from leukoscope.report.run import History

HOSTILE = "<b>$\\frac{x$ & \"'\x00\n白血病 " + "x" * 60


def lines(count: int, *, baseline: bool = False) -> list[Line]:
    found = []
    for number in range(count):
        knee = 0.02 + 0.004 * number
        roc = (np.array([0, knee, 1]), np.array([0, 1 - knee, 1]))
        precision = (np.array([0, 1 - knee, 1]), np.array([1, 1 - knee, 0.8]))
        found.append(Line(f"net {number}", roc, precision, "0.98 · 0.99"))
    if baseline:
        flat = np.array([0.0, 1.0])
        found.append(Line("forest", (flat, flat), (flat, flat + 0.5), "0.5", baseline=True))
    return found


def texts(figure: Figure) -> str:
    root = ElementTree.fromstring(style.svg(figure))
    return " ".join("".join(one.itertext()) for one in root.iter() if one.tag.endswith("text"))


def test_curves_differ_in_colour_and_dashes() -> None:
    figure = plots.curves(lines(8, baseline=True), title="t")
    roc, precision = figure.axes[:2]
    drawn = roc.get_lines()[1:]
    looks = {(line.get_color(), line.get_linestyle(), str(line._dash_pattern)) for line in drawn}
    assert len(looks) == 9
    dashes = {str(line._unscaled_dash_pattern) for line in drawn[:8]}
    assert len(dashes) == 8
    assert len(precision.get_lines()) == 9
    assert len(roc.child_axes) == len(precision.child_axes) == 1


def test_the_inset_shows_the_corner_that_all_networks_cross() -> None:
    figure = plots.curves(lines(8, baseline=True), title="t")
    roc, precision = (axes.child_axes[0] for axes in figure.axes[:2])
    assert roc.get_xlim()[1] == pytest.approx(0.05)
    assert roc.get_ylim()[0] == pytest.approx(0.95)
    assert precision.get_xlim()[0] == pytest.approx(0.95)


def test_guessing_has_no_corner_to_enlarge() -> None:
    figure = plots.curves(lines(0, baseline=True), title="t")
    assert not figure.axes[0].child_axes
    guess = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    flat = (np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    figure = plots.curves([Line("n", guess, flat, "0.5")], title="t")
    assert not figure.axes[0].child_axes


def test_an_inset_hides_no_curve() -> None:
    poor = (np.array([0.0, 0.3, 0.5, 1.0]), np.array([1.0, 0.8, 0.4, 0.3]))
    roc = (np.array([0.0, 0.02, 0.6, 1.0]), np.array([0.0, 0.99, 0.4, 1.0]))
    good = lines(1)[0]
    figure = plots.curves([good, Line("poor", roc, poor, "0.5")], title="t")
    assert [len(axes.child_axes) for axes in figure.axes[:2]] == [0, 0]


def test_names_of_near_baselines_stand_apart() -> None:
    dot = Dot("net", (0.9,), ((0.8, 0.95),), (0.3,))

    def rows(*values: float) -> list[float]:
        named = list(
            zip(("one", "other"), values, [(v - 0.01, v + 0.01) for v in values], strict=True)
        )
        drawn = plots.overview([dot], named, title="t").axes[0].texts
        return [one.xyann[1] for one in drawn]

    near, far = rows(0.9, 0.9), rows(0.7, 0.9)
    assert near[0] < near[1]
    assert far[0] == far[1]


def test_confusion_gives_counts_shares_and_bounds() -> None:
    intervals = (None, clopper_pearson(276, 276))
    names = ("Benign", "Malignant")
    found = texts(plots.confusion(((49, 2), (0, 276)), names, intervals, title="VGG-16"))
    for text in ("49", "96.1 %", "3.9 %", "100 %", "[98.7–100]", "VGG-16", "Malignant"):
        assert text in found
    assert found.count("[") == 1


def test_confusion_of_an_absent_class_divides_nothing() -> None:
    assert "0" in texts(plots.confusion(((3, 0), (0, 0)), ("a", "b"), (None, None), title="t"))


def history(validation: tuple[float, ...]) -> History:
    epochs = tuple(range(1, len(validation) + 1))
    sizes = (128, *(224 for _ in epochs[1:]))
    return History(epochs, sizes, validation, validation, validation)


def test_history_marks_the_best_epoch_and_the_change_of_size() -> None:
    figure = plots.history([(0, history((0.5, 0.2, 0.3)))], title="t")
    losses = figure.axes[0]
    best = losses.get_lines()[2]
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([2], [0.2])
    assert "224 px" in texts(figure)


def test_history_survives_what_is_not_finite() -> None:
    one = history((float("nan"), 0.4, float("inf")))
    assert one.best == 1
    style.svg(plots.history([(0, one)], title="t"))


def test_history_of_a_single_epoch() -> None:
    style.svg(plots.history([(0, history((0.4,)))], title="t"))


def test_overview_puts_the_best_on_top_and_names_the_baseline() -> None:
    dots = [
        Dot("low", (0.95,), ((0.92, 0.97),), (0.2,)),
        Dot("high", (0.99, 1.0), ((0.97, 1.0), (0.98, 1.0)), (0.02, 0.01)),
    ]
    figure = plots.overview(
        dots, [("Colour forest", 0.94, (0.93, 0.96)), ("Majority", 0.5, (0.4, 0.6))], title="t"
    )
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["low", "high"]
    found = texts(figure)
    assert "Colour forest 0.940" in found
    assert "Majority" not in found  # far to the left it would crush the networks
    (band,) = figure.axes[0].patches
    assert band.get_extents().transformed(figure.axes[0].transData.inverted()).x1 == (
        pytest.approx(0.96)
    )


def test_lines_that_lie_on_each_other_are_counted() -> None:
    assert "3 of 3 networks" in plots.curves(lines(3), title="t").axes[0].get_title(loc="left")
    apart = plots.curves(lines(1), title="t").axes[0].get_title(loc="left")
    assert apart == "ROC"


def test_the_mark_is_in_every_figure() -> None:
    mark = "drawn smears, not patients"
    dot = Dot("a", (0.9,), ((0.8, 1.0),), (0.1,))
    pixels = np.zeros((4, 4, 3), np.uint8)
    for figure in (
        plots.curves(lines(1), title="t", mark=mark),
        plots.overview([dot], [], title="t", mark=mark),
        plots.confusion(((1, 0), (0, 1)), ("a", "b"), (None, None), title="t", mark=mark),
        plots.history([(0, history((0.4, 0.3)))], title="t", mark=mark),
        plots.errors([(pixels, "caption")], title="t", mark=mark),
    ):
        assert mark in texts(figure)


def test_hostile_names_stay_text() -> None:
    figure = plots.confusion(((1, 0), (0, 1)), (HOSTILE, "b"), (None, None), title=HOSTILE, mark="")
    found = texts(figure)
    assert "<b>$\\frac{x$ & \"'\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}白血病 xx" in found
    assert "<b>$\\frac{x…" in found  # cut to the width of a cell
    assert style.png(figure).startswith(b"\x89PNG")


def test_the_same_figure_is_the_same_file() -> None:
    one, other = (style.svg(plots.curves(lines(2), title="t")) for _ in range(2))
    assert one == other


def test_drawing_needs_neither_pyplot_nor_torch() -> None:
    sources = [
        path.read_text(encoding="utf-8") for path in Path(plots.__file__).parent.glob("*.py")
    ]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert "matplotlib.figure.Figure" in imported
    forbidden = ("torch", "leukoscope.learn", "matplotlib.pyplot", "pylab")
    assert not [name for name in imported if name.startswith(forbidden)]


def test_a_pdf_is_the_same_twice() -> None:
    first, second = (
        style.pdf(plots.history([(0, history((0.5, 0.2)))], title="t")) for _ in range(2)
    )
    assert first.startswith(b"%PDF")
    assert first == second


def bins(*certainties: float) -> tuple[Bin, ...]:
    interval = Interval(0.6, 1.0, "")
    return tuple(Bin(one - 0.05, one, 10, one, 0.9, interval) for one in certainties)


def test_reliability_has_a_panel_per_network_and_both_sets_of_dots() -> None:
    diagrams = [Diagram(HOSTILE, bins(0.7, 0.9), bins(0.8)), Diagram("b", (), bins(0.9))]
    figure = evidence_plots.reliability(diagrams, title="t")
    first, second = figure.axes
    assert [len(line.get_xdata()) for line in first.get_lines()] == [2, 2, 1]
    assert len(second.get_lines()) == 2
    assert first.get_xlim()[0] < 0.6
    assert "before" in texts(figure)


def test_risk_is_enlarged_where_there_is_any() -> None:
    coverage = np.array([0.5, 0.9, 1.0])
    curve = RiskCoverage(np.array([0.9, 0.8, 0.7]), coverage, np.array([0, 0.1, 0.2]))
    figure = evidence_plots.risk_coverage([("a", curve, False), ("b", curve, True)], title="t")
    assert figure.axes[0].get_xlim() == (80, 100)
    sure = RiskCoverage(np.array([1.0]), np.array([1.0]), np.array([0.0]))
    assert evidence_plots.risk_coverage([("a", sure, False)], title="t").axes[0].get_lines()


def test_stress_has_a_panel_per_change() -> None:
    grades = [
        Grade(change, amount, 1, 10, 0.9, Interval(0.8, 0.95, ""), None, None)
        for change, amount in (("none", 0), ("blur", 1), ("blur", 2), ("jpeg", 10))
    ]
    figure = evidence_plots.robustness({"a": grades, "b": grades}, title="t")
    assert [axes.get_title("left") for axes in figure.axes] == ["blur", "jpeg"]


def test_the_flow_has_every_line() -> None:
    box = Box("Found: 3", ("one: 1",))
    drawn = texts(evidence_plots.flow([(box, Box("Left out")), (box, None)], [box], title="t"))
    assert drawn.count("Found: 3") == 3
    assert "Left out" in drawn
