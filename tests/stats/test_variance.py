"""Variance components: known tables, laws, a second library, calibrated intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.anova import anova_lm

from seedbed.stats.layout import two_way
from seedbed.stats.reml import reml_components
from seedbed.stats.variance import mean_squares, variance_components
from stats._simulate import assert_rate_within, crossed, seeds_of


def test_mean_squares_agree_with_statsmodels():
    scores_IO = crossed(np.random.default_rng(1), (5, 7), (1.0, 0.5, 0.3))
    scores, init, order = seeds_of(scores_IO)
    frame = pd.DataFrame({"y": scores, "i": init, "o": order})
    table = anova_lm(smf.ols("y ~ C(i) + C(o)", frame).fit())
    np.testing.assert_allclose(mean_squares(scores_IO), table["mean_sq"].to_numpy(), rtol=1e-9)


def test_a_table_worked_by_hand():
    # Rows 0 and 4, columns -1 and +1, and an interaction of +-1/2.
    found = variance_components([-0.5, 0.5, 2.5, 5.5], [0, 0, 1, 1], [3, 4, 3, 4])
    # By hand: MS_init 16, MS_order 4, MS_rest 1.
    assert found.init.variance == pytest.approx(7.5)
    assert found.order.variance == pytest.approx(1.5)
    assert found.rest.variance == pytest.approx(1.0)
    assert found.total == pytest.approx(10.0)
    assert found.init.share == pytest.approx(0.75)
    assert found.method == "expected mean squares"


def test_negative_estimates_are_zero_and_flagged():
    # Every row has the same mean: its mean square is 0, below that of the rest.
    found = variance_components([1.0, 2.0, 2.0, 1.0], [0, 0, 1, 1], [0, 1, 0, 1])
    assert found.init.variance == 0.0
    assert found.init.negative
    assert found.order.negative
    assert found.rest.share == 1.0


def test_equal_scores_have_no_spread():
    for keep in (slice(None), slice(0, 8)):
        scores, init, order = seeds_of(np.full((3, 3), 0.1))
        found = variance_components(scores[keep], init[keep], order[keep])
        assert found.total == 0.0
        assert (found.rest.lower, found.rest.upper) == (0.0, 0.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.1, 10))
def test_laws(seed, shift, scale):
    rng = np.random.default_rng(seed)
    scores, init, order = seeds_of(crossed(rng, (4, 5), (1.0, 0.2, 0.5)))
    found = variance_components(scores, init, order)
    moved = variance_components(scores * scale + shift, init, order)
    shuffle = rng.permutation(len(scores))
    shuffled = variance_components(scores[shuffle], init[shuffle], order[shuffle])
    swapped = variance_components(scores, order, init)
    for part in ("init", "order", "rest"):
        one, two = getattr(found, part), getattr(moved, part)
        assert two.variance == pytest.approx(one.variance * scale**2, rel=1e-6, abs=1e-12)
        assert two.share == pytest.approx(one.share, rel=1e-6, abs=1e-9)
        assert two.upper == pytest.approx(one.upper * scale**2, rel=1e-6)
        assert one.lower <= one.variance <= one.upper
        assert 0.0 <= one.share_lower <= one.share_upper <= 1.0
        assert getattr(shuffled, part).variance == pytest.approx(one.variance, rel=1e-9, abs=1e-15)
    assert swapped.init.variance == pytest.approx(found.order.variance, rel=1e-9, abs=1e-15)
    assert found.init.share + found.order.share + found.rest.share == pytest.approx(1.0)


def test_reml_equals_mean_squares_on_a_full_grid():
    scores, init, order = seeds_of(crossed(np.random.default_rng(2), (6, 5), (1.0, 0.7, 0.5)))
    squares = variance_components(scores, init, order)
    fit = reml_components(two_way(scores, init, order))
    expected = [squares.init.variance, squares.order.variance, squares.rest.variance]
    np.testing.assert_allclose(fit.variances, expected, rtol=1e-3)


def test_reml_agrees_with_statsmodels_on_a_grid_with_holes():
    rng = np.random.default_rng(3)
    scores, init, order = seeds_of(crossed(rng, (8, 9), (1.0, 0.4, 0.6)))
    keep = rng.random(len(scores)) < 0.7
    found = variance_components(scores[keep], init[keep], order[keep])
    assert found.method == "REML"
    assert found.trials == keep.sum()
    frame = pd.DataFrame({"y": scores[keep], "i": init[keep], "o": order[keep], "all": 1})
    formulas = {"init": "0 + C(i)", "order": "0 + C(o)"}
    model = smf.mixedlm("y ~ 1", frame, groups="all", vc_formula=formulas, re_formula="0")
    other = model.fit(reml=True)
    assert found.init.variance == pytest.approx(other.vcomp[0], rel=0.01)
    assert found.order.variance == pytest.approx(other.vcomp[1], rel=0.01)
    assert found.rest.variance == pytest.approx(other.scale, rel=0.01)
    for part in (found.init, found.order, found.rest):
        assert part.lower < part.variance < part.upper
        assert part.share_lower < part.share < part.share_upper


@pytest.mark.parametrize(
    ("scores", "init", "order"),
    [
        ([1.0], [1], [1]),
        ([1.0, 2.0, 3.0], [1, 2, 3], [1, 2, 3]),
        ([1.0, 2.0, 3.0], [1, 1, 1], [1, 2, 3]),
        # Two separate grids: no seed of one was ever run with a seed of the other.
        (range(8), [1, 1, 2, 2, 3, 3, 4, 4], [1, 2, 1, 2, 3, 4, 3, 4]),
    ],
)
def test_seeds_that_do_not_cross_are_refused(scores, init, order):
    with pytest.raises(ValueError, match="cross"):
        variance_components(scores, init, order)


SHARES = [(1 / 3, 1 / 3, 1 / 3), (0.1, 0.1, 0.8), (0.5, 0.0, 0.5), (0.0, 0.0, 1.0)]


def _coverage(grid, truth, draws, *, seed, keep=1.0):
    rng = np.random.default_rng(seed)
    hits = np.zeros(6, dtype=int)
    done = 0
    while done < draws:
        scores, init, order = seeds_of(crossed(rng, grid, truth))
        kept = rng.random(len(scores)) < keep
        try:
            found = variance_components(scores[kept], init[kept], order[kept], seed=done)
        except ValueError:  # too many holes: the seeds no longer cross
            continue
        done += 1
        parts = (found.init, found.order, found.rest)
        for k, (part, true) in enumerate(zip(parts, truth, strict=True)):
            hits[k] += part.lower <= true <= part.upper
            hits[3 + k] += part.share_lower - 1e-9 <= true <= part.share_upper + 1e-9
    print(grid, np.round(truth, 2), keep, hits / draws, "seed", seed)
    return hits


def _check(hits, draws, truth, low, high):
    for k, count in enumerate(hits):
        # Where the truth stands on the border (0, or a share of 1) one end always covers.
        border = truth[k % 3] in (0.0, 1.0)
        assert_rate_within(count, draws, low, max(high, 0.99) if border else high)


@pytest.mark.parametrize("truth", SHARES)
def test_intervals_cover(truth):
    _check(_coverage((5, 5), truth, 250, seed=11), 250, truth, 0.93, 0.97)


@pytest.mark.slow
@pytest.mark.parametrize("truth", SHARES)
@pytest.mark.parametrize("grid", [(5, 5), (10, 10), (25, 25), (5, 20)])
def test_intervals_cover_everywhere(grid, truth):
    _check(_coverage(grid, truth, 1_500, seed=12), 1_500, truth, 0.93, 0.97)


@pytest.mark.slow
@pytest.mark.parametrize("truth", SHARES[:3])
@pytest.mark.parametrize(("grid", "keep"), [((5, 5), 0.8), ((10, 10), 0.5)])
def test_intervals_cover_with_holes(grid, keep, truth):
    _check(_coverage(grid, truth, 150, seed=13, keep=keep), 150, truth, 0.91, 0.995)
