"""Variance components of a crossed design with holes, by restricted maximum likelihood.

Model as in ``variance``: V = v_init Z Z' + v_order W W' + v_rest 1, with Z and W the
incidence of the seeds. Every likelihood is evaluated through the (I + O) x (I + O) matrix of
the mixed-model equations, never through V itself. Legend: S = I + O seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, optimize, stats

from seedbed.stats._checks import Floats
from seedbed.stats.layout import Layout

SMALLEST_REST = 1e-4
"""Least standard deviation of the rest, in standard deviations of the scores."""

Pair = tuple[float, float]
Item = TypeVar("Item")


@dataclass(frozen=True)
class RemlFit:
    """REML estimates of (init, order, rest), an interval for each and for its share."""

    variances: tuple[float, float, float]
    intervals: tuple[Pair, Pair, Pair]
    share_intervals: tuple[Pair, Pair, Pair]


def reml_components(layout: Layout, *, confidence: float = 0.95) -> RemlFit:
    """Fit the three variances by REML, with profile-likelihood intervals.

    Minimises -2 log of the restricted likelihood (Patterson, Thompson 1971)

        (N-1) log v + log|V0| + log(1' V0^-1 1) + Q / v,   V = v V0,

    over variances >= 0, Q being the generalized residual sum of squares. An interval holds
    the values whose profile lies within the chi-square(1) quantile of the minimum; where
    that includes 0, the interval starts at 0. On a balanced grid with no estimate at zero
    this gives the expected-mean-squares estimates.

    Args:
        layout: a crossed layout (``layout.crossed``), holes allowed.
        confidence: of each interval.
    """
    scale = float(layout.scores.std())
    if scale == 0.0 or np.ptp(layout.scores) == 0.0:
        nothing = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
        return RemlFit((0.0, 0.0, 0.0), nothing, nothing)
    likelihood = _Likelihood(layout, scale)
    best = likelihood.best()
    limit = best.deviance + float(stats.chi2.ppf(confidence, 1))
    total = sum(best.variances)
    intervals, shares = [], []
    for k, variance in enumerate(best.variances):
        profile = partial(likelihood.profile, k, best)
        intervals.append(_interval(profile, variance, limit, top=np.inf))
        profile = partial(likelihood.profile_share, k)
        shares.append(_interval(profile, variance / total, limit, top=1.0))
    variances = [v * scale**2 for v in best.variances]
    scaled = [(low * scale**2, high * scale**2) for low, high in intervals]
    return RemlFit(_three(variances), _three(scaled), _three(shares))


def _three(values: Sequence[Item]) -> tuple[Item, Item, Item]:
    first, second, third = values
    return first, second, third


@dataclass(frozen=True)
class Minimum:
    """Where the deviance is least: its value, and the variances (init, order, rest)."""

    deviance: float
    variances: tuple[float, float, float]


class _Likelihood:
    """The restricted likelihood of one data set, on scores with standard deviation 1."""

    def __init__(self, layout: Layout, scale: float) -> None:
        inits, orders = layout.counts.shape
        counts_IO = layout.counts.astype(np.float64)
        scores_N = (layout.scores - layout.scores.mean()) / scale
        self.trials, self.inits = layout.trials, inits
        self.cross_SS = np.block(
            [
                [np.diag(counts_IO.sum(axis=1)), counts_IO],
                [counts_IO.T, np.diag(counts_IO.sum(axis=0))],
            ]
        )
        # Columns: sums over each seed of (1, score); then the same over all trials.
        ones_N = np.ones(layout.trials)
        self.sums_S2 = np.stack(
            [
                np.concatenate(
                    [
                        np.bincount(layout.init, weights=w_N, minlength=inits),
                        np.bincount(layout.order, weights=w_N, minlength=orders),
                    ]
                )
                for w_N in (ones_N, scores_N)
            ],
            axis=1,
        )
        both_N2 = np.stack([ones_N, scores_N], axis=1)
        self.products_22 = both_N2.T @ both_N2

    def parts(self, ratio_init: float, ratio_order: float) -> Pair:
        """Give (log|V0| + log(1' V0^-1 1), Q) at the ratios of the variances to the rest's."""
        root_S = np.full(len(self.cross_SS), np.sqrt(ratio_order))
        root_S[: self.inits] = np.sqrt(ratio_init)
        inner_SS = root_S[:, None] * self.cross_SS * root_S[None, :]
        inner_SS.flat[:: len(root_S) + 1] += 1.0
        lower_SS = linalg.cholesky(inner_SS, lower=True, check_finite=False)
        half_S2 = linalg.solve_triangular(
            lower_SS, root_S[:, None] * self.sums_S2, lower=True, check_finite=False
        )
        weighted_22 = self.products_22 - half_S2.T @ half_S2
        ones = max(float(weighted_22[0, 0]), 1e-300)
        residual = max(float(weighted_22[1, 1] - weighted_22[0, 1] ** 2 / ones), 1e-300)
        return 2.0 * float(np.log(np.diag(lower_SS)).sum()) + float(np.log(ones)), residual

    def deviance(self, init: float, order: float, rest: float) -> float:
        """Give -2 log restricted likelihood at the three variances, up to a constant."""
        logs, residual = self.parts(init / rest, order / rest)
        return (self.trials - 1) * float(np.log(rest)) + logs + residual / rest

    def best(self) -> Minimum:
        """Give the REML estimates, by descent from two places."""
        starts = (0.5, 0.5, 0.7), (0.1, 0.1, 1.0)
        return min(
            (self._descend(lambda x: x**2, start) for start in starts),
            key=lambda minimum: minimum.deviance,
        )

    def profile(self, k: int, best: Minimum, fixed: float) -> float:
        """Give the least deviance with variance ``k`` (init, order, rest) held at ``fixed``."""
        # A start at exactly zero would stay there: the slope in a standard deviation is 0.
        start = np.sqrt(np.maximum(np.delete(best.variances, k), 0.01))
        return self._descend(lambda x: np.insert(x**2, k, fixed), start).deviance

    def _descend(self, variances: Callable[[Floats], Floats], start: ArrayLike) -> Minimum:
        """Minimise over standard deviations x >= 0, which ``variances`` maps to the three."""
        floor_3 = np.array([0.0, 0.0, SMALLEST_REST**2])

        def target(x: Floats) -> float:
            return self.deviance(*np.maximum(variances(x), floor_3).tolist())

        bounds = [(0.0, None)] * len(np.asarray(start))
        found = optimize.minimize(target, start, method="L-BFGS-B", bounds=bounds)
        init, order, rest = np.maximum(variances(found.x), floor_3).tolist()
        return Minimum(float(found.fun), (init, order, rest))

    def profile_share(self, k: int, fixed: float) -> float:
        """Give the least deviance with the share of variance ``k`` held at ``fixed``."""

        def target(split: float) -> float:
            shares = np.insert((1.0 - fixed) * np.array([split, 1.0 - split]), k, fixed)
            init, order, rest = np.maximum(shares, (0.0, 0.0, SMALLEST_REST**2))
            logs, residual = self.parts(init / rest, order / rest)
            # The total variance has its minimum in closed form.
            free = self.trials - 1
            return free * float(np.log(rest * residual / (rest * free)) + 1.0) + logs

        found = optimize.minimize_scalar(target, bounds=(0.0, 1.0), method="bounded")
        return min(float(found.fun), target(0.0), target(1.0))


def _interval(
    profile: Callable[[float], float], estimate: float, limit: float, *, top: float
) -> Pair:
    """Give the two values around ``estimate`` where ``profile`` reaches ``limit``."""

    def excess(value: float) -> float:
        return profile(value) - limit

    floor = min(1e-9, estimate / 2.0)
    lower = 0.0
    if estimate > 0.0 and excess(floor) > 0.0:
        lower = float(optimize.brentq(excess, floor, estimate, xtol=1e-9, rtol=1e-3))
    high = min(max(2.0 * estimate, 0.02), top)
    while high < min(top, 1e9) and excess(high) < 0.0:
        high = min(2.0 * high, top)
    if excess(high) < 0.0:
        return lower, high
    return lower, float(optimize.brentq(excess, estimate, high, xtol=1e-9, rtol=1e-3))
