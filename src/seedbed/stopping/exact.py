"""Start many, stop early, continue some: the exact distribution of its result.

*Start t, rank at f, finish p* on N recorded trials. Axes: S rankings (evaluations or
bootstrap draws), N places in a ranking (best first), K values of keep, T values of start,
X distinct scores. ``final_SN[s, r]`` is the final score of the trial at place r.

Without replacement, condition on the best of the t - p trials that are stopped standing at
place r: the p kept are then any p of the r trials before it, equally likely. So

    E[result] = sum_r  C(r, p) C(N-1-r, t-p-1) / C(N, t)  *  best(r, p),
    best(r, p) = sum_j  C(j-1, p-1) / C(r, p)  *  (j-th smallest final score of the first r).

``best`` does not depend on t: one table of it serves every (t, p). It equals the sum over
the worst kept trial, sum_r [F_r <= x] C(c_r(x), p-1) C(N-1-r, t-p) / C(N, t), by parts.
Every weight is positive and every row of weights is normalised by its own sum, so that
nothing cancels: about 1e-12 of the spread of the scores at N = 10,000.

With replacement, the worst kept draw stands at place r, k < p draws stand before it and at
least p - k at it, with multinomial weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import binom

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK = 64
"""So many places share one scaling of the binomials: C(n, 64) never overflows a float."""


def expected_result(
    early_SN: Floats, final_SN: Floats, start: int, keep: int, *, replacement: bool = False
) -> Floats:
    """Give the expected best score of (start, keep) for each of S rankings of N trials.

    ``early_SN`` holds the scores at the moment of ranking, ``final_SN`` those after full
    training, both in ranking order. 0 <= keep <= start, and start <= N unless draws are
    with ``replacement``. Cost: O(S N^2).
    """
    trials = final_SN.shape[1]
    if keep == 0:
        weight_N = place_weights(trials, start, 0, replacement=replacement)
        return np.asarray(early_SN @ weight_N)
    total_S = np.zeros(len(final_SN))
    weights_of_first = _coefficients(trials, start, keep, replacement=replacement)
    for r, sorted_Sr in growing_sorted(final_SN):
        weights_r = weights_of_first(r)
        if weights_r is None:
            continue
        # With replacement the trial at place r is kept too, and nothing below it can win.
        elements = np.maximum(sorted_Sr, final_SN[:, r, None]) if replacement else sorted_Sr
        total_S += elements @ weights_r
    if replacement:
        total_S += final_SN @ _alone_weights(trials, start, keep)
    return total_S


def result_distribution(
    early_N: Floats, final_N: Floats, start: int, keep: int, *, replacement: bool = False
) -> tuple[Floats, Floats]:
    """Give the scores that (start, keep) can end with, ascending, and their probabilities."""
    trials = len(final_N)
    if keep == 0:
        values_X, at_N = np.unique(early_N, return_inverse=True)
        weight_N = place_weights(trials, start, 0, replacement=replacement)
        return values_X, _masses(at_N, weight_N, len(values_X))
    values_X, at_N = np.unique(final_N, return_inverse=True)
    mass_X = np.zeros(len(values_X))
    weights_of_first = _coefficients(trials, start, keep, replacement=replacement)
    for r, sorted_1r in growing_sorted(at_N[None, :].astype(np.float64)):
        weights_r = weights_of_first(r)
        if weights_r is None:
            continue
        elements_r = sorted_1r[0].astype(np.int64)
        if replacement:
            elements_r = np.maximum(elements_r, at_N[r])
        mass_X += _masses(elements_r, weights_r, len(values_X))
    if replacement:
        mass_X += _masses(at_N, _alone_weights(trials, start, keep), len(values_X))
    return values_X, mass_X


def best_of_first(final_SN: Floats, keeps_K: Integers) -> Floats:
    """Give best(r, p) for every r = 0..N and p in ``keeps_K``: an array [S, N + 1, K].

    The expected highest score of p trials drawn without replacement from the first r of
    the ranking; 0 where r < p. keep >= 1. Cost: O(S N^2 K) in matrix products.
    """
    sequences, trials = final_SN.shape
    best_SNK = np.zeros((sequences, trials + 1, len(keeps_K)))
    log_top_NK = log_choose(np.arange(trials)[:, None], keeps_K - 1)
    weights_JK = totals_JK = np.empty((0, 0))
    for r, sorted_Sr in growing_sorted(final_SN):
        if (r - 1) % BLOCK == 0:
            end = min(r + BLOCK - 1, trials)
            # Where keep > end no r of this block counts: any finite scale will do.
            scale_K = log_choose(np.array(end), np.minimum(keeps_K, end))
            weights_JK = np.exp(log_top_NK[:end] - scale_K)
            totals_JK = np.cumsum(weights_JK, axis=0)
        total_K = totals_JK[r - 1]
        possible_K = keeps_K <= r
        product_SK = sorted_Sr @ weights_JK[:r]
        np.divide(product_SK, total_K, out=best_SNK[:, r], where=possible_K)
    return best_SNK


def growing_sorted(values_SN: Floats) -> Iterator[tuple[int, Floats]]:
    """Yield r and the first r values of each row, sorted ascending, for r = 1..N.

    The array is a view that the next round overwrites.
    """
    sequences, trials = values_SN.shape
    sorted_SN = np.full((sequences, trials), np.inf)
    for r in range(trials):
        # Insertion in every row at once: new[j] = max(old[j-1], min(old[j], x)).
        lowered = np.minimum(sorted_SN[:, : r + 1], values_SN[:, r, None])
        np.maximum(lowered[:, 1:], sorted_SN[:, :r], out=lowered[:, 1:])
        sorted_SN[:, : r + 1] = lowered
        yield r + 1, sorted_SN[:, : r + 1]


def place_weights(trials: int, start: int, keep: int, *, replacement: bool = False) -> Floats:
    """Give the chance that the best stopped trial stands at place r: [N], start > keep.

    With ``replacement`` only for keep = 0, where it is the best of all draws.
    """
    if not replacement:
        return np.asarray(PlaceWeights(trials, np.array([start - keep - 1])).of(keep)[0])
    if keep:
        raise ValueError("with replacement the weights depend on how many draws tie")
    place_N = np.arange(trials)
    return np.asarray(
        ((trials - place_N) / trials) ** start - ((trials - 1 - place_N) / trials) ** start
    )


class PlaceWeights:
    """The chances of ``place_weights`` for many numbers of stopped trials at once.

    ``after_A`` counts the stopped trials after the best of them: start - keep - 1.
    """

    def __init__(self, trials: int, after_A: Integers) -> None:
        self.trials, self.place_N = trials, np.arange(trials)
        self.log_later_AN = log_choose(trials - 1 - self.place_N, after_A[:, None])

    def of(self, keep: int, rows: int | None = None) -> Floats:
        """Give the chances that the best stopped trial stands at place r: [A, N].

        ``rows`` asks for the first of ``after_A`` only. keep + 1 + after <= N.
        """
        weights_AN = self.log_later_AN[:rows] + log_choose(self.place_N, np.array(keep))
        # Any scale will do; this one keeps the largest weight of each row at 1.
        weights_AN -= weights_AN.max(axis=1, keepdims=True)
        np.exp(weights_AN, out=weights_AN)
        weights_AN /= weights_AN.sum(axis=1, keepdims=True)
        return weights_AN


def log_choose(n: NDArray[np.integer], k: NDArray[np.integer]) -> Floats:
    """Give log C(n, k), minus infinity where k < 0 or k > n; n >= 0."""
    possible = (k >= 0) & (k <= n)
    k_safe = np.where(possible, k, 0)
    log_factorial = gammaln(np.arange(np.max(n, initial=0) + 1) + 1.0)
    value = log_factorial[n] - log_factorial[k_safe] - log_factorial[n - k_safe]
    return np.where(possible, value, -np.inf)


def _coefficients(
    trials: int, start: int, keep: int, *, replacement: bool
) -> Callable[[int], Floats | None]:
    """Give a function of r: the weights of the first r final scores, sorted; None for no weight.

    The expected result is the sum of the products over all r.
    """
    if replacement:
        tie_Nk = _tie_weights(trials, start, keep, np.arange(trials))
        return lambda r: _coefficients_with(r, tie_Nk[r]) if r < trials else None
    # With start == keep nothing is stopped: any ``keep`` of all trials.
    weight_N = np.zeros(trials + 1)
    if start == keep:
        weight_N[trials] = 1.0
    else:
        weight_N[:trials] = place_weights(trials, start, keep)
    return lambda r: weight_N[r] * _share(np.arange(r), keep) if weight_N[r] else None


def _share(before_J: Integers, keep: int) -> Floats:
    """Give the chance that the j-th smallest is the largest of ``keep`` drawn ones."""
    log_J = log_choose(before_J, np.array(keep - 1))
    weight_J = np.exp(log_J - log_J[-1])
    return np.asarray(weight_J / weight_J.sum())


def _coefficients_with(r: int, weight_k: Floats) -> Floats:
    """Weigh the sorted first r scores by where the best of k draws among them falls, k >= 1."""
    j_J, k_k = np.arange(1, r + 1)[:, None], np.arange(1, len(weight_k))
    chance_Jk = (j_J / r) ** k_k - ((j_J - 1) / r) ** k_k
    return np.asarray(chance_Jk @ weight_k[1:])


def _alone_weights(trials: int, start: int, keep: int) -> Floats:
    """Give the chance that all kept draws are the trial at place r: [N]."""
    return _tie_weights(trials, start, keep, np.arange(trials))[:, 0]


def _tie_weights(trials: int, start: int, keep: int, place_R: Integers) -> Floats:
    """Give the chance that k draws stand before place r and the worst kept at it: [R, keep].

    C(t, k) (r/N)^k ((N-r)/N)^(t-k) P(Binomial(t-k, 1/(N-r)) >= p-k), k = 0..p-1.
    """
    k_k, r_R1 = np.arange(keep), place_R[:, None]
    before = binom.pmf(k_k, start, r_R1 / trials)
    return np.asarray(before * binom.sf(keep - k_k - 1, start - k_k, 1.0 / (trials - r_R1)))


def _masses(at_J: Integers, weight_J: Floats, length: int) -> Floats:
    """Add up the weights that fall on each of ``length`` scores."""
    return np.bincount(at_J, weight_J, minlength=length).astype(np.float64)
