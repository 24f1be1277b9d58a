"""The metrics are scikit-learn's, and say nothing where they are undefined."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from seedbed.core.errors import InputError
from seedbed.tasks.metrics import METRICS, check_metric, confusion, majority_score, scores


def by_scikit_learn(labels: list[int], predictions: list[int], classes: int) -> dict[str, float]:
    accuracy = sklearn_metrics.accuracy_score(labels, predictions)
    macro = sklearn_metrics.f1_score(labels, predictions, average="macro", zero_division=0)
    f1 = macro
    found = {}
    if classes == 2:
        f1 = sklearn_metrics.f1_score(labels, predictions, zero_division=0)
        found["f1"] = f1
    return found | {
        "accuracy": accuracy,
        "macro_f1": macro,
        "acc_and_f1": (accuracy + f1) / 2,
        "matthews": sklearn_metrics.matthews_corrcoef(labels, predictions),
    }


@st.composite
def predicted(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    classes = draw(st.integers(2, 6))
    rows = draw(st.integers(1, 60))
    column = st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)
    return draw(column), draw(column), classes


@given(predicted())
def test_equal_to_scikit_learn(case: tuple[list[int], list[int], int]) -> None:
    labels, predictions, classes = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = by_scikit_learn(labels, predictions, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(labels, predictions, classes)
    assert found == pytest.approx(expected, abs=1e-12)


@given(predicted())
def test_bounds_and_the_best_prediction(case: tuple[list[int], list[int], int]) -> None:
    labels, predictions, classes = case
    found = scores(labels, predictions, classes)
    best = scores(labels, labels, classes)
    for name, value in found.items():
        assert (-1 if name == "matthews" else 0) <= value <= 1
        assert value <= best[name] or np.isclose(value, best[name])
    if len(set(labels)) == classes:
        assert all(value == pytest.approx(1) for value in best.values())


@given(predicted())
def test_one_metric_alone_is_the_same(case: tuple[list[int], list[int], int]) -> None:
    labels, predictions, classes = case
    for name, value in scores(labels, predictions, classes).items():
        assert METRICS[name].score(labels, predictions, classes) == value


def test_by_hand() -> None:
    found = scores([1, 1, 1, 0], [1, 1, 0, 1], 2)
    assert found["accuracy"] == 0.5
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx(1 / 3)
    assert found["acc_and_f1"] == pytest.approx(7 / 12)
    assert found["matthews"] == pytest.approx(-1 / 3)


def test_f1_is_that_of_label_1() -> None:
    assert scores([0, 0, 0, 1], [0, 0, 0, 0], 2)["f1"] == 0.0


def test_undefined_is_zero() -> None:
    found = scores([0, 0], [0, 0], 2)
    assert (found["f1"], found["matthews"], found["accuracy"]) == (0.0, 0.0, 1.0)


def test_matthews_does_not_overflow() -> None:
    half = 4_000_000_000
    table = np.array([[half, 1], [1, half]], dtype=np.int64)
    assert METRICS["matthews"].compute(table) == pytest.approx(1.0)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_majority_is_the_best_constant_in_accuracy(labels: list[int]) -> None:
    constants = [np.mean(np.array(labels) == k) for k in range(5)]
    assert majority_score(labels, "accuracy", 5) == pytest.approx(max(constants))
    assert majority_score(labels, "matthews", 5) == 0.0


def test_majority_of_a_tie_is_the_first_class() -> None:
    assert majority_score([0, 1], "f1", 2) == 0.0


@pytest.mark.parametrize(
    ("labels", "predictions"), [([0, 2], [0, 1]), ([0, 1], [0, -1]), ([0], [0, 1]), ([], [])]
)
def test_what_is_no_prediction_is_refused(labels: list[int], predictions: list[int]) -> None:
    with pytest.raises(ValueError, match=r"outside|shapes"):
        confusion(labels, predictions, 2)


def test_which_metrics_apply() -> None:
    assert set(scores([0, 1], [0, 1], 2)) == set(METRICS)
    assert set(scores([0, 1, 2], [0, 1, 2], 3)) == set(METRICS) - {"f1"}
    check_metric("f1", 2, where="here")
    with pytest.raises(InputError, match="for two classes"):
        check_metric("f1", 3, where="here")
    with pytest.raises(InputError, match="no such metric"):
        check_metric("f2", 3, where="here")
