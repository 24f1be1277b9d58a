"""Tests for seed effects: second libraries, brute force, uniform p-values, the paper's fault."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from seedbed.stats.seed_tests import kendall_w, seed_test
from stats._simulate import FALSE_ALARM, assert_rate_within, crossed, seeds_of


@pytest.mark.parametrize("keep", [1.0, 0.7])
@pytest.mark.parametrize("factor", ["init", "order"])
def test_omnibus_agrees_with_statsmodels(keep, factor):
    rng = np.random.default_rng(4)
    scores, init, order = seeds_of(crossed(rng, (6, 7), (0.5, 0.5, 1.0)))
    kept = rng.random(len(scores)) < keep
    found = seed_test(scores[kept], init[kept], order[kept], factor=factor, permutations=9)
    frame = pd.DataFrame({"y": scores[kept], "init": init[kept], "order": order[kept]})
    table = anova_lm(smf.ols("y ~ C(init) + C(order)", frame).fit(), typ=2)
    row = table.loc[f"C({factor})"]
    assert found.f == pytest.approx(row["F"], rel=1e-9)
    assert found.p_f == pytest.approx(row["PR(>F)"], rel=1e-9)
    assert (found.df_between, found.df_error) == (row["df"], table.loc["Residual", "df"])


def test_permutation_p_agrees_with_all_permutations():
    scores_IO = np.array([[1.0, 1.2, 0.9], [2.0, 1.4, 1.6], [1.5, 1.1, 1.3]])
    observed = np.ptp(scores_IO.mean(axis=1))
    orders = [list(itertools.permutations(column)) for column in scores_IO.T]
    ranges = [np.ptp(np.mean(columns, axis=0)) for columns in itertools.product(*orders)]
    exact = np.mean(np.array(ranges) >= observed - 1e-12)
    found = seed_test(*seeds_of(scores_IO), factor="init", permutations=20_000, seed=1)
    assert found.range_of_means == pytest.approx(observed)
    assert_rate_within(round(found.p_permutation * 20_001) - 1, 20_000, exact, exact)


def test_best_against_worst_is_the_one_way_anova():
    scores_IO = crossed(np.random.default_rng(5), (7, 6), (0.5, 0.0, 1.0))
    found = seed_test(*seeds_of(scores_IO), factor="init", permutations=50).best_vs_worst
    means = scores_IO.mean(axis=1)
    assert (found.best, found.worst) == (means.argmax(), means.argmin())
    f, p = stats.f_oneway(scores_IO[means.argmax()], scores_IO[means.argmin()])
    assert found.f == pytest.approx(f)
    assert found.p_classical == pytest.approx(p)


@pytest.mark.parametrize("keep", [1.0, 0.75])
def test_laws(keep):
    rng = np.random.default_rng(6)
    scores, init, order = seeds_of(crossed(rng, (5, 6), (1.0, 0.0, 1.0)))
    kept = rng.random(len(scores)) < keep
    scores, init, order = scores[kept], init[kept], order[kept]

    def test(scores, init, order, factor="init"):
        return seed_test(scores, init, order, factor=factor, permutations=500, seed=3)

    found = test(scores, init, order)
    moved = test(scores * 3.0 + 7.0, init, order)
    assert moved.f == pytest.approx(found.f)
    assert moved.p_permutation == found.p_permutation
    assert test(scores, init, order) == found, "the same seed gives the same p"
    assert test(scores, order, init, factor="order").f == pytest.approx(found.f)
    # An effect of the other factor, however large, changes nothing.
    other = test(scores + 100.0 * order, init, order)
    assert other.f == pytest.approx(found.f, rel=1e-6)
    assert other.p_permutation == found.p_permutation


def test_two_seeds_of_one_trial_each_prove_nothing():
    scores = [9.0, 1.0, 5.0, 5.1, 4.9, 5.2, 5.3, 4.7]
    init, order = [1, 2, 3, 3, 3, 4, 4, 4], [1, 2, 1, 2, 3, 1, 2, 3]
    pair = seed_test(scores, init, order, factor="init", permutations=99).best_vs_worst
    assert (pair.best, pair.worst, pair.f) == (1, 2, 0.0)
    assert np.isnan(pair.p_classical)
    assert pair.p_corrected == 1.0


def test_equal_scores_show_nothing():
    found = seed_test(*seeds_of(np.full((3, 4), 0.3)), factor="order", permutations=99)
    assert (found.f, found.p_f, found.p_permutation) == (0.0, 1.0, 1.0)
    assert found.best_vs_worst.p_corrected == 1.0


def _p_values(grid, studies, *, seed):
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(studies):
        # A real effect of the other factor: the tests must not see it.
        scores_IO = crossed(rng, grid, (0.0, 0.5, 1.0))
        found = seed_test(*seeds_of(scores_IO), factor="init", permutations=199, seed=study)
        pair = found.best_vs_worst
        rows.append([found.p_f, found.p_permutation, pair.p_corrected, pair.p_classical])
    print(grid, "p < .05:", (np.array(rows) <= 0.05).mean(axis=0), "seed", seed)
    return np.array(rows).T


def _assert_uniform(p):
    assert stats.kstest(p, "uniform").pvalue > FALSE_ALARM
    assert_rate_within(int((p <= 0.05).sum()), len(p), 0.05, 0.05)


def _check_calibration(grid, studies, *, seed):
    p_f, p_permutation, p_corrected, _ = _p_values(grid, studies, seed=seed)
    _assert_uniform(p_f)
    # (1 + #) / (1 + B) with B = 199 steps by .005: finer than the test can see.
    _assert_uniform(p_permutation)
    _assert_uniform(p_corrected)


@pytest.mark.parametrize("size", [5, 10])
def test_p_values_are_uniform_without_effect(size):
    _check_calibration((size, size), 400, seed=21)


@pytest.mark.slow
@pytest.mark.parametrize("size", [5, 10, 25])
def test_p_values_are_uniform_everywhere(size):
    _check_calibration((size, size), 2_000, seed=22)


def test_the_papers_anova_finds_effects_that_are_not_there():
    """Chosen after looking: with no effect p < .05 in 93 % (25 seeds) and 76 % (15 seeds)."""
    rng = np.random.default_rng(23)
    for seeds, rate in ((25, 0.93), (15, 0.76)):
        hits, studies = 0, 200
        for _ in range(studies):
            scores_IO = rng.normal(size=(seeds, seeds))
            found = seed_test(*seeds_of(scores_IO), factor="init", permutations=1)
            hits += found.best_vs_worst.p_classical < 0.05
        print(seeds, hits / studies)
        assert_rate_within(hits, studies, rate - 0.02, rate + 0.02)


def test_kendall_w_by_its_definition():
    means_KI = np.array([[0.9, 0.5, 0.7, 0.1], [0.8, 0.6, 0.7, 0.2], [0.9, 0.7, 0.1, 0.2]])
    found = kendall_w(means_KI, permutations=200)
    # Kendall's W and Friedman's statistic: chi2 = K (I - 1) W.
    chi2 = stats.friedmanchisquare(*means_KI.T).statistic
    assert found.w == pytest.approx(chi2 / (3 * 3))
    np.testing.assert_allclose(found.mean_ranks, [1.0, 8 / 3, 8 / 3, 11 / 3])


def test_kendall_w_with_ties_agrees_with_friedman():
    means_KI = np.random.default_rng(7).integers(0, 4, size=(5, 8)).astype(float)
    chi2 = stats.friedmanchisquare(*means_KI.T).statistic
    assert kendall_w(means_KI, permutations=9).w == pytest.approx(chi2 / (5 * 7))


def test_kendall_w_limits():
    same = np.tile(np.arange(6.0), (4, 1))
    agreed = kendall_w(same, permutations=999)
    assert agreed.w == pytest.approx(1.0)
    assert agreed.p_permutation == pytest.approx(1 / 1000)
    assert kendall_w(np.zeros((3, 4)), permutations=9).p_permutation == 1.0


def test_kendall_p_is_uniform_without_agreement():
    rng = np.random.default_rng(24)
    p = [
        kendall_w(rng.normal(size=(4, 10)), permutations=199, seed=k).p_permutation
        for k in range(1000)
    ]
    _assert_uniform(np.array(p))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="cross"):
        seed_test([1.0, 2.0], [1, 2], [1, 2], factor="init")
    with pytest.raises(ValueError, match="factor"):
        seed_test([1.0], [1], [1], factor="dropout")
    with pytest.raises(ValueError, match="permutations"):
        seed_test([1.0], [1], [1], factor="init", permutations=0)
    with pytest.raises(ValueError, match="at least 2"):
        kendall_w([[1.0, 2.0]])
