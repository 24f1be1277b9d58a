"""Two recipes side by side, and how many trials it takes to tell them apart.

Legend: N pairs of trials with the same seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.report.plain import plain
from seedbed.report.predictions import scorer_at_best
from seedbed.report.recording import Ints, Recording
from seedbed.stats.compare import Comparison, compare_recipes, pair_trials
from seedbed.stats.layout import two_way
from seedbed.stats.power import TrialsNeeded, trials_needed
from seedbed.stats.scorers import Scorer
from seedbed.stats.variance import variance_components

BEST_OF = (1, 2, 5, 10, 20, 50, 100)
FEW_PAIRS = 10


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Recipe A against recipe B on the trials whose seeds both ran to the end."""

    name_a: str
    name_b: str
    metric: str
    result: Comparison
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Give the comparison as plain values."""
        found = self.result
        return dict(
            plain(
                {
                    "a": self.name_a,
                    "b": self.name_b,
                    "metric": self.metric,
                    "pairs": found.pairs,
                    "mean_a": found.mean_a,
                    "mean_b": found.mean_b,
                    "difference": found.difference,
                    "p": found.p,
                    "wins": found.wins,
                    "expected_best": [
                        {"n": n, "difference": e.value, "lower": e.lower, "upper": e.upper}
                        for n, e in zip(found.ns, found.best, strict=True)
                    ],
                    "confidence": found.confidence,
                    "method": found.method,
                    "warnings": self.warnings,
                }
            )
        )


def compare(
    a: Recording, b: Recording, *, confidence: float = 0.95, resamples: int = 1_000, seed: int = 0
) -> Compared:
    """Compare two recipes by finished trials with the same (init, order) seeds.

    Where both have predictions on one and the same validation split, the interval covers
    its luck too. Raises InputError where the metrics differ or fewer than two pairs exist.
    """
    if a.metric != b.metric:
        raise InputError(
            "the two are scored by different metrics",
            where="--metric",
            given=f"{a.metric} and {b.metric}",
            allowed="one metric that both have",
        )
    pairs_a, pairs_b = _pairs(a, b)
    scorers = _scorers(a, b, pairs_a, pairs_b)
    return Compared(
        name_a=a.name,
        name_b=b.name,
        metric=a.metric,
        result=compare_recipes(
            a.finals[pairs_a],
            b.finals[pairs_b],
            init=a.inits[pairs_a],
            order=a.orders[pairs_a],
            ns=[n for n in BEST_OF if n <= max(1, len(pairs_a) // 2)],
            scorers=scorers,
            examples=len(a.predictions.labels_M) if scorers and a.predictions else None,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        ),
        warnings=(*_pair_warnings(a, b, len(pairs_a)), *_split_warning(scorers)),
    )


def _pairs(a: Recording, b: Recording) -> tuple[Ints, Ints]:
    if a.finished and b.finished:
        first, second = pair_trials(a.inits, a.orders, b.inits, b.orders)
    else:
        first = second = np.empty(0, dtype=np.int64)
    if len(first) < 2:
        raise InputError(
            "too few trials that both ran to the end with the same seeds",
            where=f"{a.name} and {b.name}",
            given=f"{len(first)} pairs of {len(a.finished)} and {len(b.finished)} finished trials",
            allowed="two pairs or more: the same init and order seeds in both",
        )
    return first, second


def _scorers(
    a: Recording, b: Recording, pairs_a: Ints, pairs_b: Ints
) -> tuple[Scorer, Scorer] | None:
    """Give both scorers where both have predictions on the same examples."""
    if a.predictions is None or b.predictions is None:
        return None
    if not np.array_equal(a.predictions.labels_M, b.predictions.labels_M):
        return None
    first, second = scorer_at_best(a, pairs_a), scorer_at_best(b, pairs_b)
    return None if first is None or second is None else (first, second)


def _pair_warnings(a: Recording, b: Recording, pairs: int) -> list[str]:
    said = [f"{which.name}: {text}" for which in (a, b) for text in which.warnings]
    for which in (a, b):
        left = which.started - pairs
        if left:
            said.append(f"{which.name}: {left} of {which.started} trials have no finished partner")
        if which.unfinished:
            said.append(
                f"{which.name}: {which.unfinished} trials did not finish; if a rule stopped the "
                "weak ones, the comparison is of the better trials"
            )
    if pairs < FEW_PAIRS:
        said.append(f"only {pairs} pairs: a difference must be large to be seen")
    return said


def _split_warning(scorers: tuple[Scorer, Scorer] | None) -> tuple[str, ...]:
    if scorers is not None:
        return ()
    return (
        "no predictions on a common validation split: the interval holds for new seeds on this "
        "split, not for new examples",
    )


@dataclass(frozen=True, kw_only=True)
class Power:
    """Trials for a difference; ``paired`` is False where the rest's variance is not known."""

    needed: TrialsNeeded
    variance: tuple[float | None, float | None, float | None]
    total: float
    source: str
    paired: bool
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Give the counts as plain values."""
        found, (init, order, rest) = self.needed, self.variance
        return dict(
            plain(
                {
                    "difference": found.difference,
                    "power": found.power,
                    "level": found.level,
                    "unpaired": found.unpaired,
                    "paired": found.paired if self.paired else None,
                    "sd_unpaired": found.sd_unpaired,
                    "sd_paired": found.sd_paired if self.paired else None,
                    "variance": {"init": init, "order": order, "rest": rest, "total": self.total},
                    "source": self.source,
                    "warnings": self.warnings,
                }
            )
        )


def power_of_recording(
    recording: Recording, difference: float, *, power: float = 0.8, level: float = 0.05
) -> Power:
    """Say how many trials ``difference`` needs beside the variance measured in a recording."""
    finals = recording.finals
    if len(finals) < 2:
        raise InputError(
            "the spread cannot be measured",
            where=recording.name,
            given=f"{len(finals)} finished trials",
            allowed="two or more (or give --init, --order and --rest)",
        )
    warnings = list(recording.warnings)
    if recording.unfinished:
        warnings.append(
            f"{recording.unfinished} of {recording.started} trials did not finish: if a rule "
            "stopped the weak ones, the spread looks smaller than it is, and so do the counts"
        )
    if len(finals) < FEW_PAIRS:
        warnings.append(f"the spread is measured on {len(finals)} trials only")
    if not two_way(finals, recording.inits, recording.orders).crossed:
        warnings.append("the seeds do not cross: pairing by seeds cannot be judged")
        total = float(finals.var(ddof=1))
        return Power(  # unpaired only: the parts of the spread are not known
            needed=trials_needed(
                difference, init=0.0, order=0.0, rest=total, power=power, level=level
            ),
            variance=(None, None, None),
            total=total,
            source=recording.name,
            paired=False,
            warnings=(*warnings, *_flat(total)),
        )
    parts = variance_components(finals, recording.inits, recording.orders)
    return power_of_numbers(
        difference,
        init=parts.init.variance,
        order=parts.order.variance,
        rest=parts.rest.variance,
        power=power,
        level=level,
        source=recording.name,
        warnings=tuple(warnings),
    )


def power_of_numbers(
    difference: float,
    *,
    init: float,
    order: float,
    rest: float,
    power: float = 0.8,
    level: float = 0.05,
    source: str = "numbers given",
    warnings: tuple[str, ...] = (),
) -> Power:
    """Say how many trials ``difference`` needs beside the given variances."""
    needed = trials_needed(difference, init=init, order=order, rest=rest, power=power, level=level)
    return Power(
        needed=needed,
        variance=(init, order, rest),
        total=init + order + rest,
        source=source,
        paired=True,
        warnings=(*warnings, *_flat(init + order + rest)),
    )


def _flat(total: float) -> tuple[str, ...]:
    flat = math.isclose(total, 0.0, abs_tol=1e-300)
    return (
        ("the trials do not differ at all: two of each would do, if that is right",) if flat else ()
    )
