"""Which trials failed, and which collapsed to one class?

Legend: T trials, E evaluations, M examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seedbed.stats._checks import Bools, Ints, floats, same_length


@dataclass(frozen=True, eq=False)
class FailedTrials:
    """Failed trials, shown apart from merely weak ones.

    ``failed`` (T): finished at or below the majority class, or diverged. ``diverged`` (T):
    the loss became NaN or infinite. ``visible_from`` (T): the first evaluation from which
    on the trial never rose above the majority class (a diverged trial: the first one it no
    longer has), -1 for trials that did not fail.
    """

    failed: Bools
    diverged: Bools
    visible_from: Ints

    @property
    def count(self) -> int:
        """How many trials failed."""
        return int(self.failed.sum())


def failed_trials(
    scores: ArrayLike,
    *,
    majority: float,
    finished: ArrayLike | None = None,
    diverged: ArrayLike | None = None,
) -> FailedTrials:
    """Find the failed trials (Mosbach et al. 2021).

    Failed = finished, and the score at the last evaluation is at most that of always
    answering the majority class; or the loss became non-finite. A trial that was stopped
    early has not failed: its end is unknown.

    Args:
        scores: array [T, E] of the scores at each evaluation (not the best so far); NaN
            where a trial was not evaluated. A curve's numbers come first, NaN after them.
        majority: the majority class's score on the validation split, in the same metric.
        finished: T booleans, whether the curve covers the whole training; default: all
            that have the last evaluation.
        diverged: T booleans, whether the loss became NaN or infinite; default: none.

    Raises:
        ValueError: for wrong arguments.
    """
    scores_TE = floats("scores", scores, ndim=2, finite=False)
    if np.isinf(scores_TE).any():
        raise ValueError("scores must be numbers, or NaN where a trial was not evaluated")
    threshold = float(floats("majority", majority, ndim=0))
    trials, evaluations = scores_TE.shape
    present_TE = ~np.isnan(scores_TE)
    length_T = present_TE.sum(axis=1)
    if (present_TE != (np.arange(evaluations) < length_T[:, None])).any():
        raise ValueError("scores must not have NaN before a later evaluation of the same trial")
    finished_T = _flags("finished", finished, present_TE[:, -1])
    diverged_T = _flags("diverged", diverged, np.zeros(trials, dtype=np.bool_))
    if (finished_T & ~diverged_T & (length_T == 0)).any():
        raise ValueError("a finished trial needs at least one evaluation")

    above_TE = np.where(present_TE, scores_TE, -np.inf) > threshold
    last_above_T = np.where(
        above_TE.any(axis=1), evaluations - 1 - above_TE[:, ::-1].argmax(axis=1), -1
    )
    failed_T = diverged_T | (finished_T & (last_above_T < length_T - 1))
    visible_T = np.where(diverged_T, length_T, last_above_T + 1)
    return FailedTrials(
        failed=failed_T,
        diverged=diverged_T,
        visible_from=np.where(failed_T, visible_T, -1).astype(np.int64),
    )


def collapsed_trials(predictions: ArrayLike) -> Bools:
    """Say which trials predict one class for every example.

    Args:
        predictions: array [T, M] of predicted classes, M >= 1.

    Returns:
        T booleans.
    """
    predictions_TM = floats("predictions", predictions, ndim=2)
    return np.asarray((predictions_TM == predictions_TM[:, :1]).all(axis=1))


def _flags(name: str, values: ArrayLike | None, default: Bools) -> Bools:
    if values is None:
        return default
    flags_T = np.asarray(values)
    if flags_T.dtype != np.bool_ or flags_T.ndim != 1:
        raise ValueError(f"{name} must be one row of true and false")
    same_length(len(default), **{name: flags_T})
    return flags_T
