"""Crossed scores with known variances, and how far a rate may stray by chance alone."""

from __future__ import annotations

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-4
"""Each calibration check fails by chance alone with at most this probability."""


def crossed(rng, shape, variances=(0.0, 0.0, 1.0), *, mean=0.0):
    """Draw y_ij = mean + a_i + b_j + e_ij, normal with variances (init, order, rest)."""
    inits, orders = shape
    init, order, rest = variances
    return (
        mean
        + np.sqrt(init) * rng.normal(size=(inits, 1))
        + np.sqrt(order) * rng.normal(size=(1, orders))
        + np.sqrt(rest) * rng.normal(size=(inits, orders))
    )


def seeds_of(scores_IO):
    """Give (scores, init, order) of a full grid, one entry for each trial."""
    init, order = np.indices(scores_IO.shape).reshape(2, -1)
    return scores_IO.reshape(-1), init, order


def assert_rate_within(hits, draws, low, high):
    """Fail where ``hits`` of ``draws`` refutes that the true rate lies in [low, high].

    One-sided binomial tests at ``FALSE_ALARM`` / 2 against the nearer end.
    """
    too_few = stats.binom.cdf(hits, draws, low)
    too_many = stats.binom.sf(hits - 1, draws, high)
    message = f"rate {hits / draws:.3f} of {draws}, allowed {low} to {high}"
    assert too_few > FALSE_ALARM / 2, message
    assert too_many > FALSE_ALARM / 2, message
