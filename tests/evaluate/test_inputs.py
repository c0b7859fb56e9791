"""Groups become numbers, and subtypes two classes."""

import numpy as np
import pytest

from leukoscope.evaluate.inputs import binary, number


def test_groups_are_numbered_by_name() -> None:
    numbers, names = number(["b", "a", "b", "c"], 4)
    assert numbers.tolist() == [1, 0, 1, 2]
    assert names == ("a", "b", "c")
    np.testing.assert_array_equal(number(np.array(["b", "a", "b", "c"]), 4)[0], numbers)


def test_groups_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="3 images need 3 groups, not 2"):
        number(["a", "b"], 3)


def test_malignant_subtypes_are_summed() -> None:
    labels = np.array([0, 1, 2, 3])
    probabilities = np.array(
        [[0.4, 0.3, 0.3, 0], [0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0], [0, 0.25, 0.25, 0.5]]
    )
    truth, pair, names = binary(labels, probabilities, ("Benign", "Early", "Pre", "Pro"), "Benign")
    assert names == ("Benign", "Malignant")
    assert truth.tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(pair, [[0.4, 0.6], [0.1, 0.9], [1, 0], [0, 1]])


def test_the_negative_class_comes_first_wherever_it_stood() -> None:
    labels, probabilities = np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]])
    truth, pair, names = binary(labels, probabilities, ("Malignant", "Benign"), "Benign")
    assert names == ("Benign", "Malignant")
    assert truth.tolist() == [1, 0]
    np.testing.assert_allclose(pair, probabilities[:, ::-1])
    assert binary(labels, probabilities, ("B", "A"), "A")[2] == ("A", "B")
    three = np.full((2, 3), 1 / 3)
    assert binary(labels, three, ("A", "B", "C"), "A")[2] == ("A", "not A")


def test_an_unknown_negative_class_is_refused() -> None:
    with pytest.raises(ValueError, match="negative class Healthy is not among A, B"):
        binary(np.array([0]), np.array([[1.0, 0.0]]), ("A", "B"), "Healthy")
