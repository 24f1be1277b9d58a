"""The two-way ("pigeonhole") bootstrap: seeds are drawn, not trials.

Legend: N trials, B resamples, K values of n.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from seedbed.stats._checks import Floats, Ints
from seedbed.stats.dependence import shares_seeds
from seedbed.stats.layout import Layout


def draw_trials(layout: Layout, resamples: int, batch: int, seed: int) -> Iterator[Floats]:
    """Yield how often each trial is in each resampled study: arrays [b <= batch, N].

    Init seeds and order seeds are drawn with replacement, each as many as there are; a trial
    counts as often as its init seed was drawn times its order seed was (Owen 2007). A factor
    with a single seed stays as it is. A draw that hits no trial (holes) is drawn again.
    Where seeds never repeat, trials are independent and are drawn themselves.

    Reference: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1.
    """
    rng = np.random.default_rng(seed)
    inits, orders = layout.counts.shape
    clustered = shares_seeds(layout)
    left = resamples
    while left > 0:
        size = min(batch, left)
        if clustered:
            drawn_BN = _drawn(rng, inits, size)[:, layout.init]
            drawn_BN = drawn_BN * _drawn(rng, orders, size)[:, layout.order]
        else:
            drawn_BN = _drawn(rng, layout.trials, size)
        drawn_BN = drawn_BN[drawn_BN.any(axis=1)]
        left -= len(drawn_BN)
        if len(drawn_BN):
            yield drawn_BN.astype(np.float64)


def plug_in_best(ordered_BN: Floats, counts_BN: Floats, ns_K: Ints) -> Floats:
    """Give the plug-in expected best [B, K] of resampled studies.

    ``ordered_BN`` [B or 1, N] are scores, ascending in each row; ``counts_BN`` [B, N] says how
    often each is there. See ``expected_best``.
    """
    below_BN = np.cumsum(counts_BN, axis=1)
    with np.errstate(divide="ignore"):
        logs_BN = np.log(below_BN[:, :-1] / below_BN[:, -1:])
    # sum of y (G^n - G_before^n) = largest y - sum of G^n times the gaps between the ys.
    gaps_BN = np.diff(ordered_BN, axis=1)
    lost_KB = [(np.exp(n * logs_BN) * gaps_BN).sum(axis=1) for n in ns_K]
    return np.asarray(ordered_BN[:, -1:] - np.stack(lost_KB, axis=1))


def half_width(draws_B: Floats, layout: Layout, confidence: float) -> Floats:
    """Give half the interval's width from resampled estimates [B, ...]: t times their spread.

    t has one degree of freedom less than the factor with fewer seeds (percentiles of the
    draws would be far too narrow with few seeds); where trials are independent, less than
    there are trials.
    """
    quantile = stats.t.ppf((1.0 + confidence) / 2.0, degrees_of_freedom(layout))
    return np.asarray(quantile * draws_B.std(axis=0, ddof=1))


def degrees_of_freedom(layout: Layout) -> int:
    """Give the degrees of freedom of an estimate from these trials, by the scarcer seeds."""
    if not shares_seeds(layout):
        return layout.trials - 1
    return fewest_seeds(layout) - 1


def fewest_seeds(layout: Layout) -> int:
    """Give how many seeds the factor with fewer of them has; a fixed factor does not count."""
    return min((len(seeds) for seeds in (layout.inits, layout.orders) if len(seeds) > 1), default=1)


def _drawn(rng: np.random.Generator, levels: int, size: int) -> Ints:
    """Draw how often each of ``levels`` seeds is chosen in ``size`` bootstrap samples."""
    return rng.multinomial(levels, np.full(levels, 1.0 / levels), size=size)
