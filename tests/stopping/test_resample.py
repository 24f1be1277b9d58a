"""Resampling draws whole seeds, splits share none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.stopping.recorded import Recorded, record
from seedbed.stopping.resample import (
    halves_by_seeds,
    halves_by_trials,
    resamples,
    shares_seeds,
)
from stopping.recordings import noisy_curves


def grid(inits: int, orders: int | None, missing: int = 0) -> Recorded:
    """Record a grid with the last ``missing`` cells left out."""
    curves = noisy_curves(np.random.default_rng(0), inits=inits, orders=orders, evaluations=2)
    return record(curves[: len(curves) - missing])


def test_a_full_grid_is_drawn_as_rows_times_columns() -> None:
    recorded = grid(4, 5)
    for row in resamples(recorded, 50, np.random.default_rng(1)):
        counts = np.bincount(row, minlength=20).reshape(4, 5)
        assert counts.sum() == 20
        assert np.linalg.matrix_rank(counts) == 1  # product of the counts of both factors


def test_independent_trials_are_drawn_one_by_one() -> None:
    recorded = grid(30, None)
    assert not shares_seeds(recorded)
    drawn = resamples(recorded, 400, np.random.default_rng(1))
    assert drawn.shape == (400, 30)
    counts = np.stack([np.bincount(row, minlength=30) for row in drawn])
    # Multinomial: variance 29/30; 12,000 counts know it to 2 %.
    assert counts.var() == pytest.approx(29 / 30, rel=0.08)


@pytest.mark.parametrize(("inits", "orders", "missing"), [(5, 4, 3), (1, 6, 0), (6, 2, 5)])
def test_a_grid_with_gaps_still_gives_as_many_trials(inits: int, orders: int, missing: int) -> None:
    recorded = grid(inits, orders, missing)
    drawn = resamples(recorded, 30, np.random.default_rng(1))
    assert drawn.shape == (30, len(recorded))
    assert drawn.min() >= 0
    assert drawn.max() < len(recorded)
    assert (np.diff(drawn, axis=1) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(2, 7), st.integers(0, 3))
def test_halves_share_no_seed(seed: int, inits: int, orders: int, missing: int) -> None:
    recorded = grid(inits, orders, missing)
    one, other = halves_by_seeds(recorded, np.random.default_rng(seed))
    assert not set(recorded.inits[one]) & set(recorded.inits[other])
    assert not set(recorded.orders[one]) & set(recorded.orders[other])
    if not missing:
        assert len(one) == (inits // 2) * (orders // 2)
        assert len(other) == (inits - inits // 2) * (orders - orders // 2)


@pytest.mark.parametrize("trials", [2, 7, 20])
def test_halves_by_trials_use_every_trial_once(trials: int) -> None:
    one, other = halves_by_trials(trials, np.random.default_rng(3))
    assert sorted([*one.tolist(), *other.tolist()]) == list(range(trials))
    assert len(one) == trials // 2
    alone = grid(trials, None)
    assert sum(map(len, halves_by_seeds(alone, np.random.default_rng(3)))) == trials
