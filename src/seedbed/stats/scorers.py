"""Scores of many trials on many weighted samples of the examples, at once.

A *scorer* answers: what does each of R rows (a row is a trial, or one evaluation of a trial)
score on each of B weightings of the M examples? A bootstrap draw is a weighting (how often
each example was drawn), a split is one of zeros and ones. Whatever resamples examples takes a
scorer, so it works for any metric. Legend: R rows, M examples, B weightings, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from seedbed.stats._checks import Floats, count, floats, same_length, whole

Scorer = Callable[[Floats], Floats]
"""Maps weights [B, M], whole numbers >= 0, to scores [R, B]; larger is better."""

ConfusionMetric = Callable[[Floats], Floats]
"""Maps counts [..., C true, C predicted] to scores [...]."""

BATCH_NUMBERS = 8_000_000
"""One-hot predictions held at a time (32 MB as float32)."""


def accuracy(confusion: Floats) -> Floats:
    """Share of right answers; ``confusion`` is [..., C true, C predicted]."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return _over(right, confusion.sum(axis=(-2, -1)))


def f1(confusion: Floats) -> Floats:
    """F1 of class 1 of two: 2 TP / (2 TP + FP + FN), 0 where there is nothing to find."""
    if confusion.shape[-1] != 2:
        raise ValueError(f"f1 is for 2 classes, not {confusion.shape[-1]}")
    hits = 2.0 * confusion[..., 1, 1]
    return _over(hits, hits + confusion[..., 0, 1] + confusion[..., 1, 0])


def acc_and_f1(confusion: Floats) -> Floats:
    """Mean of accuracy and F1, the metric of MRPC."""
    return (accuracy(confusion) + f1(confusion)) / 2.0


def matthews(confusion: Floats) -> Floats:
    """Matthews correlation of C classes (Gorodkin 2004), 0 where a side is constant."""
    total = confusion.sum(axis=(-2, -1))
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    right = np.trace(confusion, axis1=-2, axis2=-1)
    together = right * total - (true * predicted).sum(axis=-1)
    spread_true = total**2 - (true**2).sum(axis=-1)
    spread_predicted = total**2 - (predicted**2).sum(axis=-1)
    return _over(together, np.sqrt(spread_true * spread_predicted))


def _over(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=np.float64), where=bottom > 0)


def confusion_scorer(predictions: ArrayLike, gold: ArrayLike, metric: ConfusionMetric) -> Scorer:
    """Build the scorer of a metric that follows from the confusion counts.

    Args:
        predictions: array [R, M] of predicted classes 0, 1, ...
        gold: M true classes.
        metric: ``accuracy``, ``f1``, ``acc_and_f1``, ``matthews`` or one of your own.

    Raises:
        ValueError: for wrong arguments.
    """
    predictions_RM = whole("predictions", predictions, ndim=2, low=0)
    gold_M = whole("gold", gold, low=0)
    same_length(predictions_RM.shape[1], gold=gold_M)
    classes = max(2, int(max(predictions_RM.max(), gold_M.max())) + 1)
    of_class = [np.flatnonzero(gold_M == c) for c in range(classes)]
    batch = max(1, BATCH_NUMBERS // len(gold_M))

    def score(weights: Floats) -> Floats:
        # float32 counts are exact up to 2**24, and their matrix product twice as fast.
        weights_MB = np.ascontiguousarray(_weights(weights, len(gold_M)).T, dtype=np.float32)
        scores_RB = np.empty((len(predictions_RM), weights_MB.shape[1]))
        for start in range(0, len(predictions_RM), batch):
            rows = slice(start, start + batch)
            counts = np.stack(
                [
                    np.stack(
                        [
                            (predictions_RM[rows][:, columns] == c).astype(np.float32)
                            @ weights_MB[columns]
                            for c in range(classes)
                        ],
                        axis=-1,
                    )
                    for columns in of_class
                ],
                axis=-2,
            )
            scores_RB[rows] = metric(counts.astype(np.float64))
        return scores_RB

    return score


def mean_scorer(values: ArrayLike) -> Scorer:
    """Build the scorer of a metric that is a mean over examples (accuracy, minus the loss).

    Args:
        values: array [R, M], what each example adds, larger is better; booleans are fine.

    Raises:
        ValueError: for wrong arguments.
    """
    values_RM = floats("values", values, ndim=2)

    def score(weights: Floats) -> Floats:
        weights_BM = _weights(weights, values_RM.shape[1])
        return np.asarray(values_RM @ weights_BM.T / weights_BM.sum(axis=1))

    return score


def bootstrap_weights(examples: int, resamples: int, rng: np.random.Generator) -> Floats:
    """Draw how often each of ``examples`` is in each bootstrap sample: [resamples, examples]."""
    count("examples", examples, low=1)
    even = np.full(examples, 1.0 / examples)
    return rng.multinomial(examples, even, size=resamples).astype(np.float64)


def whole_split(examples: int) -> Floats:
    """Give the weighting [1, examples] that takes every example once."""
    return np.ones((1, examples))


def _weights(weights: Floats, examples: int) -> Floats:
    weights_BM = floats("weights", weights, ndim=2)
    if weights_BM.shape[1] != examples:
        raise ValueError(f"weights must cover {examples} examples, not {weights_BM.shape[1]}")
    if (weights_BM < 0).any() or not weights_BM.any(axis=1).all():
        raise ValueError("weights must not be negative, and take at least one example each")
    return weights_BM
