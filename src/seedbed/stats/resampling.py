"""The two-way ("pigeonhole") bootstrap: seeds are drawn, not trials."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seedbed.stats._checks import Floats, Ints
from seedbed.stats.layout import Layout


def draw_trials(layout: Layout, resamples: int, batch: int, seed: int) -> Iterator[Floats]:
    """Yield how often each trial is in each resampled study: arrays [b <= batch, N].

    Init seeds and order seeds are drawn with replacement, each as many as there are; a trial
    counts as often as its init seed was drawn times its order seed was (Owen 2007). A factor
    with a single seed stays as it is. A draw that hits no trial (holes) is drawn again.

    Reference: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1.
    """
    rng = np.random.default_rng(seed)
    inits, orders = layout.counts.shape
    left = resamples
    while left > 0:
        size = min(batch, left)
        counts_BN = _drawn(rng, inits, size)[:, layout.init].astype(np.float64)
        counts_BN *= _drawn(rng, orders, size)[:, layout.order]
        counts_BN = counts_BN[counts_BN.any(axis=1)]
        left -= len(counts_BN)
        if len(counts_BN):
            yield counts_BN


def _drawn(rng: np.random.Generator, levels: int, size: int) -> Ints:
    """Draw how often each of ``levels`` seeds is chosen in ``size`` bootstrap samples."""
    return rng.multinomial(levels, np.full(levels, 1.0 / levels), size=size)
