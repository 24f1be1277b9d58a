"""How much of the spread between trials is only the luck of a finite validation split?

Legend: N trials, M examples, B bootstrap samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seedbed.stats._checks import count, floats
from seedbed.stats.scorers import Scorer, bootstrap_weights, whole_split

BATCH_SAMPLES = 100


@dataclass(frozen=True)
class ValidationNoise:
    """Standard deviations over trials: observed, of validation luck alone, and the real one.

    ``real_sd`` = sqrt(max(0, observed^2 - noise^2)) is what a very large validation split
    would show. Near 0, picking the best seed on this split gains nothing on new data;
    ``negative`` says that the difference fell below zero.
    """

    observed_sd: float
    noise_sd: float
    real_sd: float
    negative: bool
    trials: int
    examples: int
    method: Literal["per-example correctness", "bootstrap over examples"]


def noise_of_accuracy(correct: ArrayLike) -> ValidationNoise:
    """Split the variance of accuracy into validation luck and real difference (Jordan 2024).

    With p_k the share of the N trials that get example k right, the variance that luck on
    M examples alone gives to trials that are equally good is

        (1 / M^2) sum_k p_k (1 - p_k) N / (N - 1).

    Assumes that, for such trials, right and wrong on different examples are independent.

    Args:
        correct: array [N >= 2, M] of booleans (or 0 and 1): did the trial get it right.

    Raises:
        ValueError: for wrong arguments.

    Reference: Jordan (2024), On the variance of neural network training with respect to
    test sets and distributions, ICLR.
    """
    correct_NM = floats("correct", correct, ndim=2)
    if not np.isin(correct_NM, (0.0, 1.0)).all():
        raise ValueError("correct must hold true and false (or 1 and 0)")
    trials, examples = correct_NM.shape
    count("trials", trials, low=2)
    right_M = correct_NM.mean(axis=0)
    noise = float((right_M * (1 - right_M)).sum()) / examples**2 * trials / (trials - 1)
    observed = float(correct_NM.mean(axis=1).var(ddof=1))
    return _result(observed, noise, trials, examples, "per-example correctness")


def noise_of_metric(
    scorer: Scorer, *, examples: int, resamples: int = 1_000, seed: int = 0
) -> ValidationNoise:
    """Split the variance of any metric, by a bootstrap over examples.

    For every bootstrap sample of the examples each trial's score is taken less the mean over
    the trials, as all trials share their luck on easy examples. The noise is the variance of
    that over samples, averaged over trials, times N / (N - 1). For accuracy it is
    ``noise_of_accuracy`` less a share 1/M of the observed variance.

    Args:
        scorer: scores of the N >= 2 trials on weighted examples (``scorers``).
        examples: M.
        resamples: B >= 2.
        seed: of the bootstrap.

    Raises:
        ValueError: for wrong arguments.
    """
    count("examples", examples, low=2)
    count("resamples", resamples, low=2)
    scores_N = scorer(whole_split(examples))[:, 0]
    trials = count("trials", len(scores_N), low=2)
    rng = np.random.default_rng(seed)
    # Batches keep the memory small where there are many examples.
    batches = [
        scorer(bootstrap_weights(examples, min(BATCH_SAMPLES, resamples - start), rng))
        for start in range(0, resamples, BATCH_SAMPLES)
    ]
    scores_NB = np.concatenate(batches, axis=1)
    centred_NB = scores_NB - scores_NB.mean(axis=0)
    noise = float(centred_NB.var(axis=1, ddof=1).mean()) * trials / (trials - 1)
    observed = float(scores_N.var(ddof=1))
    return _result(observed, noise, trials, examples, "bootstrap over examples")


def _result(
    observed: float,
    noise: float,
    trials: int,
    examples: int,
    method: Literal["per-example correctness", "bootstrap over examples"],
) -> ValidationNoise:
    return ValidationNoise(
        observed_sd=float(np.sqrt(observed)),
        noise_sd=float(np.sqrt(noise)),
        real_sd=float(np.sqrt(max(observed - noise, 0.0))),
        negative=bool(observed < noise),
        trials=trials,
        examples=examples,
        method=method,
    )
