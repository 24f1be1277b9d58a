"""Trials needed: a second library, simulation, laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from seedbed.stats.power import t_test_power, trials_needed
from stats._simulate import assert_rate_within


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 3.0), st.integers(2, 200))
def test_power_agrees_with_statsmodels(effect, n):
    two = TTestIndPower().power(effect, n, 0.05, ratio=1.0)
    one = TTestPower().power(effect, n, 0.05)
    # Compared where statsmodels' noncentral t is itself finite.
    if np.isfinite(two):
        assert t_test_power(effect, 1.0, n, 0.05, samples=2) == pytest.approx(two, abs=1e-6)
    if np.isfinite(one):
        assert t_test_power(effect, 1.0, n, 0.05, samples=1) == pytest.approx(one, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 3.0), st.floats(0, 2), st.floats(0, 2), st.floats(0.01, 2))
def test_the_count_is_the_smallest_that_suffices(difference, init, order, rest):
    found = trials_needed(difference, init=init, order=order, rest=rest)
    for n, sd, samples in (
        (found.unpaired, found.sd_unpaired, 2),
        (found.paired, found.sd_paired, 1),
    ):
        assert t_test_power(difference, sd, n, 0.05, samples=samples) >= 0.8
        if n > 2:
            assert t_test_power(difference, sd, n - 1, 0.05, samples=samples) < 0.8
    easier = trials_needed(2 * difference, init=init, order=order, rest=rest)
    assert easier.unpaired <= found.unpaired
    assert easier.paired <= found.paired
    scaled = trials_needed(10 * difference, init=100 * init, order=100 * order, rest=100 * rest)
    assert (scaled.unpaired, scaled.paired) == (found.unpaired, found.paired)


def test_the_power_is_reached_in_simulation():
    rng = np.random.default_rng(31)
    init, order, rest, delta = 1.0, 0.6, 0.4, 0.9
    found = trials_needed(-delta, init=init, order=order, rest=rest)
    assert found.difference == delta
    draws = 4_000
    sd = np.sqrt(init + order + rest)
    a = rng.normal(0, sd, size=(draws, found.unpaired))
    b = rng.normal(delta, sd, size=(draws, found.unpaired))
    expected = t_test_power(delta, sd, found.unpaired, 0.05, samples=2)
    hits = int((stats.ttest_ind(a, b, axis=1).pvalue < 0.05).sum())
    assert_rate_within(hits, draws, expected, expected)
    shared = rng.normal(0, np.sqrt(init + order), size=(draws, found.paired))
    noise = rng.normal(0, np.sqrt(rest), size=(2, draws, found.paired))
    expected = t_test_power(delta, found.sd_paired, found.paired, 0.05, samples=1)
    pairs = stats.ttest_rel(shared + noise[0], shared + noise[1] + delta, axis=1)
    assert_rate_within(int((pairs.pvalue < 0.05).sum()), draws, expected, expected)
    assert found.paired < found.unpaired


def test_no_spread_needs_two():
    found = trials_needed(0.1, init=0.0, order=0.0, rest=0.0)
    assert (found.unpaired, found.paired) == (2, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"difference": 0.0}, "must not be 0"),
        ({"difference": float("nan")}, "finite"),
        ({"rest": -1.0}, "negative"),
        ({"power": 1.0}, "between 0 and 1"),
        ({"level": 0.0}, "between 0 and 1"),
        ({"difference": 1e-9}, "more than"),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = {"difference": 0.5, "init": 1.0, "order": 1.0, "rest": 1.0} | change
    with pytest.raises(ValueError, match=words):
        trials_needed(arguments.pop("difference"), **arguments)
