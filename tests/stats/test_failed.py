"""Failed and collapsed trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedbed.stats.failed import collapsed_trials, failed_trials

NAN = float("nan")
CURVES = [
    [0.5, 0.7, 0.8],  # fine
    [0.5, 0.5, 0.5],  # failed, visible at once
    [0.7, 0.6, 0.5],  # failed at the last evaluation
    [0.7, 0.5, 0.4],  # failed from the second on
    [0.5, NAN, NAN],  # stopped early: its end is unknown
    [0.8, 0.8, NAN],  # diverged after the second evaluation
    [0.5, 0.51, 0.52],  # weak, not failed
]
DIVERGED = [False, False, False, False, False, True, False]


def test_each_kind():
    found = failed_trials(CURVES, majority=0.5, diverged=DIVERGED)
    assert found.failed.tolist() == [False, True, True, True, False, True, False]
    assert found.visible_from.tolist() == [-1, 0, 2, 1, -1, 2, -1]
    assert found.diverged.tolist() == DIVERGED
    assert found.count == 4


def test_finished_can_be_given():
    finished = [True] * 5 + [False, True]
    found = failed_trials(CURVES, majority=0.5, finished=finished)
    assert found.failed.tolist() == [False, True, True, True, True, False, False]


@settings(deadline=None)
@given(arrays(float, (6, 4), elements=st.floats(0, 1)), st.floats(0, 1))
def test_by_definition(scores, majority):
    found = failed_trials(scores, majority=majority)
    assert found.failed.tolist() == [row[-1] <= majority for row in scores]
    for row, failed, first in zip(scores, found.failed, found.visible_from, strict=True):
        if failed:
            assert (row[first:] <= majority).all()
            assert first == 0 or row[first - 1] > majority
    higher = failed_trials(scores, majority=majority + 0.1)
    assert (higher.failed | ~found.failed).all(), "a higher bar never fails fewer"


def test_collapsed():
    predictions = np.array([[0, 1, 0], [1, 1, 1], [0, 0, 0], [2, 2, 1]])
    assert collapsed_trials(predictions).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scores": [[0.1, np.inf]]}, "NaN where"),
        ({"scores": [[NAN, 0.1]]}, "before a later"),
        ({"finished": [1]}, "true and false"),
        ({"finished": [True, False]}, "for each of 1"),
        ({"scores": [[NAN, NAN]], "finished": [True]}, "at least one"),
        ({"majority": NAN}, "finite"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        failed_trials(**({"scores": [[0.1, 0.2]], "majority": 0.5} | arguments))
