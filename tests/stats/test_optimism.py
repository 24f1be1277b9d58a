"""Optimism of the best of N: all splits by hand, laws, simulated truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.stats.optimism import best_of_n_optimism
from seedbed.stats.scorers import confusion_scorer, matthews, mean_scorer
from stats._simulate import assert_rate_within


def _brute_force(values_RM, trial_R, n):
    """All splits in halves, all subsets of n trials; ties by the mean over the tied."""
    examples = values_RM.shape[1]
    inside_all, outside_all = [], []
    for chosen in itertools.combinations(range(examples), examples // 2):
        inside = values_RM[:, chosen].mean(axis=1)
        outside = np.delete(values_RM, chosen, axis=1).mean(axis=1)
        for subset in itertools.combinations(np.unique(trial_R), n):
            rows = np.flatnonzero(np.isin(trial_R, subset))
            best = inside[rows].max()
            tied = rows[inside[rows] == best]
            # Trials are tied first, then evaluations within a trial.
            by_trial = [outside[tied[trial_R[tied] == t]].mean() for t in np.unique(trial_R[tied])]
            inside_all.append(best)
            outside_all.append(np.mean(by_trial))
    return np.mean(inside_all), np.mean(outside_all)


def test_agrees_with_all_splits_and_subsets():
    rng = np.random.default_rng(1)
    values_RM = (rng.random((7, 8)) < 0.6).astype(float)
    trial_R = np.array([3, 3, 5, 5, 5, 9, 11])
    found = best_of_n_optimism(
        mean_scorer(values_RM), trial=trial_R, examples=8, splits=20_000, seed=2
    )
    assert found.ns.tolist() == [1, 2, 3, 4]
    for k, n in enumerate(found.ns):
        selected, held_out = _brute_force(values_RM, trial_R, int(n))
        # One split's scores spread by less than 0.25: five standard errors.
        assert found.selected[k] == pytest.approx(selected, abs=5 * 0.25 / np.sqrt(20_000))
        assert found.held_out[k] == pytest.approx(held_out, abs=5 * 0.25 / np.sqrt(20_000))
    assert found.score == values_RM.mean(axis=1).max()
    assert found.trial == trial_R[found.row]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_laws(seed):
    rng = np.random.default_rng(seed)
    values_RM = rng.random((6, 20))
    trial_R = np.array([0, 0, 1, 1, 2, 3])
    arguments = {"examples": 20, "splits": 60, "seed": seed}
    found = best_of_n_optimism(mean_scorer(values_RM), trial=trial_R, **arguments)
    assert (np.diff(found.selected) >= -1e-12).all(), "the best of more never scores less"
    np.testing.assert_allclose(
        found.optimism, (found.selected - found.held_out) * np.sqrt(found.selection_share)
    )
    assert found.honest == pytest.approx(found.score - found.optimism[-1])
    assert found.lower < found.honest < found.upper
    moved = best_of_n_optimism(mean_scorer(values_RM + 3.0), trial=trial_R, **arguments)
    assert moved.honest == pytest.approx(found.honest + 3.0)
    shuffle = rng.permutation(6)
    other = best_of_n_optimism(mean_scorer(values_RM[shuffle]), trial=trial_R[shuffle], **arguments)
    np.testing.assert_allclose(other.held_out, found.held_out)
    assert other.trial == found.trial


def test_one_evaluation_of_one_trial_is_not_chosen_and_not_flattered():
    values_RM = (np.random.default_rng(3).random((1, 40)) < 0.7).astype(float)
    found = best_of_n_optimism(mean_scorer(values_RM), trial=[7], examples=40, splits=4_000)
    # A split's two halves differ with standard deviation below 0.16.
    assert abs(found.optimism[0]) < 5 * 0.16 / np.sqrt(4_000)
    assert found.trial == 7


def test_trials_that_agree_are_not_flattered():
    values_RM = np.tile((np.arange(30) % 3 > 0).astype(float), (5, 1))
    found = best_of_n_optimism(mean_scorer(values_RM), trial=np.arange(5), examples=30)
    np.testing.assert_allclose(found.optimism, found.optimism[0])


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_the_interval_is_that_of_a_mean(share):
    values_RM = (np.random.default_rng(8).random((1, 200)) < 0.7).astype(float)
    found = best_of_n_optimism(
        mean_scorer(values_RM), trial=[1], examples=200, splits=4_000, selection_share=share
    )
    expected = 1.96 * values_RM.std(ddof=1) / np.sqrt(200)
    # Nothing is chosen: both standard errors are this one. A standard deviation from 4,000
    # splits is known to 1.1 %: five of those.
    assert found.upper - found.honest == pytest.approx(expected, rel=0.056)


def test_batches_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    scorer = confusion_scorer(rng.integers(0, 2, (4, 30)), rng.integers(0, 2, 30), matthews)
    whole = best_of_n_optimism(scorer, trial=[1, 1, 2, 3], examples=30, splits=50, seed=5)
    monkeypatch.setattr("seedbed.stats.optimism.BATCH_NUMBERS", 210)
    parts = best_of_n_optimism(scorer, trial=[1, 1, 2, 3], examples=30, splits=50, seed=5)
    np.testing.assert_allclose(parts.held_out, whole.held_out)
    assert parts.honest == pytest.approx(whole.honest)


def _study(rng, real_sd, trials=25, examples=300):
    """Give (correct [T, M], the trials' accuracy on endless data)."""
    quality_T = rng.normal(0, real_sd, size=trials)
    difficulty_M = rng.uniform(0.5, 1.0, size=examples)
    correct_TM = rng.random((trials, examples)) < np.clip(difficulty_M + quality_T[:, None], 0, 1)
    endless = np.linspace(0.5, 1.0, 501)
    return correct_TM, np.clip(endless + quality_T[:, None], 0, 1).mean(axis=1)


def _honesty(real_sd, studies, *, seed):
    rng = np.random.default_rng(seed)
    errors, flattered, hits = [], [], 0
    for study in range(studies):
        correct_TM, truth_T = _study(rng, real_sd)
        found = best_of_n_optimism(
            mean_scorer(correct_TM),
            trial=np.arange(25),
            examples=300,
            splits=100,
            seed=study,
        )
        truth = truth_T[found.row]
        errors.append(found.honest - truth)
        flattered.append(found.score - truth)
        hits += found.lower <= truth <= found.upper
    print(real_sd, "bias", np.mean(errors), "before", np.mean(flattered), hits / studies, seed)
    return np.array(errors), np.array(flattered), hits


@pytest.mark.parametrize("real_sd", [0.0, 0.03])
def test_the_honest_estimate_is_honest(real_sd):
    errors, flattered, hits = _honesty(real_sd, 150, seed=6)
    # Four standard errors, on the careful side a quarter of the flattery is allowed.
    error = errors.std() / np.sqrt(len(errors))
    assert -0.25 * flattered.mean() - 4 * error < errors.mean() < 4 * error
    assert flattered.mean() > 0.02
    assert_rate_within(hits, 150, 0.93, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("real_sd", [0.0, 0.01, 0.03, 0.06])
def test_the_honest_estimate_covers(real_sd):
    _, _, hits = _honesty(real_sd, 1_000, seed=7)
    # Conservative where trials do not differ: which one wins is then luck alone.
    assert_rate_within(hits, 1_000, 0.93, 1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trial": [1]}, "each of 2"),
        ({"ns": [3]}, "1 to 2"),
        ({"selection_share": 1.0}, "between"),
        ({"examples": 1}, "examples"),
        ({"splits": 0}, "splits"),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = {"trial": [1, 2], "examples": 3} | change
    with pytest.raises(ValueError, match=words):
        best_of_n_optimism(mean_scorer([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), **arguments)
