"""Best and rank are total orders with the stated ties."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.curves import Curve, Evaluation, rank
from seedbed.core.seeds import Seeds

NAN = math.nan


def curve(trial: int, *points: tuple[float, float], of: int | None = None) -> Curve:
    """Make a curve from (score, loss) pairs."""
    count = of or len(points)
    found = tuple(
        Evaluation(step=10 * k, progress=k / count, score=score, loss=loss)
        for k, (score, loss) in enumerate(points, start=1)
    )
    return Curve(trial, Seeds(trial, 1, 1), found)


@pytest.mark.parametrize(
    ("points", "step"),
    [
        ([(0.5, 1.0), (0.7, 1.0), (0.6, 0.1)], 20),
        ([(0.7, 1.0), (0.7, 0.9), (0.6, 0.1)], 20),
        ([(0.7, 0.9), (0.7, 0.9), (0.7, 0.9)], 10),
        ([(NAN, 0.1), (0.2, 0.9), (0.9, math.inf)], 20),
        ([(math.inf, 0.1), (0.2, NAN), (-1.0, 5.0)], 30),
    ],
)
def test_best_is_highest_then_lowest_loss_then_earliest(
    points: list[tuple[float, float]], step: int
) -> None:
    best = curve(0, *points).best()
    assert best is not None
    assert best.step == step


def test_best_until_counts_the_evaluation_at_that_progress() -> None:
    one = curve(0, (0.1, 1), (0.3, 1), (0.2, 1), (0.9, 1), of=10)
    steps = [(0.1, 10), (0.2, 20), (0.3, 20), (0.4, 40), (0.3999999, 20), (1.0, 40)]
    assert [(u, one.best(u).step) for u, _ in steps] == steps
    assert one.best(0.05) is None
    thirds = Curve(0, one.seeds, (Evaluation(step=1, progress=1 / 3, score=1, loss=1),))
    assert thirds.best(1 - 2 / 3) is not None, "shares of training differ in the last bit"


def test_an_empty_curve() -> None:
    empty = curve(3)
    assert (empty.best(), empty.last, empty.step, empty.progress) == (None, None, 0, 0.0)
    assert not empty.finished


def test_extended_adds_at_the_end_only() -> None:
    one = curve(0, (0.5, 1.0))
    longer = one.extended(Evaluation(step=11, progress=1.0, score=0.1, loss=1))
    assert len(one.evaluations) == 1
    assert (longer.step, longer.finished) == (11, True)
    for step in (10, 3, 0):
        with pytest.raises(ValueError, match="does not follow"):
            one.extended(Evaluation(step=step, progress=0.5, score=0.1, loss=1))


def test_rank_breaks_ties_by_loss_then_trial_and_puts_the_scoreless_last() -> None:
    curves = [
        curve(0),
        curve(1, (0.5, 0.9)),
        curve(2, (0.5, 0.3)),
        curve(3, (0.5, 0.9)),
        curve(4, (0.8, 9.0)),
        curve(5, (NAN, NAN)),
    ]
    for shuffled in itertools.permutations(curves):
        assert [c.trial for c in rank(list(shuffled))] == [4, 2, 1, 3, 0, 5]


def test_rank_looks_no_further_than_asked() -> None:
    early, late = curve(0, (0.6, 1), (0.6, 1)), curve(1, (0.5, 1), (0.9, 1))
    assert [c.trial for c in rank([early, late], 0.5)] == [0, 1]
    assert [c.trial for c in rank([early, late])] == [1, 0]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_rank_agrees_with_comparing_pairs(points: list[tuple[int, int]]) -> None:
    curves = [curve(t, (float(score), float(loss))) for t, (score, loss) in enumerate(points)]
    ranked = rank(curves)
    assert sorted(c.trial for c in ranked) == list(range(len(points)))
    for a, b in itertools.pairwise(ranked):
        x, y = a.evaluations[0], b.evaluations[0]
        assert not y.better_than(x)
        assert x.better_than(y) or a.trial < b.trial
