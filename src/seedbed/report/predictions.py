"""What the stored predictions say: validation luck, collapse, and how honest the best is.

Legend: T trials, R rows (evaluations of trials), M examples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedbed.core.curves import Curve
from seedbed.report.recording import Floats, Predictions, Recording
from seedbed.stats.failed import collapsed_trials
from seedbed.stats.optimism import Optimism, best_of_n_optimism
from seedbed.stats.scorers import (
    ConfusionMetric,
    Scorer,
    acc_and_f1,
    accuracy,
    confusion_scorer,
    matthews,
)
from seedbed.stats.scorers import f1 as f1_of_two
from seedbed.stats.validation_noise import ValidationNoise, noise_of_accuracy, noise_of_metric

OPTIMISM_SPLITS = 200
MOST_CELLS = 60_000_000
"""Rows times examples up to which the optimism is computed: a minute, and 0.5 GB."""


def macro_f1(confusion: Floats) -> Floats:
    """F1, mean over the classes that occur; ``confusion`` is [..., C true, C predicted]."""
    hits = 2.0 * np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    each = np.divide(hits, both, out=np.zeros_like(hits, dtype=np.float64), where=both > 0)
    return np.asarray(each.sum(axis=-1) / np.maximum((both > 0).sum(axis=-1), 1))


def accuracy_and_macro_f1(confusion: Floats) -> Floats:
    """Mean of accuracy and macro F1: ``acc_and_f1`` for more than two classes."""
    return (accuracy(confusion) + macro_f1(confusion)) / 2.0


_METRICS: Mapping[str, Callable[[int], ConfusionMetric]] = {
    "accuracy": lambda classes: accuracy,
    "f1": lambda classes: f1_of_two,
    "macro_f1": lambda classes: macro_f1,
    "acc_and_f1": lambda classes: acc_and_f1 if classes == 2 else accuracy_and_macro_f1,
    "matthews": lambda classes: matthews,
}


def metric_of_confusion(name: str, classes: int) -> ConfusionMetric | None:
    """Give the metric as a function of confusion counts, or None where there is none."""
    build = _METRICS.get(name)
    return build(classes) if build else None


@dataclass(frozen=True)
class Collapsed:
    """The trials whose latest stored predictions are all one class, among ``of`` looked at."""

    trials: tuple[int, ...]
    of: int


def collapsed(recording: Recording) -> Collapsed | None:
    """Find trials that predict one class for every example; None without predictions."""
    if recording.predictions is None:
        return None
    rows = _rows(recording.predictions, recording.curves, last=True)
    if not rows:
        return None
    flags = collapsed_trials(np.stack([row for _, row in rows]))
    found = tuple(trial for (trial, _), flag in zip(rows, flags, strict=True) if flag)
    return Collapsed(found, len(rows))


def validation_noise(
    recording: Recording, *, resamples: int = 1_000, seed: int = 0
) -> ValidationNoise | None:
    """Split the spread of the scores at the end of training; None where it cannot be.

    All finished trials are compared at the same point, their last evaluation.
    """
    predictions = recording.predictions
    if predictions is None or len(recording.finished) < 2:
        return None
    rows = _rows(predictions, recording.finished, last=True)
    metric = metric_of_confusion(recording.metric, predictions.classes)
    if metric is None or len(rows) < len(recording.finished):
        return None
    predicted_TM = np.stack([row for _, row in rows])
    if recording.metric == "accuracy":
        return noise_of_accuracy(predicted_TM == predictions.labels_M)
    return noise_of_metric(
        confusion_scorer(predicted_TM, predictions.labels_M, metric),
        examples=len(predictions.labels_M),
        resamples=resamples,
        seed=seed,
    )


def optimism(recording: Recording, *, confidence: float, seed: int) -> Optimism | None:
    """Say how much the best of all started trials flatters itself; None where unknown.

    Every stored evaluation of every trial that did not diverge takes part in the choice,
    as it did when the study chose.
    """
    predictions = recording.predictions
    if predictions is None:
        return None
    sound = tuple(c for c in recording.curves if c.trial not in recording.diverged)
    rows = _rows(predictions, sound)
    metric = metric_of_confusion(recording.metric, predictions.classes)
    examples = len(predictions.labels_M)
    if metric is None or not rows or examples < 2 or len(rows) * examples > MOST_CELLS:
        return None
    trials = len({trial for trial, _ in rows})
    return best_of_n_optimism(
        confusion_scorer(np.stack([row for _, row in rows]), predictions.labels_M, metric),
        trial=[trial for trial, _ in rows],
        examples=examples,
        ns=sorted({1, *(n for n in (2, 5, 10, 20, 50, 100) if n < trials), trials}),
        splits=OPTIMISM_SPLITS,
        confidence=confidence,
        seed=seed,
    )


def scorer_at_best(recording: Recording, places: NDArray[np.int64]) -> Scorer | None:
    """Give the scorer of finished trials (``places`` among them), each at its best evaluation."""
    predictions = recording.predictions
    if predictions is None:
        return None
    metric = metric_of_confusion(recording.metric, predictions.classes)
    steps = [(c.trial, b.step) for c in recording.finished if (b := c.best()) is not None]
    keys = [steps[place] for place in places]
    if metric is None or any(key not in predictions.predicted for key in keys):
        return None
    predicted_TM = np.stack([predictions.predicted[key] for key in keys])
    return confusion_scorer(predicted_TM, predictions.labels_M, metric)


def _rows(
    predictions: Predictions, curves: tuple[Curve, ...], *, last: bool = False
) -> list[tuple[int, NDArray[np.int16]]]:
    """List (trial, predictions) of the evaluations, or the ``last`` ones, that are stored."""
    found = []
    for curve in curves:
        for evaluation in curve.evaluations[-1:] if last else curve.evaluations:
            row = predictions.predicted.get((curve.trial, evaluation.step))
            if row is not None:
                found.append((curve.trial, row))
    return found
