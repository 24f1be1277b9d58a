"""The default rule for a budget spends no more than the budget, and nearly all of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.stopping.budget import Rule, default_rule

shares = st.floats(0.02, 0.5)
budgets = st.floats(1, 500) | st.integers(1, 100).map(float)


def test_the_documented_rule() -> None:
    assert default_rule(10) == Rule(25, 0.25, 5)
    assert default_rule(2) == Rule(5, 0.25, 1)
    assert default_rule(1) == Rule(1, 0.25, 1)
    assert default_rule(3) == Rule(6, 0.25, 2)
    assert Rule(25, 0.25, 5).cost == pytest.approx(10)


def test_a_small_design_puts_the_rest_of_the_budget_into_keep() -> None:
    assert default_rule(10, trials=12) == Rule(12, 0.25, 9)
    assert default_rule(10, trials=10) == Rule(10, 0.25, 10)
    assert default_rule(10, trials=3) == Rule(3, 0.25, 3)


@given(budgets, st.none() | st.integers(1, 200), shares)
def test_laws(budget: float, trials: int | None, at: float) -> None:
    rule = default_rule(budget, trials, at)
    assert 1 <= rule.keep <= rule.start
    assert rule.at == at
    assert trials is None or rule.start <= trials
    assert rule.cost <= budget + 1e-6
    if trials is None:
        assert rule.keep == max(1, round(budget / 2))
        assert rule.cost + at > budget - 1e-6 or rule.start == rule.keep
    elif rule.start < trials or rule.keep < rule.start:
        one_more = min(at, 1 - at) if rule.start < trials else 1 - at
        assert rule.cost + one_more >= budget - max(at, 1 - at) - 1e-6


@given(st.floats(1, 100), st.floats(0, 50), st.integers(1, 60))
def test_more_budget_never_starts_or_keeps_fewer_of_a_design(
    budget: float, more: float, trials: int
) -> None:
    less, plenty = default_rule(budget, trials), default_rule(budget + more, trials)
    if less.start == trials:
        assert plenty.keep >= less.keep
        assert plenty.start == trials


@pytest.mark.parametrize("budget", [0.99, 0, -3, math.nan, -math.inf])
def test_a_budget_below_one_trial_is_refused(budget: float) -> None:
    with pytest.raises(InputError, match="does not pay for one trial"):
        default_rule(budget)


@pytest.mark.parametrize("budget", [1e9, 1e308, math.inf])
def test_a_budget_beyond_all_trials_trains_all(budget: float) -> None:
    assert default_rule(budget, trials=7) == Rule(7, 0.25, 7)
    assert default_rule(budget).keep <= default_rule(budget).start


@pytest.mark.parametrize("at", [0.0, 1.0, -0.5, math.nan])
def test_a_pause_outside_training_is_refused(at: float) -> None:
    with pytest.raises(InputError, match="0 < at < 1"):
        default_rule(3, at=at)
