"""Expected best of n: test vectors, all subsets, laws, a second library."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opda.nonparametric import EmpiricalDistribution

from seedbed.stats.expected_best import best_weights, expected_best

# fmt: off
SCORES = [.8, .75, .9, .24, .45, .6, .65, .67, .49, .49,
          .59, .52, .78, .84, .63, .42, .85, .76, .68, .6]
# fmt: on
NS = [1, 2, 5, 10, 20]
lists = st.lists(st.floats(-10, 10), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("plug_in", [0.635500, 0.727575, 0.813337, 0.854061, 0.878994]),
        ("unbiased", [0.635500, 0.732421, 0.822680, 0.867062, 0.900000]),
    ],
)
def test_published_vector(method, expected):
    np.testing.assert_allclose(expected_best(SCORES, NS, method), expected, atol=5e-7)


def test_unbiased_is_the_mean_over_all_subsets():
    scores = SCORES[:9]
    for n in range(1, 10):
        brute = np.mean([max(s) for s in itertools.combinations(scores, n)])
        assert expected_best(scores, n) == pytest.approx(brute, abs=1e-13)


def test_plug_in_is_the_mean_over_all_draws_with_replacement():
    scores = SCORES[:6]
    for n in range(1, 6):
        brute = np.mean([max(s) for s in itertools.product(scores, repeat=n)])
        assert expected_best(scores, n, "plug_in") == pytest.approx(brute, abs=1e-13)


def test_agrees_with_opda():
    scores = np.random.default_rng(5).normal(size=300)
    ns = np.arange(1, 301)
    other = EmpiricalDistribution(scores)
    np.testing.assert_allclose(expected_best(scores, ns), other.u_tuning_curve(ns), atol=1e-10)
    np.testing.assert_allclose(
        expected_best(scores, ns, "plug_in"), other.v_tuning_curve(ns), atol=1e-10
    )


@pytest.mark.parametrize("method", ["unbiased", "plug_in"])
def test_weights_stay_exact_at_ten_thousand_trials(method):
    trials = 10_000
    weights = best_weights(trials, [1, 2, 100, 5_000, 9_999, 10_000], method)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-10)
    assert (weights >= 0).all()
    # E max of n draws without replacement from 1..N is n (N + 1) / (n + 1).
    if method == "unbiased":
        for n in (1, 7, 5_000, 10_000):
            got = expected_best(np.arange(1, trials + 1), n)
            assert got == pytest.approx(n * (trials + 1) / (n + 1), rel=1e-11)


@settings(deadline=None)
@given(lists, st.floats(-5, 5), st.sampled_from(["unbiased", "plug_in"]), st.randoms())
def test_laws(scores, shift, method, random):
    ns = np.arange(1, len(scores) + 1)
    best = expected_best(scores, ns, method)
    assert (np.diff(best) >= -1e-9).all(), "more trials never lower the expected best"
    assert best[0] == pytest.approx(np.mean(scores), abs=1e-9)
    assert (best <= max(scores) + 1e-9).all()
    np.testing.assert_allclose(expected_best(np.add(scores, shift), ns, method), best + shift)
    shuffled = random.sample(scores, len(scores))
    np.testing.assert_array_equal(expected_best(shuffled, ns, method), best)
    if method == "unbiased":
        assert best[-1] == pytest.approx(max(scores), abs=1e-12)
        assert (best >= expected_best(scores, ns, "plug_in") - 1e-9).all(), "plug-in is low"


def test_shape_follows_ns():
    assert expected_best(SCORES, 3).shape == ()
    assert expected_best(SCORES, [[1, 2], [3, 4]]).shape == (2, 2)


@pytest.mark.parametrize(
    ("scores", "ns", "method", "words"),
    [
        ([], 1, "unbiased", "at least 1"),
        ([1.0, np.nan], 1, "unbiased", "finite"),
        ([1.0, 2.0], 3, "unbiased", "1 to 2"),
        ([1.0, 2.0], 0, "plug_in", "from 1"),
        ([1.0, 2.0], 1.5, "plug_in", "whole"),
        ([1.0, 2.0], 1, "other", "method"),
        (["a"], 1, "plug_in", "numbers"),
        ([[1.0]], 1, "plug_in", "1-dimensional"),
    ],
)
def test_bad_arguments_are_named(scores, ns, method, words):
    with pytest.raises(ValueError, match=words):
        expected_best(scores, ns, method)
