"""Metrics of classification, larger is better, computed from the table of confusions.

Axes: N rows, C classes. ``confusion_CC[t, p]`` counts the rows of class t predicted as p.
A metric whose denominator is zero is 0 (as scikit-learn's ``zero_division=0``, without its
warning). The definitions are scikit-learn's; the tests compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.core.errors import InputError, nearest

Confusion = NDArray[np.int64]


@dataclass(frozen=True)
class Metric:
    """A metric: its name, how a person calls it, and whether it needs two classes."""

    name: str
    title: str
    compute: Callable[[Confusion], float]
    binary: bool = False

    def applies(self, classes: int) -> bool:
        """Whether the metric is defined for that many classes."""
        return classes == 2 or not self.binary

    def score(self, labels: ArrayLike, predictions: ArrayLike, classes: int) -> float:
        """Score ``predictions`` [N] against ``labels`` [N], integers in [0, ``classes``)."""
        return self.compute(confusion(labels, predictions, classes))


def confusion(labels: ArrayLike, predictions: ArrayLike, classes: int) -> Confusion:
    """Count the rows of each class by prediction: [C, C], axis 0 true, axis 1 predicted."""
    labels_N = np.asarray(labels, dtype=np.int64)
    predictions_N = np.asarray(predictions, dtype=np.int64)
    if labels_N.ndim != 1 or labels_N.shape != predictions_N.shape or labels_N.size == 0:
        raise ValueError(f"shapes {labels_N.shape} and {predictions_N.shape}: not [N] and [N]")
    for name, values_N in (("labels", labels_N), ("predictions", predictions_N)):
        if values_N.min() < 0 or values_N.max() >= classes:
            raise ValueError(f"{name} outside [0, {classes})")
    cells_N = labels_N * classes + predictions_N
    counts: Confusion = np.bincount(cells_N, minlength=classes * classes)
    return counts.reshape(classes, classes)


def _accuracy(confusion_CC: Confusion) -> float:
    return float(np.trace(confusion_CC) / confusion_CC.sum())


def _f1_each(confusion_CC: Confusion) -> NDArray[np.float64]:
    """F1 of each class that occurs among labels or predictions: 2 tp / (2 tp + fp + fn)."""
    twice_C = 2.0 * np.diagonal(confusion_CC)
    total_C = confusion_CC.sum(0) + confusion_CC.sum(1)
    occurs_C = total_C > 0
    result: NDArray[np.float64] = twice_C[occurs_C] / total_C[occurs_C]
    return result


def _f1(confusion_CC: Confusion) -> float:
    total = confusion_CC[1].sum() + confusion_CC[:, 1].sum()
    return float(2 * confusion_CC[1, 1] / total) if total else 0.0


def _macro_f1(confusion_CC: Confusion) -> float:
    return float(_f1_each(confusion_CC).mean())


def _acc_and_f1(confusion_CC: Confusion) -> float:
    f1 = _f1 if len(confusion_CC) == 2 else _macro_f1
    return (_accuracy(confusion_CC) + f1(confusion_CC)) / 2


def _matthews(confusion_CC: Confusion) -> float:
    """Matthews correlation; for C > 2 Gorodkin's (2004) generalisation.

    In Python's integers: the products overflow 64 bits for many rows.
    """
    true_C = [int(n) for n in confusion_CC.sum(1)]
    predicted_C = [int(n) for n in confusion_CC.sum(0)]
    rows = sum(true_C)
    covariance = int(np.trace(confusion_CC)) * rows
    covariance -= sum(t * p for t, p in zip(true_C, predicted_C, strict=True))
    of_true = rows**2 - sum(t * t for t in true_C)
    of_predicted = rows**2 - sum(p * p for p in predicted_C)
    if not of_true or not of_predicted:
        return 0.0
    return max(-1.0, min(1.0, covariance / math.sqrt(of_true * of_predicted)))


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("accuracy", "accuracy", _accuracy),
            Metric("f1", "F1 of label 1", _f1, binary=True),
            Metric("macro_f1", "F1, mean over classes", _macro_f1),
            Metric("acc_and_f1", "mean of accuracy and F1", _acc_and_f1),
            Metric("matthews", "Matthews correlation", _matthews),
        )
    }
)
"""Every metric by name. F1 in ``acc_and_f1`` is that of label 1 for two classes, else macro.

The mean over classes leaves out a class that neither labels nor predictions hold.
"""


def check_metric(name: str, classes: int, *, where: str) -> None:
    """Raise InputError unless ``name`` is a metric for that many classes."""
    valid = [metric.name for metric in METRICS.values() if metric.applies(classes)]
    if name in valid:
        return
    problem = (
        f"this metric is for two classes, the task has {classes}"
        if name in METRICS
        else "no such metric"
    )
    raise InputError(problem, where=where, given=name, allowed=nearest(name, valid))


def scores(labels: ArrayLike, predictions: ArrayLike, classes: int) -> dict[str, float]:
    """Score ``predictions`` [N] against ``labels`` [N] by every metric that applies."""
    confusion_CC = confusion(labels, predictions, classes)
    return {
        metric.name: metric.compute(confusion_CC)
        for metric in METRICS.values()
        if metric.applies(classes)
    }


def majority_score(labels: ArrayLike, metric: str, classes: int) -> float:
    """Score of always predicting the most frequent class of ``labels`` [N].

    Of equally frequent classes the first. A finished trial that scores no more has failed.
    """
    labels_N: NDArray[Any] = np.asarray(labels)
    majority = int(np.bincount(labels_N, minlength=classes).argmax())
    return METRICS[metric].score(labels_N, np.full_like(labels_N, majority), classes)
