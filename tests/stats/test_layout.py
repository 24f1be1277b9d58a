"""The two-way layout, and what trials that share seeds can tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedbed.stats.dependence import clustered_variance, shares_seeds
from seedbed.stats.layout import two_way
from seedbed.stats.resampling import degrees_of_freedom
from stats._simulate import assert_rate_within, crossed, seeds_of

cells = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12)


@settings(deadline=None)
@given(cells)
def test_degrees_of_freedom_are_those_of_the_design_matrix(places):
    init, order = np.array(places).T
    layout = two_way(np.arange(len(places), dtype=float), init, order)
    design = np.concatenate(
        [np.eye(len(layout.inits))[layout.init], np.eye(len(layout.orders))[layout.order]], axis=1
    )
    assert layout.df_error == len(places) - np.linalg.matrix_rank(design)
    assert layout.counts.sum() == layout.trials == len(places)
    assert layout.balanced == (len(set(places)) == len(places) == layout.counts.size)
    assert layout.swapped().df_error == layout.df_error
    np.testing.assert_array_equal(layout.inits[layout.init], init)
    np.testing.assert_array_equal(layout.swapped().counts, layout.counts.T)


def test_a_full_grid_is_an_array_whatever_the_order_of_trials():
    scores_IO = np.random.default_rng(1).random((3, 4))
    scores, init, order = seeds_of(scores_IO)
    shuffle = np.random.default_rng(2).permutation(12)
    layout = two_way(scores[shuffle], init[shuffle], order[shuffle])
    np.testing.assert_array_equal(layout.grid(), scores_IO)
    with pytest.raises(ValueError, match="full grid"):
        two_way(scores[:11], init[:11], order[:11]).grid()


@pytest.mark.parametrize(
    ("init", "order", "shared", "df"),
    [
        ([1, 2, 3], [1, 2, 3], False, 2),
        ([1, 2, 3], [7, 7, 7], False, 2),
        ([1, 1, 2, 2], [1, 2, 1, 2], True, 1),
        ([1, 1, 2, 2], [1, 2, 3, 4], True, 1),
        ([1, 1], [1, 1], False, 1),
    ],
)
def test_which_trials_share_seeds(init, order, shared, df):
    layout = two_way(np.arange(len(init), dtype=float), init, order)
    assert shares_seeds(layout) == shared
    assert degrees_of_freedom(layout) == df


def test_the_clustered_error_of_a_mean_covers_with_holes():
    rng = np.random.default_rng(3)
    hits, draws = 0, 600
    for _ in range(draws):
        scores, init, order = seeds_of(crossed(rng, (12, 10), (0.4, 0.2, 0.4)))
        keep = rng.random(120) < 0.6
        layout = two_way(scores[keep], init[keep], order[keep])
        mean = layout.scores.mean()
        variance, df = clustered_variance((layout.scores - mean)[:, None], layout)
        hits += abs(mean) <= stats.t.ppf(0.975, df[0]) * np.sqrt(variance[0])
    print("coverage", hits / draws)
    assert_rate_within(hits, draws, 0.93, 0.98)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 2.0], [1], [1, 2]), "init must have one entry for each of 2"),
        (([1.0], [1], [np.nan]), "NaN"),
        (([np.inf], [1], [1]), "finite"),
        (([[1.0]], [1], [1]), "1-dimensional"),
        (([], [], []), "at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        two_way(*arguments)
