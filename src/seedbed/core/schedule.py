"""When things happen in a full training: steps, epochs and evaluations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Schedule:
    """The steps of one full trial.

    ``examples`` rows are seen ``epochs`` times in batches of ``batch_size``; the last
    batch of an epoch may be smaller. ``per_epoch`` evaluations are spread evenly over an
    epoch, and the last step is always evaluated.
    """

    examples: int
    batch_size: int
    epochs: float
    per_epoch: int

    @cached_property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return math.ceil(self.examples / self.batch_size)

    @cached_property
    def steps(self) -> int:
        """Optimizer steps in full training."""
        return max(1, math.ceil(self.epochs * self.steps_per_epoch - 1e-9))

    @cached_property
    def evaluation_steps(self) -> tuple[int, ...]:
        """The steps after which a trial is evaluated, ascending; the last is ``steps``."""
        per_epoch = min(self.per_epoch, self.steps_per_epoch)
        count = math.ceil(self.steps / self.steps_per_epoch) * per_epoch
        spread = {round(k * self.steps_per_epoch / per_epoch) for k in range(1, count + 1)}
        return tuple(sorted({s for s in spread if 0 < s < self.steps} | {self.steps}))

    def progress(self, step: int) -> float:
        """Give the share of full training done after ``step`` steps, 0..1."""
        return step / self.steps

    def place(self, step: int) -> tuple[int, int]:
        """Give (epoch, batch within the epoch) of the ``step``-th optimizer step, from 0."""
        return divmod(step, self.steps_per_epoch)
