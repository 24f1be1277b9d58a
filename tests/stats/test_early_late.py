"""Early against late: second libraries, all subsets, calibrated intervals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedbed.stats.dependence import clustered_variance
from seedbed.stats.early_late import rank_correlations, winner_kept
from seedbed.stats.layout import two_way
from seedbed.stats.variance import mean_squares
from stats._simulate import assert_rate_within, seeds_of


def test_agrees_with_scipy_ties_included():
    rng = np.random.default_rng(1)
    curves_TE = np.round(rng.normal(size=(40, 5)).cumsum(axis=1), 0)
    expected = stats.spearmanr(np.maximum.accumulate(curves_TE, axis=1)).statistic
    np.testing.assert_allclose(rank_correlations(curves_TE).spearman, expected, atol=1e-12)
    expected = stats.spearmanr(curves_TE).statistic
    found = rank_correlations(curves_TE, latest=True)
    np.testing.assert_allclose(found.spearman, expected, atol=1e-12)
    assert found.method == "Fisher z, Bonett-Wright"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_laws(seed, grid):
    rng = np.random.default_rng(seed)
    curves_TE = rng.normal(size=(12, 4)).cumsum(axis=1)
    _, init, order = seeds_of(np.zeros((3, 4)))
    seeds = {"init": init, "order": order} if grid else {}
    found = rank_correlations(curves_TE, **seeds)
    assert (found.lower <= found.spearman).all()
    assert (found.spearman <= found.upper).all()
    np.testing.assert_allclose(found.spearman, found.spearman.T)
    np.testing.assert_allclose(found.lower, found.lower.T, atol=1e-9)
    np.testing.assert_array_equal(np.diag(found.lower), 1.0)
    # Ranks alone count.
    np.testing.assert_allclose(rank_correlations(np.exp(curves_TE), **seeds).lower, found.lower)
    shuffle = rng.permutation(12)
    shuffled = {name: values[shuffle] for name, values in seeds.items()}
    other = rank_correlations(curves_TE[shuffle], **shuffled)
    np.testing.assert_allclose(other.upper, found.upper, atol=1e-9)


def test_a_flat_evaluation_has_no_correlation():
    curves_TE = np.column_stack([np.zeros(6), np.arange(6.0), np.arange(6.0)])
    found = rank_correlations(curves_TE)
    assert np.isnan(found.spearman[0]).all()
    assert found.spearman[1, 2] == 1.0
    assert found.lower[1, 2] < 1.0, "six trials that agree do not prove agreement"
    crossed = rank_correlations(curves_TE, init=[0, 0, 0, 1, 1, 1], order=[0, 1, 2, 0, 1, 2])
    assert np.isnan(crossed.lower[0]).all()


def test_seeds_that_never_repeat_are_independent():
    curves_TE = np.random.default_rng(2).normal(size=(8, 3))
    once = np.arange(8)
    for init, order in ((once, once), (once, once * 0)):
        found = rank_correlations(curves_TE, init=init, order=order)
        assert found.method == "Fisher z, Bonett-Wright"


def test_clustered_variance_of_a_mean_is_that_of_the_mean_squares():
    scores_IO = np.random.default_rng(3).normal(size=(6, 1)) + np.random.default_rng(4).normal(
        size=(6, 7)
    )
    scores, init, order = seeds_of(scores_IO)
    variance, _ = clustered_variance(
        (scores - scores.mean())[:, None], two_way(scores, init, order)
    )
    ms = np.array(mean_squares(scores_IO))
    expected = max(ms[0] + ms[1] - ms[2], *ms) / scores.size
    assert variance[0] == pytest.approx(expected)


def _pair(rng, grid, shares, correlation):
    """Two evaluations whose effects all have the same correlation."""
    inits, orders = grid
    total = np.zeros((2, inits, orders))
    for part, shape in zip(shares, ((inits, 1), (1, orders), (inits, orders)), strict=True):
        x, y = rng.normal(size=(2, *shape))
        y = correlation * x + np.sqrt(1 - correlation**2) * y
        total = total + np.sqrt(part) * np.stack(np.broadcast_arrays(x, y))
    return total.reshape(2, -1).T


def _coverage(grid, shares, correlation, draws, *, seed, crossed):
    rng = np.random.default_rng(seed)
    truth = 6 / np.pi * np.arcsin(correlation / 2)
    _, init, order = seeds_of(np.zeros(grid))
    seeds = {"init": init, "order": order} if crossed else {}
    hits = 0
    for _ in range(draws):
        found = rank_correlations(_pair(rng, grid, shares, correlation), latest=True, **seeds)
        hits += found.lower[0, 1] <= truth <= found.upper[0, 1]
    print(grid, np.round(shares, 2), correlation, crossed, hits / draws, "seed", seed)
    return hits


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_intervals_of_independent_trials_cover(correlation):
    hits = _coverage((5, 8), (0, 0, 1), correlation, 600, seed=5, crossed=False)
    assert_rate_within(hits, 600, 0.93, 0.97)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_intervals_of_a_grid_cover(correlation):
    hits = _coverage((10, 10), (1 / 3, 1 / 3, 1 / 3), correlation, 250, seed=6, crossed=True)
    assert_rate_within(hits, 250, 0.93, 1.0)
    wrong = _coverage((10, 10), (1 / 3, 1 / 3, 1 / 3), correlation, 250, seed=6, crossed=False)
    assert wrong < 0.9 * 250, "as if independent, they do not"


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
@pytest.mark.parametrize("shares", [(1 / 3, 1 / 3, 1 / 3), (0.1, 0.1, 0.8), (0.5, 0.0, 0.5)])
@pytest.mark.parametrize("grid", [(5, 5), (10, 10), (25, 25), (5, 20)])
def test_intervals_of_a_grid_cover_everywhere(grid, shares, correlation):
    hits = _coverage(grid, shares, correlation, 600, seed=7, crossed=True)
    assert_rate_within(hits, 600, 0.92, 1.0)


def _brute_force(curves_TE, losses_TE, started, keep, at):
    best_TE = np.maximum.accumulate(curves_TE, axis=1)
    kept = []
    for subset in itertools.combinations(range(len(curves_TE)), started):

        def rank(e, subset=subset):
            return sorted(subset, key=lambda t: (-best_TE[t, e], losses_TE[t, e], t))

        kept.append(rank(-1)[0] in rank(at)[:keep])
    return np.mean(kept)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_winner_kept_agrees_with_all_subsets(seed, ties):
    rng = np.random.default_rng(seed)
    curves_TE = rng.normal(size=(7, 3))
    losses_TE = rng.integers(0, 2, size=(7, 3)).astype(float)
    if ties:
        curves_TE = np.round(curves_TE)
    started = int(rng.integers(1, 8))
    keeps = np.arange(1, started + 1)
    found = winner_kept(curves_TE, started=started, keeps=keeps, losses=losses_TE)
    for at in range(3):
        for k, keep in enumerate(keeps):
            expected = _brute_force(curves_TE, losses_TE, started, keep, at)
            assert found.probability[at, k] == pytest.approx(expected, abs=1e-10)


def test_winner_kept_laws_at_scale():
    curves_TE = np.random.default_rng(8).normal(size=(625, 30)).cumsum(axis=1)
    found = winner_kept(curves_TE, started=25, keeps=np.arange(1, 26))
    assert (np.diff(found.probability, axis=1) >= -1e-12).all(), "keeping more never hurts"
    np.testing.assert_allclose(found.probability[:, -1], 1.0, atol=1e-9)
    np.testing.assert_allclose(found.probability[-1], 1.0, atol=1e-9)
    first = found.earliest(5, 0.9)
    assert found.probability[first, 4] >= 0.9
    assert first == 0 or found.probability[first - 1, 4] < 0.9
    assert found.earliest(1, 1.1) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rank_correlations([[1.0, 2.0]] * 3), "trials"),
        (lambda: rank_correlations([[1.0, np.nan]] * 4), "finite"),
        (lambda: rank_correlations([[1.0]] * 4, init=[1, 2, 3, 4]), "both"),
        (lambda: winner_kept([[1.0]], started=2, keeps=[1]), "started"),
        (lambda: winner_kept([[1.0], [2.0]], started=1, keeps=[2]), "keeps"),
        (lambda: winner_kept([[1.0]], started=1, keeps=[1], losses=[[1.0, 2.0]]), "losses"),
        (lambda: winner_kept([[1.0]], started=1, keeps=[1]).earliest(2, 0.5), "keep"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
