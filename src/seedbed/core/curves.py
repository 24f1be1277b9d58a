"""What training tells us: evaluations, and the curve they make."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from seedbed.core.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The scores of one trial on the validation split at one step.

    ``score`` is the study's metric, larger is better; ``scores`` holds every metric of
    the task; ``loss`` is the mean cross-entropy in nats. ``seconds`` counts the trial's
    own training and evaluation so far; it is a measurement, not part of the result.
    ``logits`` are the float16 logits, row-major [examples, classes], as bytes.
    """

    step: int
    progress: float
    score: float
    loss: float
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    logits: bytes | None = field(default=None, repr=False)

    @property
    def finite(self) -> bool:
        """Whether score and loss are numbers that can be compared."""
        return math.isfinite(self.score) and math.isfinite(self.loss)

    def better_than(self, other: Evaluation) -> bool:
        """Whether this one scores higher, or the same with a lower loss."""
        return (self.score, -self.loss) > (other.score, -other.loss)


@dataclass(frozen=True, slots=True)
class Curve:
    """A trial's evaluations in the order of steps; ``trial`` is its number in the study."""

    trial: int
    seeds: Seeds
    evaluations: tuple[Evaluation, ...] = ()

    @property
    def last(self) -> Evaluation | None:
        """The latest evaluation, or None before the first."""
        return self.evaluations[-1] if self.evaluations else None

    @property
    def step(self) -> int:
        """How many optimizer steps the curve covers."""
        return self.evaluations[-1].step if self.evaluations else 0

    @property
    def progress(self) -> float:
        """Which share of full training the curve covers, 0..1."""
        return self.evaluations[-1].progress if self.evaluations else 0.0

    @property
    def finished(self) -> bool:
        """Whether the curve covers the whole training."""
        return self.progress >= 1.0

    def best(self, until: float = 1.0) -> Evaluation | None:
        """Give the best evaluation up to progress ``until``.

        Highest score; of equal scores the lower loss; of equal losses the earlier.
        """
        best: Evaluation | None = None
        for evaluation in self.evaluations:
            if evaluation.progress > until + PROGRESS_TOLERANCE:
                break
            if evaluation.finite and (best is None or evaluation.better_than(best)):
                best = evaluation
        return best

    def extended(self, evaluation: Evaluation) -> Curve:
        """Give this curve with one more evaluation at its end."""
        if evaluation.step <= self.step:
            raise ValueError(f"step {evaluation.step} does not follow step {self.step}")
        return replace(self, evaluations=(*self.evaluations, evaluation))


PROGRESS_TOLERANCE = 1e-9
"""Two shares of training nearer than this are the same (they come from step / steps)."""


def rank(curves: list[Curve], until: float = 1.0) -> list[Curve]:
    """Order ``curves`` best first by their best evaluation up to ``until``: a total order.

    Ties go by the loss at that evaluation, then by trial number. Curves without a finite
    evaluation stand last.
    """

    def key(curve: Curve) -> tuple[float, float, int]:
        best = curve.best(until)
        if best is None:
            return (math.inf, math.inf, curve.trial)
        return (-best.score, best.loss, curve.trial)

    return sorted(curves, key=key)
