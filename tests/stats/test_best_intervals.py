"""Intervals of the expected best: which one, against a slow reference, calibrated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opda.nonparametric import EmpiricalDistribution

from seedbed.stats.best_intervals import _plug_in_draws, best_of_compute, best_of_n
from seedbed.stats.expected_best import expected_best
from seedbed.stats.layout import two_way
from seedbed.stats.resampling import draw_trials
from stats._simulate import assert_rate_within, crossed, seeds_of


def test_the_design_chooses_the_method():
    scores, init, order = seeds_of(np.random.default_rng(1).random((4, 5)))
    once = np.arange(20)
    band, boot = "simultaneous band, independent trials", "two-way bootstrap"
    assert best_of_n(scores, [1, 5]).method == band
    assert best_of_n(scores, [1, 5], init=once, order=once).method == band
    assert best_of_n(scores, [1, 5], init=once, order=once * 0).method == band
    found = best_of_n(scores, [1, 2, 5], init=init, order=order)
    assert found.method == boot
    assert found.trusted.tolist() == [True, True, False]
    assert best_of_n(scores, [1], init=init, order=once * 0).method == boot


def test_the_bootstrap_agrees_with_drawing_seeds_one_by_one():
    rng = np.random.default_rng(2)
    scores, init, order = seeds_of(crossed(rng, (4, 3)))
    keep = np.arange(12) != 5
    layout = two_way(scores[keep], init[keep], order[keep])
    ns = np.array([1, 2, 5])
    draws_BK = _plug_in_draws(layout, ns, 20_000, seed=3)
    grid = {(i, j): y for y, i, j in zip(layout.scores, layout.init, layout.order, strict=True)}
    slow = []
    for _ in range(4_000):
        rows, columns = rng.integers(0, 4, 4), rng.integers(0, 3, 3)
        drawn = [grid[i, j] for i in rows for j in columns if (i, j) in grid]
        if drawn:
            slow.append(expected_best(drawn, ns, "plug_in"))
    # Five standard errors of the slow reference's mean; spreads to 10 %.
    error = np.std(slow, axis=0) / np.sqrt(len(slow))
    assert (np.abs(draws_BK.mean(axis=0) - np.mean(slow, axis=0)) < 5 * error * 1.1).all()
    np.testing.assert_allclose(draws_BK.std(axis=0), np.std(slow, axis=0), rtol=0.1)


def test_draws_are_whole_products_of_seed_counts():
    layout = two_way(*seeds_of(np.zeros((3, 4))))
    for counts_BN in draw_trials(layout, 50, 20, seed=1):
        counts = counts_BN.reshape(-1, 3, 4)
        np.testing.assert_array_equal(counts.sum(axis=(1, 2)), 12)
        assert all(np.linalg.matrix_rank(draw) == 1 for draw in counts)


@settings(max_examples=25, deadline=None)  # the first simulates a band
@given(st.integers(0, 1000), st.booleans())
def test_laws(seed, grid):
    rng = np.random.default_rng(seed)
    scores, init, order = seeds_of(np.round(rng.random((4, 4)), 2))
    seeds = {"init": init, "order": order} if grid else {}
    ns = np.arange(1, 17)
    found = best_of_n(scores, ns, support=(0, 1), resamples=200, **seeds)
    np.testing.assert_array_equal(found.estimate, expected_best(scores, ns))
    assert (found.lower <= found.estimate + 1e-12).all()
    assert (found.estimate <= found.upper + 1e-12).all()
    assert (found.lower >= 0).all()
    assert (found.upper <= 1).all()
    moved = best_of_n(scores + 1, ns, support=(1, 2), resamples=200, **seeds)
    np.testing.assert_allclose(moved.lower, found.lower + 1, atol=1e-9)
    wide = best_of_n(scores, ns, support=(0, 1), resamples=200, confidence=0.99, **seeds)
    assert (wide.upper >= found.upper - 1e-9).all()
    assert (wide.lower <= found.lower + 1e-9).all()


def test_without_a_largest_score_the_band_has_no_upper_end():
    found = best_of_n([0.1, 0.5, 0.7], [1, 2])
    assert np.isposinf(found.upper).all()
    assert np.isneginf(found.lower).all()
    assert np.isfinite(best_of_n([0.1, 0.5, 0.7], [1, 2], support=(0, 1)).upper).all()


def test_compute_counts_what_trials_cost():
    scores = np.random.default_rng(4).random(10)
    best = best_of_n(scores, [1, 2, 4], support=(0, 1))
    np.testing.assert_allclose(best_of_compute(best, np.full(10, 1.25)).costs, [1.25, 2.5, 5.0])
    mixed = np.r_[np.full(5, 1.0), np.full(5, 2.0)]
    np.testing.assert_allclose(best_of_compute(best, mixed).costs, [1.5, 3.0, 6.0])


def _expected_maximum(n):
    """E max of n standard normals, by integrating 1 - F^n and F^n."""
    from scipy import integrate
    from scipy.stats import norm

    upper = integrate.quad(lambda x: 1 - norm.cdf(x) ** n, 0, 12)[0]
    return upper - integrate.quad(lambda x: norm.cdf(x) ** n, -12, 0)[0]


def _coverage(grid, shares, ns, draws, *, seed):
    rng = np.random.default_rng(seed)
    truth = np.array([_expected_maximum(n) for n in ns])
    hits = np.zeros(len(ns), dtype=int)
    for draw in range(draws):
        scores, init, order = seeds_of(crossed(rng, grid, shares))
        found = best_of_n(scores, ns, init=init, order=order, resamples=300, seed=draw)
        hits += (found.lower <= truth) & (truth <= found.upper)
    print(grid, np.round(shares, 2), ns, hits / draws, "seed", seed)
    return hits, found.trusted


@pytest.mark.parametrize("grid", [(5, 5), (10, 10)])
def test_intervals_of_a_grid_cover(grid):
    hits, trusted = _coverage(grid, (1 / 3, 1 / 3, 1 / 3), [1, 2, 5], 250, seed=5)
    for count in hits[trusted]:
        assert_rate_within(count, 250, 0.93, 0.99)


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(1 / 3, 1 / 3, 1 / 3), (0.1, 0.1, 0.8), (0.5, 0.0, 0.5)])
@pytest.mark.parametrize("grid", [(5, 5), (10, 10), (25, 25), (5, 20)])
def test_intervals_of_a_grid_cover_everywhere(grid, shares):
    hits, trusted = _coverage(grid, shares, [1, 2, 3, 5, 10], 600, seed=6)
    for count, sure in zip(hits, trusted, strict=True):
        assert_rate_within(count, 600, 0.93 if sure else 0.86, 1.0)


def _band_coverage(trials, draws, *, seed):
    rng = np.random.default_rng(seed)
    ns = np.arange(1, trials + 1)
    hits = 0
    for draw in range(draws):
        found = best_of_n(rng.random(trials), ns, support=(0, 1), seed=7)
        truth = ns / (ns + 1)
        hits += ((found.lower <= truth) & (truth <= found.upper)).all()
        assert draw or found.method.startswith("simultaneous")
    print(trials, hits / draws, "seed", seed)
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("trials", [10, 150])
def test_bands_hold_for_all_n_at_once(trials):
    # Conservative: a mean may stay inside where the distribution leaves its band.
    assert_rate_within(_band_coverage(trials, 200, seed=8), 200, 0.945, 1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ns": [3]}, "1 to 2"),
        ({"scores": [0.1, np.nan]}, "finite"),
        ({"support": (0.5, 1.0)}, "support"),
        ({"init": [1, 2]}, "both"),
        ({"confidence": 1.0}, "between"),
        ({"resamples": 1}, "resamples"),
        ({"init": [1, 2], "order": [1]}, "order"),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = {"scores": [0.1, 0.2], "ns": [1]} | change
    with pytest.raises(ValueError, match=words):
        best_of_n(arguments.pop("scores"), arguments.pop("ns"), **arguments)
    with pytest.raises(ValueError, match="positive"):
        best_of_compute(best_of_n([0.1, 0.2], [1]), [0.0, 1.0])
    with pytest.raises(ValueError, match="each of 2"):
        best_of_compute(best_of_n([0.1, 0.2], [1]), [1.0])


def test_the_band_is_opdas():
    scores = np.random.default_rng(9).random(60)
    ns = [1, 5, 60]
    low, _, high = EmpiricalDistribution.confidence_bands(scores, 0.95, 0.0, 1.0, method="ks")
    found = best_of_n(scores, ns, support=(0, 1))
    np.testing.assert_allclose(found.lower, high.average_tuning_curve(np.array(ns)))
    upper = np.maximum(low.average_tuning_curve(np.array(ns)), found.estimate)
    np.testing.assert_allclose(found.upper, upper)
