"""Every rule at once: the exact expected result of all (start, at, keep) on recorded trials.

Axes: K values of keep, S values of start, F evaluations at which trials may pause.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seedbed.core.errors import InputError
from seedbed.stopping.budget import Rule
from seedbed.stopping.exact import Integers, PlaceWeights, best_of_first
from seedbed.stopping.recorded import Floats, Recorded

SLACK = 1e-9
"""A cost within this of the budget is within it: costs are sums of rounded shares."""


@dataclass(frozen=True, eq=False)
class RuleTable:
    """Expected score and cost of every rule (start, at, keep) up to a budget.

    ``expected_KSF`` belongs to keep = 0..K-1, start = 1..S and ``at_F``; it is minus
    infinity where keep > start. ``cost_KSF`` counts full-trial equivalents.
    """

    at_F: Floats
    expected_KSF: Floats
    cost_KSF: Floats

    def rule(self, place: tuple[int, int, int]) -> Rule:
        """Give the rule at a place of the arrays."""
        keep, start, at = place
        return Rule(start + 1, float(self.at_F[at]), keep)

    def place(self, rule: Rule) -> tuple[int, int, int]:
        """Give the place of ``rule`` in the arrays."""
        return rule.keep, rule.start - 1, int(np.argmin(np.abs(self.at_F - rule.at)))

    def within(self, budget: float) -> np.ndarray:
        """Mark the rules that cost at most ``budget``."""
        return (self.cost_KSF <= budget + SLACK) & np.isfinite(self.expected_KSF)

    def best(self, budget: float, at: int | None = None) -> Rule:
        """Give the rule with the highest expected score that costs at most ``budget``.

        Of equal rules the cheapest, then the one that keeps most, starts least, pauses
        first. ``at`` restricts the search to one place of ``at_F``.
        """
        allowed = self.within(budget)
        if at is not None:
            allowed &= np.arange(len(self.at_F)) == at
        scores = np.where(allowed, self.expected_KSF, -np.inf)
        # Equal but for rounding: a different order of summation must not change the choice.
        places = np.argwhere(scores >= scores.max() - 1e-12 * (1 + abs(scores.max())))
        cost = self.cost_KSF[tuple(places.T)].round(9)
        first = np.lexsort((places[:, 2], places[:, 1], -places[:, 0], cost))[0]
        return self.rule((int(places[first][0]), int(places[first][1]), int(places[first][2])))


def rule_table(recorded: Recorded, budget: float, *, most_starts: int | None = None) -> RuleTable:
    """Compute the expected score of every rule that costs at most ``budget``, exactly.

    Trials are drawn without replacement; ``most_starts`` caps start (default: N). Rules
    may pause at every evaluation but the last.
    """
    trials = len(recorded)
    check_budget(budget)
    if len(recorded.progress_E) < 2:
        raise InputError(
            "each trial has one evaluation: there is none to stop at",
            where="recorded curves",
            allowed="two or more evaluations of each trial",
        )
    at_F = recorded.progress_E[:-1]
    starts = min(trials, most_starts or trials, math.floor(budget / at_F[0] + SLACK))
    keeps = min(starts, math.floor(budget + SLACK))
    places = PlaceWeights(trials, np.arange(starts))
    expected_KSF = np.full((keeps + 1, starts, len(at_F)), -np.inf)
    for keep, early_FN, best_FN in _best_by_keep(recorded, keeps):
        if keep < starts:
            expected_KSF[keep, keep:] = places.of(keep, starts - keep) @ early_FN.T
        if keep:
            expected_KSF[keep, keep - 1] = best_FN
    keep_K11, start_S1 = np.arange(keeps + 1)[:, None, None], np.arange(1, starts + 1)[:, None]
    cost_KSF = start_S1 * at_F + keep_K11 * (1 - at_F)
    return RuleTable(at_F, expected_KSF, cost_KSF)


def check_budget(budget: float) -> None:
    """Refuse a budget that buys no trial or is no number."""
    if not 1 <= budget < math.inf:
        raise InputError(
            "the budget does not pay for one trial" if budget < 1 else "the budget is no number",
            where="budget",
            given=budget,
            allowed="1 or more (full-trial equivalents)",
        )


def _best_by_keep(recorded: Recorded, keeps: int) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield keep, the result if the best stopped trial stands at each place, and if none is."""
    pauses = len(recorded.progress_E) - 1
    ranking_FN: Integers = np.stack([recorded.ranking(e) for e in range(pauses)])
    final_FN = recorded.finals[ranking_FN]
    early_FN = recorded.best_TE[ranking_FN, np.arange(pauses)[:, None]]
    yield 0, early_FN, early_FN[:, 0]
    best_FNK = best_of_first(final_FN, np.arange(1, keeps + 1))
    for keep in range(1, keeps + 1):
        yield keep, best_FNK[:, :-1, keep - 1], best_FNK[:, -1, keep - 1]
