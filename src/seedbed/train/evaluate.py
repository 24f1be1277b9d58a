"""From logits to an evaluation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seedbed.core.curves import Evaluation
from seedbed.tasks.metrics import scores
from seedbed.train.job import Job

EVALUATION_ROWS = 256
EVALUATION_TOKENS = 8192
"""Largest evaluation batch, in rows and in padded tokens."""


def half_logits(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Round logits [examples, classes] to float16 so that every prediction stays.

    Where rounding makes a tie or turns one, the predicted class is moved up to the next
    float16, so scores computed from what is stored are the scores that were reported.
    """
    limit = float(np.finfo(np.float16).max)
    half = np.clip(logits, -limit, limit).astype(np.float16)
    predicted = logits.argmax(axis=1)
    rows = np.arange(len(half))
    tops = half.max(axis=1)
    others = half.copy()
    others[rows, predicted] = -np.inf
    blurred = others.max(axis=1) >= half[rows, predicted]
    half[rows[blurred], predicted[blurred]] = np.nextafter(tops[blurred], np.float16(np.inf))
    return half


def evaluation(
    job: Job, logits: npt.NDArray[np.float32], *, step: int, seconds: float
) -> Evaluation:
    """Score ``logits`` [examples, classes] against the validation labels."""
    labels = np.asarray(job.validation.labels)
    if not np.isfinite(logits).all():
        nan = float("nan")
        return Evaluation(
            step=step, progress=job.schedule.progress(step), score=nan, loss=nan, seconds=seconds
        )
    wide = logits.astype(np.float64)
    peak = wide.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(wide - peak).sum(axis=1)) + peak[:, 0]
    loss = float(np.mean(log_sums - wide[np.arange(len(labels)), labels]))
    values = scores(labels, logits.argmax(axis=1), len(job.label_names))
    return Evaluation(
        step=step,
        progress=job.schedule.progress(step),
        score=values[job.metric],
        loss=loss,
        scores=values,
        seconds=seconds,
        logits=half_logits(logits).tobytes(),
    )
