"""Do early scores predict late ones, and does stopping early keep the winner?

Legend: T trials, E evaluations, K numbers of kept trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from seedbed.stats._checks import Floats, Ints, count, floats, share, whole
from seedbed.stats.dependence import clustered_variance, shares_seeds
from seedbed.stats.layout import Layout, two_way


@dataclass(frozen=True, eq=False)
class RankCorrelations:
    """Spearman correlations [E, E] between evaluations over trials, with intervals.

    NaN where all trials have the same score at an evaluation.
    """

    spearman: Floats
    lower: Floats
    upper: Floats
    confidence: float
    trials: int
    method: Literal["Fisher z, Bonett-Wright", "Fisher z, two-way clusters"]


def rank_correlations(
    curves: ArrayLike,
    *,
    init: ArrayLike | None = None,
    order: ArrayLike | None = None,
    latest: bool = False,
    confidence: float = 0.95,
) -> RankCorrelations:
    """Correlate the ranks of trials at every pair of evaluations (Spearman).

    Of the best score so far at each evaluation, or of the ``latest`` one. Intervals are
    symmetric in z = artanh(rho):

    - independent trials: standard error sqrt((1 + rho^2 / 2) / (T - 3)) (Bonett, Wright
      2000), normal quantile;
    - trials that share seeds (``init`` and ``order`` given, and repeated): that interval
      covers only 60-80 % there, so the standard error comes from the influence of each trial
      on rho, clustered by both seeds (``dependence``), with a t quantile. Covers 92-98 %
      from ten seeds of each factor on; conservative (up to 100 %) with fewer.

    Args:
        curves: array [T, E] of scores at each evaluation, finite: trials that were stopped
            are left out by the caller, who says so. T >= 4.
        init: T init seeds, with ``order``; without both, trials count as independent.
        order: T order seeds.
        latest: correlate the scores themselves, not the best so far.
        confidence: of each interval (for one pair, not for all at once).

    Raises:
        ValueError: for wrong arguments.
    """
    curves_TE = floats("curves", curves, ndim=2)
    trials = count("trials", len(curves_TE), low=4)
    share("confidence", confidence)
    if (init is None) != (order is None):
        raise ValueError("give both init and order seeds, or neither")
    layout = None
    if init is not None and order is not None:
        layout = two_way(curves_TE[:, -1], init, order)
    if not latest:
        curves_TE = np.maximum.accumulate(curves_TE, axis=1)
    # Mid-ranks, in (0, 1).
    ranks_TE = (stats.rankdata(curves_TE, axis=0) - 0.5) / trials
    centred_TE = ranks_TE - ranks_TE.mean(axis=0)
    sizes_E = np.sqrt((centred_TE**2).mean(axis=0))
    scales_EE = np.outer(sizes_E, sizes_E)
    products_EE = centred_TE.T @ centred_TE / trials
    rho_EE = np.divide(
        products_EE, scales_EE, out=np.full_like(scales_EE, np.nan), where=scales_EE > 0
    )
    rho_EE = np.clip(rho_EE, -1.0, 1.0)

    # A perfect sample correlation is taken half a step from 1, so that z stays finite.
    edge = 1.0 - 6.0 / (trials**3 - trials)
    inner_EE = np.clip(rho_EE, -edge, edge)
    clustered = layout is not None and shares_seeds(layout)
    if clustered and layout is not None:
        half_EE = _clustered_half_width(centred_TE, scales_EE, inner_EE, layout, confidence)
    else:
        quantile = stats.norm.ppf((1.0 + confidence) / 2.0)
        half_EE = quantile * np.sqrt((1.0 + inner_EE**2 / 2.0) / (trials - 3))
    lower_EE = np.minimum(np.tanh(np.arctanh(inner_EE) - half_EE), rho_EE)
    upper_EE = np.maximum(np.tanh(np.arctanh(inner_EE) + half_EE), rho_EE)
    # An evaluation agrees with itself, whatever the sample.
    for matrix_EE in (rho_EE, lower_EE, upper_EE):
        np.fill_diagonal(matrix_EE, np.where(sizes_E > 0, 1.0, np.nan))
    return RankCorrelations(
        spearman=rho_EE,
        lower=lower_EE,
        upper=upper_EE,
        confidence=confidence,
        trials=trials,
        method="Fisher z, two-way clusters" if clustered else "Fisher z, Bonett-Wright",
    )


def _clustered_half_width(
    centred_TE: Floats, scales_EE: Floats, rho_EE: Floats, layout: Layout, confidence: float
) -> Floats:
    """Give the half widths [E, E] in z for trials that share seeds.

    The influence of trial i on cov(u, v), u and v the ranks at two evaluations, is
    u_i v_i + mean_k v_k [x_k >= x_i] + mean_k u_k [y_k >= y_i]: the last two because each
    trial moves the ranks of the others (ties count half).
    """
    evaluations = centred_TE.shape[1]
    above_TEE = np.stack([_sums_above(centred_TE[:, e], centred_TE) for e in range(evaluations)])
    half_EE = np.full_like(scales_EE, np.nan)
    for e in range(evaluations):
        influence_TE = centred_TE[:, [e]] * centred_TE + above_TEE[e] + above_TEE[:, :, e].T
        influence_TE = influence_TE - influence_TE.mean(axis=0)
        variance_E, df_E = clustered_variance(influence_TE, layout)
        slope_E = scales_EE[e] * (1.0 - rho_EE[e] ** 2)
        error_E = np.divide(
            np.sqrt(variance_E), slope_E, out=np.full(evaluations, np.nan), where=slope_E > 0
        )
        half_EE[e] = stats.t.ppf((1.0 + confidence) / 2.0, df_E) * error_E
    return half_EE


def _sums_above(x_T: Floats, values_TE: Floats) -> Floats:
    """Give, for each trial, the mean over all trials of the values where x is larger."""
    _, group_T, sizes_G = np.unique(x_T, return_inverse=True, return_counts=True)
    ordered_TE = values_TE[np.argsort(group_T, kind="stable")]
    starts_G = np.concatenate([[0], np.cumsum(sizes_G)[:-1]])
    sums_GE = np.add.reduceat(ordered_TE, starts_G, axis=0)
    from_here_GE = np.cumsum(sums_GE[::-1], axis=0)[::-1]
    return np.asarray((from_here_GE - sums_GE / 2.0)[group_T] / len(x_T))


@dataclass(frozen=True, eq=False)
class WinnerKept:
    """Chance [E, K] that the final winner of ``started`` trials is among the best at each E."""

    probability: Floats
    keeps: Ints
    started: int

    def earliest(self, keep: int, probability: float) -> int | None:
        """Give the first evaluation at which keeping ``keep`` keeps the winner that surely."""
        at = np.flatnonzero(self.keeps == keep)
        if not len(at):
            raise ValueError(f"keep must be one of {self.keeps.tolist()}, not {keep}")
        sure = np.flatnonzero(self.probability[:, at[0]] >= probability - 1e-12)
        return int(sure[0]) if len(sure) else None


def winner_kept(
    curves: ArrayLike,
    *,
    started: int,
    keeps: ArrayLike,
    losses: ArrayLike | None = None,
) -> WinnerKept:
    """Give the chance that the final winner is among the p best at each evaluation.

    Over all ways to start ``started`` = t of the T recorded trials, exactly: w wins where
    the other t - 1 come from the n_w trials that end below it; if b_w of those stand above
    it at the evaluation, their number in the draw is hypergeometric, so

        P = sum_w C(n_w, t - 1) / C(T, t) * P(Hypergeometric(n_w, b_w, t - 1) <= p - 1).

    Both rankings are by the best score so far; ties go to the lower loss at the evaluation
    where given, else to the earlier trial, so that ranks are total.

    Args:
        curves: array [T, E] of finite scores at each evaluation.
        started: t, 1..T.
        keeps: the numbers p, each 1..t.
        losses: array [T, E], optional.

    Raises:
        ValueError: for wrong arguments.
    """
    best_TE = np.maximum.accumulate(floats("curves", curves, ndim=2), axis=1)
    trials, evaluations = best_TE.shape
    count("started", started, low=1, high=trials)
    keeps_K = whole("keeps", keeps, low=1, high=started)
    losses_TE = np.zeros_like(best_TE) if losses is None else floats("losses", losses, ndim=2)
    if losses_TE.shape != best_TE.shape:
        raise ValueError(f"losses must have the shape of curves {best_TE.shape}")
    rank_TE = np.empty((trials, evaluations), dtype=np.int64)
    for e in range(evaluations):
        rank_TE[np.lexsort((losses_TE[:, e], -best_TE[:, e])), e] = np.arange(trials)

    # Best first by final rank: below the w-th stand all that come after it. Only a trial
    # with t - 1 others below it can win.
    rank_TE = rank_TE[np.argsort(rank_TE[:, -1])]
    below_W = trials - 1 - np.arange(trials - started + 1)
    win_W = np.exp(_log_choose(below_W, started - 1) - _log_choose(trials, started))
    probability_EK = np.empty((evaluations, len(keeps_K)))
    for e in range(evaluations):
        above_WT = np.triu(rank_TE[None, :, e] < rank_TE[: len(below_W), None, e], k=1)
        kept_WK = _hypergeometric_below(below_W, above_WT.sum(axis=1), started - 1, keeps_K)
        probability_EK[e] = win_W @ kept_WK
    return WinnerKept(np.clip(probability_EK, 0.0, 1.0), keeps_K, started)


def _hypergeometric_below(total_W: Ints, marked_W: Ints, drawn: int, keeps_K: Ints) -> Floats:
    """Give P(number of marked among ``drawn`` of total < k), for every k, drawn <= total."""
    hits_H = np.arange(int(keeps_K.max()))
    logs_WH = (
        _log_choose(marked_W[:, None], hits_H)
        + _log_choose((total_W - marked_W)[:, None], drawn - hits_H)
        - _log_choose(total_W, drawn)[:, None]
    )
    return np.asarray(np.cumsum(np.exp(logs_WH), axis=1)[:, keeps_K - 1])


def _log_choose(n: ArrayLike, k: ArrayLike) -> Floats:
    """Give log C(n, k), -inf where it is 0."""
    n_array, k_array = np.broadcast_arrays(np.asarray(n, float), np.asarray(k, float))
    possible = (k_array >= 0) & (k_array <= n_array)
    n_safe, k_safe = np.where(possible, n_array, 0.0), np.where(possible, k_array, 0.0)
    logs = (
        special.gammaln(n_safe + 1)
        - special.gammaln(k_safe + 1)
        - special.gammaln(n_safe - k_safe + 1)
    )
    return np.where(possible, logs, -np.inf)
