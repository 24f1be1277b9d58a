"""Plan: which rule for my budget, and what will it earn in a fresh run?

A rule that was chosen on the trials it is scored on looks better than it is. So the
recorded trials are split again and again into two parts that share no seed; the rule is
chosen on one part and scored on the other, both exactly. Axes: H half samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from seedbed.core.curves import Curve
from seedbed.core.errors import InputError
from seedbed.core.streams import derive
from seedbed.stopping.budget import Rule
from seedbed.stopping.recorded import Floats, Recorded, as_recorded
from seedbed.stopping.replay import baseline, replay
from seedbed.stopping.resample import (
    Split,
    critical_value,
    halves_by_seeds,
    halves_by_trials,
    shares_seeds,
)
from seedbed.stopping.search import RuleTable, check_budget, rule_table

PART = 8
"""Parts that share no seed are used where each holds so many times the budget's trials."""

DRAWS = 200
"""Bootstrap draws for the interval: they know a standard deviation to 5 %."""

_NO_GAIN = (
    "on trials it was not chosen on, stopping early earned no more than full trials for the "
    "same budget",
)


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Another rule that the recorded trials cannot tell from the chosen one."""

    start: int
    at: float
    keep: int
    cost: float
    expected: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The rule chosen for a budget, and what it promises out of sample.

    ``start``, ``at``, ``keep``: the rule; start == keep trains all to the end. ``cost`` in
    full-trial equivalents, never above the budget. ``expected``: the mean score, on trials
    it was not chosen on, of the rule chosen like this one; ``lower``..``upper`` its
    interval over which trials were recorded. ``baseline``: the expected best of as many
    full trials as the budget buys, on the same trials. ``optimism``: how much better a
    chosen rule looks on the trials it was chosen on. ``split`` says what the parts do not
    share: "seeds" or "trials".
    """

    start: int
    at: float
    keep: int
    cost: float
    expected: float
    baseline: float
    lower: float
    upper: float
    alternatives: tuple[Alternative, ...]
    optimism: float
    split: str
    warnings: tuple[str, ...] = ()

    @property
    def rule(self) -> Rule:
        """The chosen rule."""
        return Rule(self.start, self.at, self.keep)

    def json(self) -> dict[str, object]:
        """Give the numbers of the JSON contract."""
        rule: dict[str, object] = {"start": self.start, "at": self.at, "keep": self.keep}
        return rule | {
            "cost": self.cost,
            "expected": self.expected,
            "baseline": self.baseline,
            "lower": self.lower,
            "upper": self.upper,
            "alternatives": [
                {
                    "start": other.start,
                    "at": other.at,
                    "keep": other.keep,
                    "cost": other.cost,
                    "expected": other.expected,
                }
                for other in self.alternatives
            ],
        }


@dataclass(frozen=True, eq=False)
class _Halves:
    """What the half samples say: their tables, the scores of choices, the baselines."""

    tables: list[RuleTable]
    seen_H: Floats
    unseen_H: Floats
    baseline_H: Floats

    def of(self, rule: Rule) -> Floats:
        """Give the rule's expected score on each half sample, [H]."""
        place = self.tables[0].place(rule)
        return np.array([table.expected_KSF[place] for table in self.tables])


def plan(
    curves: Recorded | Iterable[Curve],
    budget: float,
    *,
    splits: int = 20,
    confidence: float = 0.95,
    seed: int = 0,
) -> Plan:
    """Choose (start, at, keep) for ``budget`` full-trial equivalents from recorded curves.

    Candidates are all rules that cost at most ``budget``, pause at a recorded evaluation
    and start at most half of the trials that a part holds: of larger starts a part says
    little, and to choose among them is to choose by luck. The rule given is the best of
    them on all finished trials; what it promises is measured on ``splits`` random splits,
    each used both ways, drawn from ``seed``. A choice made on a part is a little worse than
    one made on all trials, so the promise errs on the careful side.

    The interval takes the larger of two standard deviations: that over the parts, which
    for half samples is that of the whole (delete-half jackknife, Shao and Wu 1989), and
    that of the bootstrap in :func:`~seedbed.stopping.replay.replay`. ``alternatives`` are,
    for every other evaluation, the best rule that pauses there, if its difference to the
    chosen one over the parts has an interval that includes 0; best first, their
    ``expected`` lowered by the same optimism.

    Raises InputError where there are fewer finished trials than twice the budget.
    """
    recorded = as_recorded(curves)
    check_budget(budget)
    if splits < 2:
        raise InputError("too few splits", where="splits", given=splits, allowed="2, 3, ...")
    if not 0 < confidence < 1:
        raise InputError(
            "confidence is a probability",
            where="confidence",
            given=confidence,
            allowed="0 < confidence < 1",
        )
    pairs, split = _split(recorded, budget, splits, seed)
    part = min(len(half) for pair in pairs for half in pair)
    most = max(part // 2, math.ceil(budget))
    table = rule_table(recorded, budget, most_starts=most)
    chosen = table.best(budget)
    halves = _halves(recorded, pairs, budget, most)
    expected, full = float(halves.unseen_H.mean()), float(halves.baseline_H.mean())
    t = critical_value(recorded, confidence)
    # Parts that share seeds vary too little, a bootstrap of few trials too: take the larger.
    drawn = replay(recorded, chosen, draws=DRAWS, seed=seed)
    reach = t * max(float(np.std(halves.of(chosen), ddof=1)), drawn.deviation)
    return Plan(
        start=chosen.start,
        at=chosen.at,
        keep=chosen.keep,
        cost=chosen.cost,
        expected=expected,
        baseline=full,
        lower=expected - reach,
        upper=expected + reach,
        alternatives=_alternatives(table, chosen, budget, halves, t),
        optimism=float((halves.seen_H - halves.unseen_H).mean()),
        split=split,
        warnings=(
            *_warnings(recorded, split, most, chosen),
            *(_NO_GAIN if expected <= full else ()),
        ),
    )


def _split(recorded: Recorded, budget: float, splits: int, seed: int) -> tuple[list[Split], str]:
    """Split by seeds where the parts are large enough, else by trials."""
    n = len(recorded)
    if n < 2 * math.ceil(budget):
        raise InputError(
            "too few finished trials to choose a rule on one half and score it on the other",
            where="recorded curves",
            given=f"{n} finished trials, budget {budget:g}",
            allowed=f"{2 * math.ceil(budget)} or more finished trials",
        )
    generator = np.random.default_rng(derive(seed, "split trials"))
    pairs = [halves_by_seeds(recorded, generator) for _ in range(splits)]
    if min(len(half) for pair in pairs for half in pair) >= PART * budget:
        return pairs, "seeds"
    if not shares_seeds(recorded):
        return pairs, "seeds"
    return [halves_by_trials(n, generator) for _ in range(splits)], "trials"


def _halves(recorded: Recorded, pairs: list[Split], budget: float, most: int) -> _Halves:
    """Choose on each half and score on its other half."""
    tables: list[RuleTable] = []
    seen, unseen, base = [], [], []
    for pair in pairs:
        parts = [recorded.subset(half) for half in pair]
        both = [rule_table(half, budget, most_starts=most) for half in parts]
        for own, other, other_part in ((both[0], both[1], parts[1]), (both[1], both[0], parts[0])):
            place = own.place(own.best(budget))
            seen.append(own.expected_KSF[place])
            unseen.append(other.expected_KSF[place])
            base.append(baseline(other_part.finals[None, :], budget)[0])
        tables.extend(both)
    return _Halves(tables, np.array(seen), np.array(unseen), np.array(base))


def _alternatives(
    table: RuleTable, chosen: Rule, budget: float, halves: _Halves, t: float
) -> tuple[Alternative, ...]:
    """Find the best rule at each other evaluation that cannot be told from ``chosen``."""
    best = table.expected_KSF[table.place(chosen)]
    chosen_H, expected = halves.of(chosen), float(halves.unseen_H.mean())
    found: list[Alternative] = []
    listed = {_kind(chosen)}
    for at in range(len(table.at_F)):
        rule = table.best(budget, at)
        behind = best - table.expected_KSF[table.place(rule)]
        spread = float(np.std(chosen_H - halves.of(rule), ddof=1))
        if at == table.place(chosen)[2] or _kind(rule) in listed or behind > t * spread:
            continue
        listed.add(_kind(rule))
        found.append(
            Alternative(
                start=rule.start,
                at=rule.at,
                keep=rule.keep,
                cost=rule.cost,
                expected=float(expected - behind),
            )
        )
    return tuple(sorted(found, key=lambda other: -other.expected))


def _kind(rule: Rule) -> Rule:
    """Give the rule itself; without a pause where it trains all, for then ``at`` is idle."""
    return Rule(rule.start, 1.0, rule.keep) if rule.start == rule.keep else rule


def _warnings(recorded: Recorded, split: str, most: int, chosen: Rule) -> tuple[str, ...]:
    said = []
    if recorded.left_out:
        said.append(
            f"{recorded.left_out} curves do not reach the end of training and are left out; "
            "where a policy stopped them, only the better trials are seen here"
        )
    if split == "trials":
        said.append(
            "the grid is too small to split its seeds: both parts share init and order seeds, "
            "so the expected score is somewhat optimistic"
        )
    if chosen.start == most:
        said.append(
            f"the rule starts as many trials as could be judged ({most}, half of a part): "
            "with more recorded trials a larger start might be better"
        )
    return tuple(said)
