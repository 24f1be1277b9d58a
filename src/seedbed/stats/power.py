"""How many trials does a difference between two recipes need to be seen?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from seedbed.stats._checks import floats, share

MOST_TRIALS = 10_000_000


@dataclass(frozen=True)
class TrialsNeeded:
    """Trials for each recipe to see ``difference``; for ``paired`` that many pairs.

    ``sd_unpaired`` and ``sd_paired`` are the standard deviations that the two designs face:
    of one trial's score, and of the difference between two trials with the same seeds.
    """

    difference: float
    unpaired: int
    paired: int
    power: float
    level: float
    sd_unpaired: float
    sd_paired: float


def trials_needed(
    difference: float,
    *,
    init: float,
    order: float,
    rest: float,
    power: float = 0.8,
    level: float = 0.05,
) -> TrialsNeeded:
    """Say how many trials each of two recipes needs so that ``difference`` is found.

    Two-sided t tests at ``level``; the power is exact (noncentral t squared), the count is the
    smallest that reaches it (at least 2).

    - *Unpaired*: every trial has fresh seeds; its variance is init + order + rest, and a
      recipe's n trials form one sample of a two-sample test.
    - *Paired*: trial k of both recipes shares its two seeds, and each pair has fresh ones;
      the variance of a pair's difference is 2 rest. Assumes that a seed helps or hurts both
      recipes alike; where it does not, the truth lies between the two counts.

    Args:
        difference: difference of mean scores, not 0, in the metric's units.
        init, order, rest: variance components of one trial's score (``variance``).
        power: chance of finding the difference.
        level: false-alarm rate of the test.

    Raises:
        ValueError: for wrong arguments.
    """
    delta = abs(float(floats("difference", difference, ndim=0)))
    if delta == 0.0:
        raise ValueError("difference must not be 0: no number of trials shows no difference")
    components = floats("variances", [init, order, rest])
    if (components < 0).any():
        raise ValueError("variances must not be negative")
    share("power", power)
    share("level", level)
    sd_unpaired = float(np.sqrt(components.sum()))
    sd_paired = float(np.sqrt(2.0 * components[2]))
    return TrialsNeeded(
        difference=delta,
        unpaired=_fewest(delta, sd_unpaired, power, level, samples=2),
        paired=_fewest(delta, sd_paired, power, level, samples=1),
        power=power,
        level=level,
        sd_unpaired=sd_unpaired,
        sd_paired=sd_paired,
    )


def t_test_power(difference: float, sd: float, n: int, level: float, *, samples: int) -> float:
    """Give the power of the two-sided t test of one sample of n, or of two of n each."""
    df = samples * (n - 1)
    shift = difference / (sd * np.sqrt(samples / n))
    # T^2 is noncentral F: both tails at once, and defined where scipy's noncentral t is NaN.
    critical = stats.f.ppf(1.0 - level, 1, df)
    return float(stats.ncf.sf(critical, 1, df, shift**2))


def _fewest(difference: float, sd: float, power: float, level: float, *, samples: int) -> int:
    """Give the smallest n >= 2 whose power is reached, by doubling and halving."""

    def enough(n: int) -> bool:
        return t_test_power(difference, sd, n, level, samples=samples) >= power

    if sd == 0.0 or enough(2):
        return 2
    high = 4
    while not enough(high):
        high *= 2
        if high > MOST_TRIALS:
            raise ValueError(
                f"a difference of {difference:g} needs more than {MOST_TRIALS:,} trials"
                f" beside a standard deviation of {sd:g}"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
