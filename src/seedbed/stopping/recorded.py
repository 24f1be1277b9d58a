"""Recorded curves as arrays: what replay and plan compute with.

Axes: T trials, E evaluations. Trials stand in the order of their numbers, so that the
answer does not depend on the order in which somebody lists the curves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seedbed.core.curves import PROGRESS_TOLERANCE, Curve
from seedbed.core.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
WHERE = "recorded curves"


@dataclass(frozen=True, eq=False)
class Recorded:
    """The finished trials of a study, all evaluated at the same shares of training.

    ``best_TE`` is the best score so far, ``loss_TE`` the validation loss at that best
    evaluation, ``progress_E`` where the evaluations lie (ascending, the last is 1).
    ``left_out`` counts the curves that do not reach the end: what a stopped trial would
    have scored is unknown, so it cannot be replayed.
    """

    curves: tuple[Curve, ...]
    best_TE: Floats
    loss_TE: Floats
    progress_E: Floats
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def finals(self) -> Floats:
        """Each trial's score, [T]: its best when it is trained to the end."""
        return self.best_TE[:, -1]

    @property
    def inits(self) -> Integers:
        """Each trial's init seed, [T]."""
        return np.array([curve.seeds.init for curve in self.curves], dtype=np.int64)

    @property
    def orders(self) -> Integers:
        """Each trial's order seed, [T]."""
        return np.array([curve.seeds.order for curve in self.curves], dtype=np.int64)

    def pause_index(self, at: float) -> int:
        """Give the evaluation at which a trial told to pause at ``at`` does so: the last not after.

        ``at = 1`` is the last evaluation: nothing is stopped.
        """
        early = np.flatnonzero(self.progress_E <= at + PROGRESS_TOLERANCE)
        if not 0 < at <= 1 or not len(early):
            raise InputError(
                "no evaluation comes so early that trials could be ranked",
                where="at",
                given=at,
                allowed=f"{self.progress_E[0]:.4g} <= at <= 1",
            )
        return int(early[-1])

    def ranking(self, evaluation: int) -> Integers:
        """Order the trials best first at ``evaluation``, as ``core.curves.rank`` does.

        By best score so far, ties by the loss at that evaluation, then by trial number.
        """
        return np.lexsort((self.loss_TE[:, evaluation], -self.best_TE[:, evaluation]))

    def subset(self, trials_K: Integers) -> Recorded:
        """Give the trials at these places, ascending; a place may come more than once.

        The trials are numbered anew, so that a repeated trial counts as two.
        """
        places = sorted(trials_K.tolist())
        curves = tuple(replace(self.curves[i], trial=k) for k, i in enumerate(places))
        return Recorded(curves, self.best_TE[places], self.loss_TE[places], self.progress_E)


def record(curves: Iterable[Curve]) -> Recorded:
    """Put the finished ones of ``curves`` into arrays.

    Raises InputError where the curves cannot be compared: no finished trial, a trial
    number twice, evaluations at different shares of training, scores that are not finite,
    losses recorded for some evaluations and not for others. Where no loss is recorded at
    all (NaN everywhere), ties go by trial number alone.
    """
    given = list(curves)
    finished = sorted((c for c in given if c.finished), key=lambda curve: curve.trial)
    if not finished:
        raise InputError(
            "no trial was trained to the end, so there is nothing to replay",
            where=WHERE,
            given=f"{len(given)} curves",
            allowed="at least one curve that reaches progress 1",
        )
    _check_numbers(finished)
    _check_grid(finished)
    score_TE = np.array([[e.score for e in c.evaluations] for c in finished], dtype=np.float64)
    loss_TE = np.array([[e.loss for e in c.evaluations] for c in finished], dtype=np.float64)
    _check_finite(finished, score_TE, "score")
    if np.isnan(loss_TE).all():
        loss_TE = np.zeros_like(loss_TE)
        finished = [_without_loss(curve) for curve in finished]
    _check_finite(finished, loss_TE, "loss")
    best_TE, best_loss_TE = _so_far(score_TE, loss_TE)
    progress_E = np.array([e.progress for e in finished[0].evaluations], dtype=np.float64)
    return Recorded(
        tuple(finished), best_TE, best_loss_TE, progress_E, left_out=len(given) - len(finished)
    )


def as_recorded(curves: Recorded | Iterable[Curve]) -> Recorded:
    """Accept curves or what ``record`` made of them."""
    return curves if isinstance(curves, Recorded) else record(curves)


def _so_far(score_TE: Floats, loss_TE: Floats) -> tuple[Floats, Floats]:
    best_TE, best_loss_TE = score_TE.copy(), loss_TE.copy()
    for e in range(1, score_TE.shape[1]):
        before, loss_before = best_TE[:, e - 1], best_loss_TE[:, e - 1]
        now, loss_now = score_TE[:, e], loss_TE[:, e]
        better = (now > before) | ((now == before) & (loss_now < loss_before))
        best_TE[:, e] = np.where(better, now, before)
        best_loss_TE[:, e] = np.where(better, loss_now, loss_before)
    return best_TE, best_loss_TE


def _check_numbers(curves: Sequence[Curve]) -> None:
    numbers = [curve.trial for curve in curves]
    twice = sorted({n for n, m in itertools.pairwise(numbers) if n == m})
    if twice:
        raise InputError("a trial number stands for two curves", where=WHERE, given=twice)


def _check_grid(curves: Sequence[Curve]) -> None:
    first = [e.progress for e in curves[0].evaluations]
    for curve in curves[1:]:
        here = [e.progress for e in curve.evaluations]
        same = len(here) == len(first) and all(
            abs(a - b) <= PROGRESS_TOLERANCE for a, b in zip(here, first, strict=True)
        )
        if not same:
            raise InputError(
                f"trial {curve.trial} ({curve.seeds}) was not evaluated where "
                f"trial {curves[0].trial} was",
                where=WHERE,
                given=f"{len(here)} evaluations at {_shares(here)}",
                allowed=f"{len(first)} evaluations at {_shares(first)}",
            )


def _shares(progress: Sequence[float]) -> str:
    shown = ", ".join(f"{p:.4g}" for p in progress[:4])
    return shown + (", ..." if len(progress) > 4 else "")


def _check_finite(curves: Sequence[Curve], value_TE: Floats, name: str) -> None:
    bad = np.argwhere(~np.isfinite(value_TE))
    if len(bad):
        trial, evaluation = curves[bad[0][0]], curves[bad[0][0]].evaluations[bad[0][1]]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise InputError(
            f"the {name} of trial {trial.trial} ({trial.seeds}) at step {evaluation.step} "
            f"is not a finite number{more}",
            where=WHERE,
            given=getattr(evaluation, name),
            allowed="finite numbers; leave out trials that failed",
        )


def _without_loss(curve: Curve) -> Curve:
    """Give equal losses to all: policies then tell ties apart by trial number."""
    evaluations = tuple(
        replace(e, loss=0.0) if math.isnan(e.loss) else e for e in curve.evaluations
    )
    return replace(curve, evaluations=evaluations)
