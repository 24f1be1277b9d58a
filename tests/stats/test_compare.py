"""Two recipes: pairing, a slow reference, laws, calibrated intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedbed.stats.compare import compare_recipes, pair_trials
from seedbed.stats.expected_best import expected_best
from seedbed.stats.scorers import accuracy, confusion_scorer
from stats._simulate import assert_rate_within, crossed, seeds_of


def test_pairing_finds_the_common_seeds():
    first, second = pair_trials([1, 1, 2, 3, 1], [1, 2, 1, 1, 1], [2, 1, 9], [1, 2, 1])
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(1, 1), (2, 0)]
    first, second = pair_trials([5, 5], [6, 6], [5], [6])
    assert (first.tolist(), second.tolist()) == ([0], [0])
    assert not len(pair_trials([1], [1], [2], [1])[0])


def _slow_spread(a_IO, b_IO, ns, draws, rng):
    """The crossed bootstrap, one draw at a time."""
    rows = []
    for _ in range(draws):
        i = rng.integers(0, a_IO.shape[0], a_IO.shape[0])
        j = rng.integers(0, a_IO.shape[1], a_IO.shape[1])
        a, b = a_IO[np.ix_(i, j)].ravel(), b_IO[np.ix_(i, j)].ravel()
        best = expected_best(a, ns, "plug_in") - expected_best(b, ns, "plug_in")
        rows.append([a.mean() - b.mean(), *best])
    return np.std(rows, axis=0, ddof=1)


def test_intervals_are_those_of_the_slow_bootstrap():
    rng = np.random.default_rng(1)
    a_IO, b_IO = crossed(rng, (5, 6), (1, 1, 1)), crossed(rng, (5, 6), (1, 1, 1))
    scores_a, init, order = seeds_of(a_IO)
    found = compare_recipes(
        scores_a, b_IO.ravel(), init=init, order=order, ns=[1, 3], resamples=20_000
    )
    t = stats.t.ppf(0.975, 4)
    expected = _slow_spread(a_IO, b_IO, np.array([1, 3]), 4_000, rng)
    halves = [e.upper - e.value for e in (found.difference, *found.best)]
    np.testing.assert_allclose(halves, t * expected, rtol=0.07)
    assert found.difference.value == pytest.approx(a_IO.mean() - b_IO.mean())
    assert found.best[0].value == pytest.approx(found.difference.value)
    assert found.method == "bootstrap over seeds"


def test_independent_pairs_give_the_paired_t_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.3, 1, 40), rng.normal(0, 1, 40)
    once = np.arange(40)
    found = compare_recipes(a, b, init=once, order=once, resamples=20_000)
    other = stats.ttest_rel(a, b)
    assert found.p == pytest.approx(other.pvalue, rel=0.15)
    assert found.difference.lower == pytest.approx(other.confidence_interval().low, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_laws(seed):
    rng = np.random.default_rng(seed)
    a, init, order = seeds_of(np.round(crossed(rng, (4, 3), (1, 1, 1)), 1))
    b = np.round(rng.normal(size=12), 1)
    arguments = {"init": init, "order": order, "ns": [1, 4], "resamples": 300, "seed": seed}
    found = compare_recipes(a, b, **arguments)
    back = compare_recipes(b, a, **arguments)
    assert back.difference.value == pytest.approx(-found.difference.value)
    assert back.difference.lower == pytest.approx(-found.difference.upper)
    assert back.wins.value == pytest.approx(1 - found.wins.value)
    assert back.wins.lower == pytest.approx(1 - found.wins.upper)
    assert back.best[1].value == pytest.approx(-found.best[1].value)
    assert back.p == pytest.approx(found.p)
    moved = compare_recipes(a + 2, b, **arguments)
    assert moved.difference.lower == pytest.approx(found.difference.lower + 2)
    assert moved.best[1].upper == pytest.approx(found.best[1].upper + 2)
    for estimate in (found.difference, found.wins, *found.best):
        assert estimate.lower <= estimate.value <= estimate.upper
    assert 0 <= found.wins.lower <= found.wins.upper <= 1


def test_a_clean_sweep_still_leaves_doubt():
    b, init, order = seeds_of(np.random.default_rng(3).random((4, 4)))
    found = compare_recipes(b + 0.5, b, init=init, order=order)
    assert found.wins.value == 1.0
    assert 0.2 < found.wins.lower < 0.8
    same = compare_recipes(b, b, init=init, order=order)
    assert (same.p, same.wins.value, same.difference.upper) == (1.0, 0.5, 0.0)


def _predictions(rng, grid, examples, recipe_gap, seed_sd):
    """Predicted classes [N, M] of two recipes whose trials differ by seed, and the gold."""
    inits, orders = grid
    difficulty_M = rng.uniform(0.5, 1.0, examples)
    both = []
    for gap in (recipe_gap, 0.0):
        quality_IO = crossed(rng, (inits, orders), (seed_sd**2, seed_sd**2, seed_sd**2))
        # Each recipe finds some examples easier than the other does.
        right_NM = quality_IO.reshape(-1, 1) + difficulty_M + gap
        right_NM = right_NM + rng.normal(0, 0.1, examples)
        both.append((rng.random((inits * orders, examples)) < right_NM).astype(int))
    return both, np.ones(examples, dtype=int)


def test_examples_widen_the_interval():
    rng = np.random.default_rng(4)
    (a_NM, b_NM), gold_M = _predictions(rng, (6, 6), 80, 0.0, 0.02)
    init, order = np.indices((6, 6)).reshape(2, -1)
    scorers = (confusion_scorer(a_NM, gold_M, accuracy), confusion_scorer(b_NM, gold_M, accuracy))
    a, b = a_NM.mean(axis=1), b_NM.mean(axis=1)
    seeds_only = compare_recipes(a, b, init=init, order=order)
    both = compare_recipes(a, b, init=init, order=order, scorers=scorers, examples=80)
    assert both.method == "bootstrap over seeds and examples"
    assert both.difference.value == seeds_only.difference.value
    assert both.difference.upper > seeds_only.difference.upper
    assert both.p > seeds_only.p


def _coverage(grid, shares, draws, *, seed):
    """Coverage of the difference of means, and of the win probability (one half)."""
    rng = np.random.default_rng(seed)
    hits = np.zeros(3, dtype=int)
    for draw in range(draws):
        shared_IO = crossed(rng, grid, (1.0, 1.0, 0.0))  # seeds that help both recipes alike
        a, init, order = seeds_of(shared_IO + crossed(rng, grid, shares))
        b = (shared_IO + crossed(rng, grid, shares)).ravel()
        found = compare_recipes(a, b, init=init, order=order, ns=[3], resamples=300, seed=draw)
        hits += [
            e.lower <= true <= e.upper
            for e, true in ((found.difference, 0), (found.wins, 0.5), (found.best[0], 0))
        ]
    print(grid, np.round(shares, 2), hits / draws, "seed", seed)
    return hits


def test_intervals_cover():
    for hits in _coverage((5, 5), (1 / 3, 1 / 3, 1 / 3), 250, seed=5):
        assert_rate_within(hits, 250, 0.93, 0.995)


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(1 / 3, 1 / 3, 1 / 3), (0.1, 0.1, 0.8), (0.5, 0.0, 0.5)])
@pytest.mark.parametrize("grid", [(5, 5), (10, 10), (25, 25), (5, 20)])
def test_intervals_cover_everywhere(grid, shares):
    for hits in _coverage(grid, shares, 500, seed=6):
        assert_rate_within(hits, 500, 0.93, 1.0)


@pytest.mark.slow
def test_intervals_over_seeds_and_examples_cover():
    rng = np.random.default_rng(7)
    init, order = np.indices((8, 8)).reshape(2, -1)
    hits, draws = 0, 200
    for draw in range(draws):
        (a_NM, b_NM), gold_M = _predictions(rng, (8, 8), 150, 0.0, 0.02)
        scorers = tuple(confusion_scorer(x, gold_M, accuracy) for x in (a_NM, b_NM))
        found = compare_recipes(
            a_NM.mean(axis=1),
            b_NM.mean(axis=1),
            init=init,
            order=order,
            scorers=scorers,
            examples=150,
            resamples=200,
            seed=draw,
        )
        hits += found.difference.lower <= 0.0 <= found.difference.upper
    print("seeds and examples", hits / draws)
    assert_rate_within(hits, draws, 0.93, 1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores_b": [0.1]}, "scores_b"),
        ({"scores_b": [0.1, np.nan]}, "finite"),
        ({"init": [1]}, "init"),
        ({"ns": [3]}, "1 to 2"),
        ({"examples": 4}, "both"),
        ({"examples": 4, "scorers": (lambda w: w[:1], lambda w: w[:1])}, "must score 2"),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = {"scores_b": [0.1, 0.2], "init": [1, 2], "order": [1, 2]} | change
    with pytest.raises(ValueError, match=words):
        compare_recipes([0.1, 0.2], arguments.pop("scores_b"), **arguments)
    with pytest.raises(ValueError, match="pairs"):
        compare_recipes([0.1], [0.2], init=[1], order=[1])
