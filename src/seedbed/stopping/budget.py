"""The default rule for a budget, used where no recorded curves say better."""

from __future__ import annotations

from dataclasses import dataclass

from seedbed.core.errors import InputError
from seedbed.core.spec import MOST_TRIALS

DEFAULT_AT = 0.25
"""Dodge et al. 2020 found 20-30 % of training best on three of four tasks."""


@dataclass(frozen=True)
class Rule:
    """Start ``start``, at progress ``at`` keep ``keep``; ``start == keep`` trains all."""

    start: int
    at: float
    keep: int

    @property
    def cost(self) -> float:
        """What the rule costs, in full trials: t f + p (1 - f)."""
        return self.start * self.at + self.keep * (1 - self.at)


def default_rule(budget: float, trials: int | None = None, at: float = DEFAULT_AT) -> Rule:
    """Choose (start, at, keep) for a ``budget`` in full-trial equivalents.

    keep is half the budget, start the largest number that fits: the proportions Dodge et
    al. 2020 found. A design of only ``trials`` trials caps start; what is then left of the
    budget goes into keep.
    """
    if not budget >= 1:
        raise InputError(
            "the budget does not pay for one trial",
            where="[policy] budget",
            given=budget,
            allowed="1 or more (full-trial equivalents)",
        )
    if not 0 < at < 1:
        raise InputError(
            "at is a share of full training", where="[policy] at", given=at, allowed="0 < at < 1"
        )
    most = float(MOST_TRIALS if trials is None else trials)
    budget = min(budget, most)  # more than all trials in full cannot be spent
    slack = 1e-9
    keep = max(1, round(budget / 2))
    start = max(keep, int((budget - keep * (1 - at)) / at + slack))
    if trials is not None and start > trials:
        start = trials
        keep = min(trials, int((budget - start * at) / (1 - at) + slack))
    return Rule(start, at, keep)
