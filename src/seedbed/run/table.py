"""A learner that plays recorded curves: orchestration without training."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import SeedbedError
from seedbed.core.seeds import Seeds
from seedbed.core.work import Failure, Probe, Start


class TableLearner:
    """Answers from ``curves`` what training would have answered.

    All curves have the same evaluation steps. A step listed in ``failures`` for a trial's
    seeds fails it there.
    """

    saves = False

    def __init__(
        self,
        curves: Sequence[Curve],
        *,
        width: int = 256,
        failures: Mapping[Seeds, int] | None = None,
    ) -> None:
        """Play ``curves``, ``width`` trials at a time."""
        self._evaluations = {
            curve.seeds: {evaluation.step: evaluation for evaluation in curve.evaluations}
            for curve in curves
        }
        self.evaluation_steps = tuple(e.step for e in curves[0].evaluations)
        self.width = width
        self._failures = dict(failures or {})

    new_layer_names: tuple[str, ...] = ()

    def array(self, starts: Sequence[Start]) -> _PlayedArray:
        """Take up trials by their seeds."""
        return _PlayedArray(self._evaluations, self._failures, starts)

    def probe(self) -> Probe:
        """Playing takes nothing."""
        return Probe()

    def export(self, weights: Path, folder: Path) -> None:
        """Recorded curves have no weights."""
        raise SeedbedError("recorded curves have no weights to export")


class _PlayedArray:
    def __init__(
        self,
        evaluations: Mapping[Seeds, Mapping[int, Evaluation]],
        failures: Mapping[Seeds, int],
        starts: Sequence[Start],
    ) -> None:
        self._evaluations, self._failures = evaluations, failures
        self._seeds = {start.trial: start.seeds for start in starts}

    def advance(self, to: int) -> Mapping[int, Evaluation | Failure]:
        """Look the evaluations at step ``to`` up."""
        return {
            trial: Failure(to, "the recorded trial failed here")
            if self._failures.get(seeds) == to
            else self._evaluations[seeds][to]
            for trial, seeds in self._seeds.items()
        }

    def save(self, trial: int, weights: Path, optimizer: Path) -> None:
        """Nothing to write."""

    def keep(self, trials: Collection[int]) -> None:
        """Play on for ``trials`` only."""
        self._seeds = {trial: self._seeds[trial] for trial in trials}
