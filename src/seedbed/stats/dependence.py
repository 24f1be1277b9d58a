"""The standard error of an estimate when trials share seeds.

Trials with the same init seed, or the same order seed, are alike, so N trials of a grid say
less than N independent ones. Legend: N trials, P estimates, I init and O order seeds.
"""

from __future__ import annotations

import numpy as np

from seedbed.stats._checks import Bools, Floats, Ints
from seedbed.stats.layout import Layout


def shares_seeds(layout: Layout) -> bool:
    """Say whether trials depend on each other through a seed that both factors vary around.

    A factor with a single seed is a constant of the study, not a source of spread; seeds
    that each occur once make independent trials.
    """
    return bool(_repeats(layout.counts.sum(axis=1)) or _repeats(layout.counts.sum(axis=0)))


def _repeats(counts: Ints) -> Bools:
    return np.asarray(len(counts) > 1 and counts.max() > 1)


def clustered_variance(influence_NP: Floats, layout: Layout) -> tuple[Floats, Floats]:
    """Give the variance of each estimate, and its degrees of freedom, from its influences.

    An estimate is to first order its expectation plus the mean over trials of an influence
    psi_n. With V_init the variance that sums over init seeds give to this mean, V_order the
    same over order seeds, and V_rest that of the residuals of psi ~ init + order,

        V = max(V_init + V_order - V_rest, V_init, V_order, V_rest),

    which for psi = score on a full grid is (MS_init + MS_order - MS_rest) / N. Degrees of
    freedom after Satterthwaite (1946), at least 1. Consistent as both I and O grow.

    Args:
        influence_NP: influences [N, P], each column with mean 0.
        layout: the trials' seeds; its scores are not used.

    Returns:
        (variances [P], degrees of freedom [P]).

    Reference: Cameron, Gelbach, Miller (2011), Robust inference with multiway clustering.
    """
    trials = layout.trials
    first_NI = np.eye(len(layout.inits))[layout.init]
    second_NO = np.eye(len(layout.orders))[layout.order]
    both_NS = np.concatenate([first_NI, second_NO], axis=1)
    rest_NP = influence_NP - both_NS @ (
        np.linalg.pinv(both_NS.T @ both_NS, hermitian=True) @ (both_NS.T @ influence_NP)
    )
    parts = []
    for onehot_NL in (first_NI, second_NO):
        levels = onehot_NL.shape[1]
        if levels > 1:
            sums_LP = onehot_NL.T @ influence_NP
            variance_P = levels / (levels - 1) * (sums_LP**2).sum(axis=0) / trials**2
            parts.append((variance_P, levels - 1))
    if layout.df_error > 0:
        parts.append(((rest_NP**2).sum(axis=0) / layout.df_error / trials, layout.df_error))
    variances = np.array([variance_P for variance_P, _ in parts])
    together = variances.sum(axis=0)
    if len(parts) == 3:
        together = variances[0] + variances[1] - variances[2]
    variance_P = np.maximum(together, variances.max(axis=0))
    spread = sum(part_P**2 / df for part_P, df in parts)
    df_P = np.divide(
        variance_P**2, spread, out=np.ones_like(variance_P), where=np.asarray(spread) > 0
    )
    return variance_P, np.maximum(df_P, 1.0)
