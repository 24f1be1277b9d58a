"""Policies: try more, stop early, continue some.

Every policy keeps the two-step protocol of :class:`seedbed.core.work.Policy`: ``judge``
sees one trial's own curve after each evaluation, ``select`` sees all curves, but only
when no trial can go on without it. So verdicts do not depend on which trial was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.core.curves import PROGRESS_TOLERANCE, Curve, rank
from seedbed.core.errors import InputError
from seedbed.core.work import Decision, Policy, Verdict

CONTINUE = Verdict(Decision.CONTINUE, "going on")
FINISHED = Verdict(Decision.FINISH, "trained to the end")


def _judged(curve: Curve) -> Verdict:
    """Every policy lets an ended training be finished."""
    return FINISHED if curve.finished else CONTINUE


@dataclass(frozen=True)
class TrainAll:
    """No stopping: every trial of the design is trained to the end."""

    limit: int | None = None

    def starts(self, trials: int) -> int:
        """Start all, or the first ``limit``."""
        return trials if self.limit is None else min(trials, self.limit)

    def judge(self, curve: Curve) -> Verdict:
        """Continue until the end."""
        return _judged(curve)

    def select(self, paused: Sequence[Curve], all_curves: Sequence[Curve]) -> dict[int, Verdict]:
        """Continue whatever was paused by someone else."""
        return {curve.trial: CONTINUE for curve in paused}


@dataclass(frozen=True)
class StartMany:
    """Start ``start`` trials, at progress ``at`` keep the ``keep`` best, train those to the end.

    Dodge et al. 2020, section 5. ``at`` must be the progress of an evaluation (see
    :func:`pause_progress`); trials are ranked there by their best score so far, ties by
    the validation loss, then by trial number.
    """

    start: int
    at: float
    keep: int

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense together."""
        where = "[policy]"
        if self.start < 1:
            raise InputError(
                "start must be positive", where=where, given=self.start, allowed="1, 2, ..."
            )
        if not 0 < self.at < 1:
            raise InputError(
                "at is a share of full training", where=where, given=self.at, allowed="0 < at < 1"
            )
        if not 0 <= self.keep <= self.start:
            raise InputError(
                "keep cannot be larger than start",
                where=where,
                given=f"start = {self.start}, keep = {self.keep}",
                allowed=f"0 <= keep <= {self.start}",
            )

    def starts(self, trials: int) -> int:
        """Start ``start`` trials; the design must have as many."""
        if self.start > trials:
            raise InputError(
                "the design has fewer trials than the policy starts",
                where="[policy] start",
                given=self.start,
                allowed=f"1..{trials} (or more seeds in [seeds])",
            )
        return self.start

    def judge(self, curve: Curve) -> Verdict:
        """Pause at ``at``; the rest is decided when all have got there."""
        before = curve.evaluations[-2].progress if len(curve.evaluations) > 1 else 0.0
        if before + PROGRESS_TOLERANCE < self.at <= curve.progress + PROGRESS_TOLERANCE:
            return Verdict(Decision.PAUSE, f"waits at {self.at:.0%} of training for the others")
        return _judged(curve)

    def select(self, paused: Sequence[Curve], all_curves: Sequence[Curve]) -> dict[int, Verdict]:
        """Continue the ``keep`` best of the paused trials, stop the others."""
        ranking = rank(list(paused), self.at)
        promoted = sum(curve.progress > self.at + PROGRESS_TOLERANCE for curve in all_curves)
        places = max(0, self.keep - promoted)
        verdicts = {}
        for place, curve in enumerate(ranking, start=1):
            where = f"place {place} of {len(ranking)} at {self.at:.0%} of training"
            decision = Decision.CONTINUE if place <= places else Decision.STOP
            verdicts[curve.trial] = Verdict(decision, f"{where}, the best {places} go on")
        return verdicts


@dataclass(frozen=True)
class Patience:
    """Stop a trial whose validation loss has not improved for ``patience`` evaluations.

    Wraps another policy, which decides everything else. Looks at nothing but the curve,
    so it survives a resume.
    """

    patience: int
    inner: Policy

    def __post_init__(self) -> None:
        """Refuse a patience that could never see an improvement."""
        if self.patience < 1:
            raise InputError(
                "patience counts evaluations",
                where="[policy] patience",
                given=self.patience,
                allowed="1, 2, ...",
            )

    def starts(self, trials: int) -> int:
        """Start what the inner policy starts."""
        return self.inner.starts(trials)

    def judge(self, curve: Curve) -> Verdict:
        """Stop when the lowest loss lies ``patience`` or more evaluations back."""
        verdict = self.inner.judge(curve)
        if verdict.decision is Decision.FINISH:
            return verdict
        losses = [evaluation.loss for evaluation in curve.evaluations]
        waited = len(losses) - 1 - losses.index(min(losses))
        if waited >= self.patience:
            return Verdict(Decision.STOP, f"validation loss not better for {waited} evaluations")
        return verdict

    def select(self, paused: Sequence[Curve], all_curves: Sequence[Curve]) -> dict[int, Verdict]:
        """Leave it to the inner policy."""
        return self.inner.select(paused, all_curves)


def pause_progress(at: float, evaluation_progress: Sequence[float]) -> float:
    """Give the progress at which a trial really pauses: the last evaluation not after ``at``.

    So a rule never costs more than ``at`` promises. Raises InputError where no evaluation
    comes so early.
    """
    if not 0 < at < 1:
        raise InputError(
            "at is a share of full training",
            where="[policy] at",
            given=at,
            allowed="0 < at < 1",
        )
    early = [p for p in evaluation_progress if p <= at + PROGRESS_TOLERANCE and p < 1]
    if not early:
        first = min(evaluation_progress)
        raise InputError(
            "no evaluation comes so early that trials could be ranked",
            where="[policy] at",
            given=at,
            allowed=f"{first:.4g} <= at < 1 (or evaluate more often: [evaluation] per_epoch)",
        )
    return max(early)
