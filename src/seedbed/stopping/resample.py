"""Which trials might have been recorded instead: resampling and splitting by seeds.

Trials that share an init or an order seed are not independent. So whole seeds are drawn
(the two-way "pigeonhole" bootstrap, Owen 2007) and whole seeds are split.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from seedbed.stopping.recorded import Integers, Recorded

Split = tuple[Integers, Integers]
"""The places of two sets of trials that have none in common, each ascending."""


def shares_seeds(recorded: Recorded) -> bool:
    """Whether any two trials have an init seed or an order seed in common."""
    n = len(recorded)
    return len(set(recorded.inits.tolist())) < n or len(set(recorded.orders.tolist())) < n


def critical_value(recorded: Recorded, confidence: float) -> float:
    """Give Student's t for a two-sided interval of ``confidence``.

    A spread over drawn seeds is known no better than the scarcer seeds allow: one degree
    of freedom less than their number; where no seed is shared, than the trials'.
    """
    units = len(recorded)
    if shares_seeds(recorded):
        numbers = [len(set(seeds.tolist())) for seeds in (recorded.inits, recorded.orders)]
        units = min(number for number in numbers if number > 1 or number == max(numbers))
    return float(stats.t.ppf((1 + confidence) / 2, max(1, units - 1)))


def resamples(recorded: Recorded, draws: int, generator: np.random.Generator) -> Integers:
    """Draw trials as another recording might have: places [draws, N], each row ascending.

    Where no seed is shared, N trials with replacement. Otherwise init seeds and order
    seeds are drawn with replacement, each cell counting as often as the product of both;
    where the grid has gaps that gives more or fewer than N trials, and a random choice of
    them makes it N again.
    """
    n = len(recorded)
    if not shares_seeds(recorded):
        return np.sort(generator.integers(0, n, size=(draws, n)), axis=1)
    init_T = np.unique(recorded.inits, return_inverse=True)[1]
    order_T = np.unique(recorded.orders, return_inverse=True)[1]
    rows = [_pigeonhole(init_T, order_T, generator) for _ in range(draws)]
    return np.sort(np.stack(rows), axis=1)


def _pigeonhole(init_T: Integers, order_T: Integers, generator: np.random.Generator) -> Integers:
    n, inits, orders = len(init_T), init_T.max() + 1, order_T.max() + 1
    pool: Integers = np.empty(0, dtype=np.int64)
    while not len(pool):  # a sparse design may lose every cell in one draw
        count_I = np.bincount(generator.integers(0, inits, inits), minlength=inits)
        count_J = np.bincount(generator.integers(0, orders, orders), minlength=orders)
        pool = np.repeat(np.arange(n), count_I[init_T] * count_J[order_T])
    if len(pool) > n:
        return generator.choice(pool, n, replace=False)
    return np.concatenate([pool, generator.choice(pool, n - len(pool))])


def halves_by_seeds(recorded: Recorded, generator: np.random.Generator) -> Split:
    """Split so that no init and no order seed stands in both parts; the other cells rest.

    A quarter of a full grid goes to each part; a design that shares no seeds is halved.
    """
    n = len(recorded)
    if not shares_seeds(recorded):
        return halves_by_trials(n, generator)
    first_init_T = _in_first_half(recorded.inits, generator)
    first_order_T = _in_first_half(recorded.orders, generator)
    return (
        np.flatnonzero(first_init_T & first_order_T),
        np.flatnonzero(~first_init_T & ~first_order_T),
    )


def halves_by_trials(trials: int, generator: np.random.Generator) -> Split:
    """Split the places 0..trials-1 at random into two parts, as equal as possible."""
    shuffled = generator.permutation(trials)
    return np.sort(shuffled[: trials // 2]), np.sort(shuffled[trials // 2 :])


def _in_first_half(seed_T: Integers, generator: np.random.Generator) -> np.ndarray:
    seeds = np.unique(seed_T)
    return np.isin(seed_T, generator.permutation(seeds)[: len(seeds) // 2])
