"""How sure is the expected best of n, against n and against compute?

Legend: N trials, I init and O order seeds, K values of n, B resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seedbed.stats._checks import Bools, Floats, Ints, count, floats, share, whole
from seedbed.stats.dependence import shares_seeds
from seedbed.stats.expected_best import expected_best
from seedbed.stats.layout import Layout, two_way
from seedbed.stats.resampling import draw_trials, fewest_seeds, half_width, plug_in_best

IntervalMethod = Literal["simultaneous band, independent trials", "two-way bootstrap"]

EXACT_BANDS = 50
"""Up to how many trials the tighter band is simulated; beyond, Kolmogorov-Smirnov's."""

BATCH_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class BestOfN:
    """Expected best of each n (K numbers each) with an interval, and how it was made.

    ``trusted`` (K): where the interval keeps its promise; beyond, the data says too little
    about the best of so many, and the interval is only a hint.
    """

    ns: Ints
    estimate: Floats
    lower: Floats
    upper: Floats
    trusted: Bools
    confidence: float
    trials: int
    method: IntervalMethod


def best_of_n(
    scores: ArrayLike,
    ns: ArrayLike,
    *,
    init: ArrayLike | None = None,
    order: ArrayLike | None = None,
    support: tuple[float, float] = (-np.inf, np.inf),
    confidence: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> BestOfN:
    """Estimate the expected best of n (unbiased) with intervals that suit the design.

    *Independent trials* (no seeds given, or seeds that never repeat): a band that holds for
    all n at once, from opda's confidence band for the distribution of scores (Lourie et al.
    2024): Learned-Miller and DeStefano's up to 50 trials, else Kolmogorov-Smirnov's. It
    assumes continuous scores and is conservative with ties and for any one n. An upper end
    needs a largest possible score: give ``support``, or it is infinite.

    *Trials that share seeds*: the two-way ("pigeonhole") bootstrap of Owen (2007), which
    draws init seeds and order seeds, not trials. Its standard error and its bias make

        estimate + (plug_in - mean of plug_in*) +- t sd(plug_in*),

    t with min(I, O) - 1 degrees of freedom, as percentiles cover 65-90 % with 5 seeds.
    For one n at a time; covers 93-99 % of the truth for n <= min(I, O) / 2 (conservative
    where seeds matter little, as Owen shows), down to 88 % beyond: ``trusted``.

    Args:
        scores: N finite scores of finished trials.
        ns: K numbers of trials, each 1..N.
        init: N init seeds, with ``order``; without both, trials count as independent.
        order: N order seeds.
        support: least and largest possible score of the metric.
        confidence: of the band, or of each interval.
        resamples: B, for the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: for wrong arguments.
    """
    scores_N = floats("scores", scores)
    ns_K = whole("ns", ns, low=1, high=len(scores_N))
    share("confidence", confidence)
    count("resamples", resamples, low=2)
    if not support[0] <= scores_N.min() <= scores_N.max() <= support[1]:
        raise ValueError(f"support {support} must include all scores")
    if (init is None) != (order is None):
        raise ValueError("give both init and order seeds, or neither")
    estimate_K = expected_best(scores_N, ns_K)
    layout = None if init is None or order is None else two_way(scores_N, init, order)
    method: IntervalMethod = "simultaneous band, independent trials"
    trusted_K = np.ones(len(ns_K), dtype=np.bool_)
    if layout is None or not shares_seeds(layout):
        lower_K, upper_K = _band(scores_N, ns_K, support, confidence)
    else:
        method = "two-way bootstrap"
        trusted_K = ns_K <= max(1, fewest_seeds(layout) // 2)
        plug_in_BK = _plug_in_draws(layout, ns_K, resamples, seed)
        centre_K = estimate_K + expected_best(scores_N, ns_K, "plug_in") - plug_in_BK.mean(axis=0)
        half_K = half_width(plug_in_BK, layout, confidence)
        lower_K, upper_K = centre_K - half_K, centre_K + half_K
    return BestOfN(
        ns=ns_K,
        estimate=estimate_K,
        # An interval never excludes its own estimate, nor holds an impossible score.
        lower=np.clip(np.minimum(lower_K, estimate_K), *support),
        upper=np.clip(np.maximum(upper_K, estimate_K), *support),
        trusted=trusted_K,
        confidence=confidence,
        trials=len(scores_N),
        method=method,
    )


def _band(
    scores_N: Floats, ns_K: Ints, support: tuple[float, float], confidence: float
) -> tuple[Floats, Floats]:
    """Give the lower and upper end of the band at each n."""
    from opda.nonparametric import EmpiricalDistribution

    values = np.concatenate([[support[0]], np.sort(scores_N), [support[1]]])
    # The distribution that lies highest has the lowest scores.
    high_masses, low_masses = _band_masses(len(scores_N), confidence)
    with np.errstate(invalid="ignore"):
        lower_K, upper_K = (
            EmpiricalDistribution(values, masses, *support).average_tuning_curve(ns_K)
            for masses in (high_masses, low_masses)
        )
    return lower_K, upper_K


@lru_cache(maxsize=32)
def _band_masses(trials: int, confidence: float) -> tuple[Floats, Floats]:
    """Give what mass the (highest, lowest) distribution of the band puts where.

    On the least possible score, each order statistic, and the largest possible score:
    N + 2 numbers each, the same for all scores.
    """
    from opda.nonparametric import EmpiricalDistribution

    places = np.arange(-1.0, trials + 1.0)
    low, _, high = EmpiricalDistribution.confidence_bands(
        places[1:-1],
        confidence,
        places[0],
        places[-1],
        generator=np.random.default_rng(0),
        method="ld_equal_tailed" if trials <= EXACT_BANDS else "ks",
        n_jobs=1,
    )
    return high.pmf(places), low.pmf(places)


def _plug_in_draws(layout: Layout, ns_K: Ints, resamples: int, seed: int) -> Floats:
    """Give the plug-in expected best of resampled studies: [B, K]."""
    ordering_N = np.argsort(layout.scores)
    ordered_N = layout.scores[ordering_N]
    batch = max(1, BATCH_NUMBERS // layout.trials)
    draws = [
        plug_in_best(ordered_N[None, :], counts_BN[:, ordering_N], ns_K)
        for counts_BN in draw_trials(layout, resamples, batch, seed)
    ]
    return np.concatenate(draws)


@dataclass(frozen=True, eq=False)
class BestOfCompute:
    """Expected best score against compute: what ``costs`` (K) buys, in full-trial equivalents."""

    costs: Floats
    best: BestOfN


def best_of_compute(best: BestOfN, costs: ArrayLike) -> BestOfCompute:
    """Put the expected best of n against what n trials cost.

    The trials' costs, evaluations included, are exchangeable with the trials: n of them
    cost n times the mean cost, whichever they are.

    Args:
        best: from ``best_of_n``.
        costs: N costs of the same trials, in full-trial equivalents (seconds of the trial
            over seconds of a full trial, evaluations included), positive.

    Raises:
        ValueError: for wrong arguments.
    """
    costs_N = floats("costs", costs)
    if len(costs_N) != best.trials:
        raise ValueError(f"costs must have one entry for each of {best.trials} trials")
    if (costs_N <= 0).any():
        raise ValueError("costs must be positive")
    return BestOfCompute(costs=best.ns * costs_N.mean(), best=best)
