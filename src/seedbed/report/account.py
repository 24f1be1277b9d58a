"""What a report is about: one task's analysis, and each trial's fate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from seedbed.core.curves import Curve, rank
from seedbed.report import words
from seedbed.report.analysis import Analysis
from seedbed.report.recording import Recording


class Fate(str, Enum):
    """What became of a trial; each trial has one."""

    WON = "winner"
    FINISHED = "trained to the end"
    STOPPED = "stopped early"
    GOING = "not ended yet"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Account:
    """One task to report on.

    ``title`` names the task; ``facts`` are lines about it (model, recipe, seeds) by name.
    ``epochs`` of full training, where known. ``going``: trials that are not ended.
    """

    title: str
    analysis: Analysis
    epochs: float | None = None
    going: frozenset[int] = frozenset()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def recording(self) -> Recording:
        """The trials."""
        return self.analysis.recording

    @cached_property
    def winner(self) -> Curve | None:
        """The trial with the best evaluation of all that did not diverge."""
        sound = [c for c in self.recording.curves if c.trial not in self.recording.diverged]
        ranked = rank([curve for curve in sound if curve.best() is not None])
        return ranked[0] if ranked else None

    @cached_property
    def failed(self) -> frozenset[int]:
        """The trials that failed; where the majority's score is unknown, those that diverged."""
        found, curves = self.analysis.failed, self.recording.curves
        if found is None:
            return self.recording.diverged
        return frozenset(c.trial for c, flag in zip(curves, found.failed, strict=True) if flag)

    @cached_property
    def fates(self) -> dict[int, Fate]:
        """What became of each trial."""
        finished = {curve.trial for curve in self.recording.finished}
        fates = {}
        for curve in self.recording.curves:
            trial = curve.trial
            if trial in self.failed:
                fates[trial] = Fate.FAILED
            elif self.winner is not None and trial == self.winner.trial:
                fates[trial] = Fate.WON
            elif trial in finished:
                fates[trial] = Fate.FINISHED
            else:
                fates[trial] = Fate.GOING if trial in self.going else Fate.STOPPED
        return fates

    def with_fate(self, *fates: Fate) -> int:
        """Count the trials with one of ``fates``."""
        return sum(fate in fates for fate in self.fates.values())

    @cached_property
    def stopped(self) -> int:
        """How many trials were stopped before the end, a stopped winner included."""
        cut = len(self.recording.curves) - len(self.recording.finished)
        return cut - len(self.recording.diverged) - len(self._open)

    @property
    def _open(self) -> frozenset[int]:
        unfinished = {c.trial for c in self.recording.curves if not c.finished}
        return frozenset(self.going & unfinished) - self.recording.diverged

    @cached_property
    def digits(self) -> int:
        """How many decimals this task's scores are shown with."""
        return words.digits_for([e.score for c in self.recording.curves for e in c.evaluations])

    @property
    def examples(self) -> int | None:
        """How many examples the validation split has, where known."""
        found = self.recording.predictions
        return None if found is None else len(found.labels_M)

    def score(self, value: float | None) -> str:
        """Show a score of this task."""
        return words.score(value, self.digits)
