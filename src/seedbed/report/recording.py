"""What is known of one task's trials, from a study folder or a curves table, as arrays.

Legend: T trials (the finished ones), E evaluations, M examples, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seedbed.core.curves import Curve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GRID_DECIMALS = 9
"""Shares of training that agree to so many decimals are the same."""

SCORE_RANGES: Mapping[str, tuple[float, float]] = {
    "accuracy": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "macro_f1": (0.0, 1.0),
    "acc_and_f1": (0.0, 1.0),
    "matthews": (-1.0, 1.0),
    "loss": (-np.inf, 0.0),
}
"""Least and largest possible score of the metrics whose meaning is known (the loss negated)."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted classes of the validation split, by trial and step; ``labels_M`` are true."""

    labels_M: Ints
    classes: int
    predicted: Mapping[tuple[int, int], NDArray[np.int16]]


@dataclass(frozen=True)
class Recording:
    """The started trials of one task, scored by ``metric`` (larger is better).

    ``diverged``: numbers of the trials whose loss became NaN or infinite; their curves end
    before. ``chosen``: whether a policy decided which trials finish (None: not known).
    ``majority``: the majority class's score on the validation split, where known.
    """

    name: str
    metric: str
    curves: tuple[Curve, ...]
    diverged: frozenset[int] = frozenset()
    has_loss: bool = True
    has_seconds: bool = True
    chosen: bool | None = None
    majority: float | None = None
    score_range: tuple[float, float] = (-np.inf, np.inf)
    predictions: Predictions | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def started(self) -> int:
        """How many trials were started."""
        return len(self.curves)

    @cached_property
    def finished(self) -> tuple[Curve, ...]:
        """The trials trained to the end, in the order of their numbers."""
        ended = [
            c
            for c in self.curves
            if c.finished and c.best() is not None and c.trial not in self.diverged
        ]
        return tuple(sorted(ended, key=lambda curve: curve.trial))

    @property
    def unfinished(self) -> int:
        """How many trials were stopped or wait, other than by diverging."""
        return self.started - len(self.finished) - len(self.diverged)

    @cached_property
    def finals(self) -> Floats:
        """Each finished trial's score [T]: its best over its whole curve."""
        best = [curve.best() for curve in self.finished]
        return np.array([e.score for e in best if e is not None], dtype=np.float64)

    @cached_property
    def inits(self) -> Ints:
        """Each finished trial's init seed [T]."""
        return np.array([c.seeds.init for c in self.finished], dtype=np.int64)

    @cached_property
    def orders(self) -> Ints:
        """Each finished trial's order seed [T]."""
        return np.array([c.seeds.order for c in self.finished], dtype=np.int64)

    @cached_property
    def seconds(self) -> Floats:
        """What each finished trial took [T], evaluations included; 0 where not recorded."""
        return np.array([c.evaluations[-1].seconds for c in self.finished], dtype=np.float64)

    @property
    def spent(self) -> float:
        """Training so far, in full-trial equivalents."""
        return float(sum(curve.progress for curve in self.curves))

    @cached_property
    def grid(self) -> Grid | None:
        """The finished trials where all of them were evaluated; None without any."""
        return _grid(self.finished) if self.finished else None


@dataclass(frozen=True, eq=False)
class Grid:
    """Finished trials at the shares of training that all of them have in common.

    ``best_TE`` is the best score so far, whatever it was measured at; ``loss_TE`` the loss at
    that evaluation. ``same``: whether every trial was evaluated there and nowhere else.
    """

    progress_E: Floats
    best_TE: Floats
    loss_TE: Floats
    same: bool


def _grid(finished: tuple[Curve, ...]) -> Grid:
    shares = [{round(e.progress, GRID_DECIMALS) for e in c.evaluations} for c in finished]
    common = set.intersection(*shares)
    first = [e.progress for e in finished[0].evaluations]
    progress_E = np.array([p for p in first if round(p, GRID_DECIMALS) in common])
    best_TE = np.empty((len(finished), len(common)))
    loss_TE = np.empty_like(best_TE)
    for t, curve in enumerate(finished):
        best, place = curve.evaluations[0], 0
        for evaluation in curve.evaluations:
            if evaluation.better_than(best):
                best = evaluation
            if round(evaluation.progress, GRID_DECIMALS) in common:
                best_TE[t, place], loss_TE[t, place] = best.score, best.loss
                place += 1
    same = all(len(share) == len(common) for share in shares)
    return Grid(progress_E, best_TE, loss_TE, same)
