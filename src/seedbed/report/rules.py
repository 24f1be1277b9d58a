"""What a stopping rule would have earned on recorded curves, and which one to take.

Recording ─▶ replay: expected, cost, baseline, gain
          └▶ plan: a rule for a budget, or the default where too little is recorded
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from seedbed.core.errors import InputError
from seedbed.report.doubts import counted
from seedbed.report.plain import plain
from seedbed.report.recording import Recording
from seedbed.stopping.budget import Rule, default_rule
from seedbed.stopping.plan import Alternative, Plan, plan
from seedbed.stopping.play import replay_policy
from seedbed.stopping.policies import Patience, StartMany, TrainAll, pause_progress
from seedbed.stopping.recorded import record
from seedbed.stopping.replay import Replay, replay


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A rule replayed on recorded curves; ``at`` is where trials really pause."""

    rule: Rule
    patience: int | None
    replacement: bool
    metric: str
    result: Replay
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Give the numbers of the JSON contract, and what they are of."""
        found = {
            **self.result.json(),
            "metric": self.metric,
            "start": self.rule.start,
            "at": self.rule.at,
            "keep": self.rule.keep,
            "patience": self.patience,
            "with_replacement": self.replacement,
            "relative_error_reduction": self.result.relative_error_reduction,
            "standard_error": self.result.standard_error,
            "warnings": self.warnings,
        }
        return dict(plain(found))


def replay_rule(
    recording: Recording,
    rule: Rule,
    *,
    patience: int | None = None,
    replacement: bool = False,
    confidence: float = 0.95,
    samples: int = 1_000,
    seed: int = 0,
) -> Replayed:
    """Replay *start, at, keep* exactly; with ``patience`` by playing ``samples`` studies.

    Raises InputError for a rule that cannot be played on these trials.
    """
    recorded = record(recording.curves)
    at = float(recorded.progress_E[recorded.pause_index(rule.at)])
    warnings = list(_doubts(recording))
    if patience is None:
        result = replay(recorded, rule, replacement=replacement, confidence=confidence, seed=seed)
    else:
        if replacement:
            raise InputError(
                "a rule with patience is played without replacement only",
                where="--with-replacement",
            )
        if not recording.has_loss:
            raise InputError(
                "patience looks at the validation loss, which is not recorded",
                where="--patience",
                allowed="curves with a column 'loss'",
            )
        inner = StartMany(rule.start, at, rule.keep) if at < 1 else TrainAll(limit=rule.start)
        policy = Patience(patience, inner)
        policy.starts(len(recorded))
        result = replay_policy(recorded, policy, samples=samples, confidence=confidence, seed=seed)
        warnings.append(
            f"played {samples} times at random: the expected score is that sure "
            f"(standard error {result.standard_error:.2g})"
        )
    return Replayed(
        rule=Rule(rule.start, at, rule.keep),
        patience=patience,
        replacement=replacement,
        metric=recording.metric,
        result=result,
        warnings=(*recording.warnings, *warnings, *result.warnings),
    )


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A rule for a budget. ``promise`` is None where it is the default, not a measured one."""

    rule: Rule
    budget: float
    metric: str
    promise: Plan | None
    warnings: tuple[str, ...]

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """Rules that cannot be told apart from the chosen one."""
        return () if self.promise is None else self.promise.alternatives

    def json(self) -> dict[str, Any]:
        """Give the numbers of the JSON contract; None for what was not measured."""
        promise = self.promise
        found: dict[str, Any] = {
            "start": self.rule.start,
            "at": self.rule.at,
            "keep": self.rule.keep,
            "cost": self.rule.cost,
            "expected": None,
            "baseline": None,
            "lower": None,
            "upper": None,
            "alternatives": [],
        }
        if promise is not None:
            found |= promise.json()
        found |= {
            "budget": self.budget,
            "metric": self.metric,
            "source": "default rule" if promise is None else "recorded curves",
            "optimism": None if promise is None else promise.optimism,
            "split": None if promise is None else promise.split,
            "warnings": self.warnings,
        }
        return dict(plain(found))


def plan_rule(
    recording: Recording, budget: float, *, confidence: float = 0.95, seed: int = 0
) -> Planned:
    """Choose a rule for ``budget`` full-trial equivalents from the recorded curves.

    Where they are too few to choose on one half and score on the other, the default rule.
    Raises InputError for a budget that does not pay for one trial.
    """
    default_rule(_checked(budget))
    finished = len(recording.finished)
    if finished < 2 * math.ceil(budget):
        return _default(recording, budget, finished)
    found = plan(record(recording.curves), budget, confidence=confidence, seed=seed)
    return Planned(
        rule=found.rule,
        budget=budget,
        metric=recording.metric,
        promise=found,
        warnings=(*recording.warnings, *_doubts(recording), *found.warnings),
    )


def _checked(budget: float) -> float:
    if not math.isfinite(budget):
        raise InputError(
            "a budget is a number", where="--budget", given=budget, allowed="1 or more"
        )
    return budget


def _default(recording: Recording, budget: float, finished: int) -> Planned:
    said = (
        f"{finished} finished trials are too few to choose a rule for a budget of {budget:g} "
        f"({2 * math.ceil(budget)} are needed): this is the default rule, and what it earns "
        "is not known",
    )
    rule = default_rule(budget)
    grid = recording.grid
    if grid is not None and len(grid.progress_E) > 1 and grid.progress_E[0] <= rule.at:
        rule = default_rule(budget, at=pause_progress(rule.at, grid.progress_E.tolist()))
    return Planned(
        rule=rule,
        budget=budget,
        metric=recording.metric,
        promise=None,
        warnings=(*recording.warnings, *said),
    )


def _doubts(recording: Recording) -> tuple[str, ...]:
    if not recording.diverged:
        return ()
    return (
        f"{counted(len(recording.diverged))} diverged (NaN or infinite) and stay left out, as if "
        "no trial ever did",
    )
