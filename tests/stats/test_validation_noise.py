"""Scorers against scikit-learn, and validation noise against simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from seedbed.stats.scorers import (
    acc_and_f1,
    accuracy,
    bootstrap_weights,
    confusion_scorer,
    f1,
    matthews,
    mean_scorer,
)
from seedbed.stats.validation_noise import noise_of_accuracy, noise_of_metric


def _both(gold, predicted):
    f1_score = metrics.f1_score(gold, predicted, zero_division=0.0)
    return (metrics.accuracy_score(gold, predicted) + f1_score) / 2


ORACLES = {
    accuracy: (2, metrics.accuracy_score),
    f1: (2, lambda gold, predicted: metrics.f1_score(gold, predicted, zero_division=0.0)),
    acc_and_f1: (2, _both),
    matthews: (4, metrics.matthews_corrcoef),
}


@pytest.mark.parametrize("metric", list(ORACLES))
def test_scorers_agree_with_scikit_learn_on_resampled_examples(metric):
    classes, oracle = ORACLES[metric]
    rng = np.random.default_rng(1)
    gold_M = rng.integers(0, classes, size=40)
    predictions_RM = rng.integers(0, classes, size=(6, 40))
    predictions_RM[0] = 0  # collapsed
    weights_BM = bootstrap_weights(40, 5, rng)
    scores_RB = confusion_scorer(predictions_RM, gold_M, metric)(weights_BM)
    for b, weights_M in enumerate(weights_BM):
        drawn = np.repeat(np.arange(40), weights_M.astype(int))
        expected = [oracle(gold_M[drawn], row[drawn]) for row in predictions_RM]
        np.testing.assert_allclose(scores_RB[:, b], expected, atol=1e-12)


def test_many_rows_go_in_batches(monkeypatch):
    rng = np.random.default_rng(2)
    gold_M, predictions_RM = rng.integers(0, 3, 20), rng.integers(0, 3, (17, 20))
    weights_BM = bootstrap_weights(20, 4, rng)
    whole = confusion_scorer(predictions_RM, gold_M, matthews)(weights_BM)
    monkeypatch.setattr("seedbed.stats.scorers.BATCH_NUMBERS", 60)
    np.testing.assert_array_equal(
        confusion_scorer(predictions_RM, gold_M, matthews)(weights_BM), whole
    )


def test_mean_scorer_is_accuracy():
    rng = np.random.default_rng(3)
    gold_M, predictions_RM = rng.integers(0, 2, 30), rng.integers(0, 2, (5, 30))
    weights_BM = bootstrap_weights(30, 7, rng)
    np.testing.assert_allclose(
        mean_scorer(predictions_RM == gold_M)(weights_BM),
        confusion_scorer(predictions_RM, gold_M, accuracy)(weights_BM),
    )


def _trials(rng, trials, examples, real_sd):
    """Trials of true accuracy 0.8 +- real_sd over examples that differ in difficulty."""
    difficulty_M = rng.uniform(0.6, 1.0, size=examples)
    quality_N = rng.normal(0, real_sd, size=trials)
    right_NM = np.clip(difficulty_M + quality_N[:, None], 0, 1)
    return rng.random((trials, examples)) < right_NM


@pytest.mark.parametrize("real_sd", [0.0, 0.03])
def test_noise_is_that_of_the_simulation(real_sd):
    rng = np.random.default_rng(4)
    found = [noise_of_accuracy(_trials(rng, 30, 400, real_sd)) for _ in range(150)]
    real_variance = np.array([f.observed_sd**2 - f.noise_sd**2 for f in found])
    standard_error = real_variance.std() / np.sqrt(len(found))
    # Four standard errors: a false alarm in 16,000 runs. Clipping at 1 shrinks it a little.
    truth = real_sd**2
    assert abs(real_variance.mean() - truth) < 4 * standard_error + 0.1 * truth


def test_trials_that_agree_have_no_noise():
    found = noise_of_accuracy(np.tile([True, False, True, True], (5, 1)))
    assert (found.observed_sd, found.noise_sd, found.real_sd) == (0.0, 0.0, 0.0)


def test_by_hand():
    # Two trials, two examples: p = (1, 1/2); noise = (1/4)(1/4)(2/1) = 1/8.
    found = noise_of_accuracy([[1, 0], [1, 1]])
    assert found.noise_sd**2 == pytest.approx(1 / 8)
    assert found.observed_sd**2 == pytest.approx(1 / 8)
    assert found.real_sd == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 12), st.integers(20, 60))
def test_the_bootstrap_agrees_with_the_formula(seed, trials, examples):
    rng = np.random.default_rng(seed)
    correct_NM = rng.random((trials, examples)) < rng.random(examples)
    formula = noise_of_accuracy(correct_NM)
    boot = noise_of_metric(mean_scorer(correct_NM), examples=examples, resamples=1000, seed=seed)
    expected = formula.noise_sd**2 - formula.observed_sd**2 / examples
    assert boot.noise_sd**2 == pytest.approx(expected, rel=0.25, abs=1e-12)
    assert boot.observed_sd == pytest.approx(formula.observed_sd)


def test_the_same_seed_gives_the_same_noise():
    correct_NM = np.random.default_rng(5).random((4, 30)) < 0.7
    one, two, other = (
        noise_of_metric(mean_scorer(correct_NM), examples=30, resamples=150, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == two
    assert one.noise_sd != other.noise_sd


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="true and false"):
        noise_of_accuracy([[0.5, 1.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="trials"):
        noise_of_accuracy([[1, 0]])
    with pytest.raises(ValueError, match="2 classes"):
        confusion_scorer([[0, 1, 2]], [0, 1, 2], f1)(np.ones((1, 3)))
    with pytest.raises(ValueError, match="gold"):
        confusion_scorer([[0, 1, 2]], [0, 1], accuracy)
    with pytest.raises(ValueError, match="cover 3"):
        mean_scorer([[0.0, 1.0, 2.0]])(np.ones((1, 2)))
    with pytest.raises(ValueError, match="at least one example"):
        mean_scorer([[0.0, 1.0]])(np.zeros((1, 2)))
