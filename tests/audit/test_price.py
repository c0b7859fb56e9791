"""A look that gives the label away is worth nothing on looks that were not learned."""

import numpy as np

from leukoscope.audit import clues
from leukoscope.audit.price import FOREST, Rows, forest, price
from leukoscope.audit.shortcuts import colour_histogram
from leukoscope.data.synthetic import CLASSES, draw


def points(*, sessions: int = 5, per_class: int = 40) -> dict[str, object]:
    smears = draw(per_class=per_class, size=64, seed=1, sessions_per_class=sessions)
    targets = np.array([CLASSES.index(field.label) for field in smears.fields])
    found, _ = price(
        {FOREST: forest(colour_histogram(smears.pixels), targets)},
        targets,
        [field.path for field in smears.fields],
        {
            "scene": [field.scene for field in smears.fields],
            "session": [field.session for field in smears.fields],
        },
        quiet=True,
    )
    return {point.protocol: point for point in found}


def test_the_colours_of_a_session_are_no_knowledge_about_cells() -> None:
    found = points()
    assert found["random"].balanced_accuracy > found["session"].balanced_accuracy + 0.2
    assert len({point.trained for point in found.values()}) == 1
    assert all(p.interval.low <= p.accuracy <= p.interval.high for p in found.values())


def test_each_model_has_its_curve() -> None:
    smears = draw(per_class=20, size=64, seed=1, sessions_per_class=5)
    targets = np.array([CLASSES.index(field.label) for field in smears.fields])
    asked: list[tuple[Rows, Rows]] = []

    def knows(train: Rows, test: Rows) -> Rows:
        asked.append((train, test))
        return targets[test]

    learners = {FOREST: forest(colour_histogram(smears.pixels), targets), "all-knowing": knows}
    paths = [field.path for field in smears.fields]
    found, left_out = price(learners, targets, paths, {"scene": paths}, quiet=True)
    curves = {model: [point for point in found if point.model == model] for model in learners}
    protocols, others = ([point.protocol for point in curve] for curve in curves.values())
    assert protocols == others
    assert {point.accuracy for point in curves["all-knowing"]} == {1.0}
    assert len({len(train) for train, _ in asked}) == 1
    assert not any(set(train.tolist()) & set(test.tolist()) for train, test in asked)
    said = clues.price(found, left_out).sentence
    assert said.lower().count("the balanced accuracy of") == 2
    assert "; the balanced accuracy of all-knowing is 1.000 in a random split" in said
    assert left_out["blocks of files, embargo 37"].startswith("it would leave less than half")


def test_a_protocol_that_the_set_is_too_small_for_is_left_out() -> None:
    found = points(sessions=3, per_class=12)
    assert "session" not in found
    assert "random" in found


def test_an_embargo_that_leaves_little_to_learn_from_is_left_out() -> None:
    found = points()
    assert "blocks of files" in found
    assert not any("embargo" in name for name in found)
    assert found["random"].trained >= 80  # of 160


def test_with_one_protocol_nothing_is_trained() -> None:
    targets = np.array([0] * 6 + [1] * 6)
    paths = [f"{row}.png" for row in range(12)]

    def fail(train: Rows, test: Rows) -> Rows:
        raise AssertionError("trained for nothing")

    few = price({"one": fail}, targets[:8], paths[:8], {"scene": paths[:8]}, quiet=True)
    assert few[0] == []
    assert few[1]["random"] == "a class has fewer than 5 images"
    assert few[1]["scene"] == "a class has fewer than 5 scenes"
