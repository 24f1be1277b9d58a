"""Recorded curves become arrays, and what cannot be compared is refused by name."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.curves import Curve, rank
from seedbed.core.errors import InputError
from seedbed.stopping.recorded import record
from stopping.recordings import curves_from, noisy_curves


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_ranks_as_a_live_study_does(seed: int) -> None:
    generator = np.random.default_rng(seed)
    score = generator.integers(0, 3, size=(6, 4)) / 4
    curves = curves_from(score, generator.integers(0, 2, size=(6, 4)).astype(float))
    recorded = record(generator.permutation(np.array(curves, dtype=object)).tolist())
    for e, progress in enumerate(recorded.progress_E):
        live = [curve.trial for curve in rank(curves, float(progress))]
        assert recorded.ranking(e).tolist() == live
        best = [curve.best(float(progress)) for curve in curves]
        assert recorded.best_TE[:, e].tolist() == [b.score for b in best if b]
        assert recorded.loss_TE[:, e].tolist() == [b.loss for b in best if b]


def test_pauses_at_the_last_evaluation_not_after() -> None:
    recorded = record(curves_from(np.ones((2, 4))))  # evaluations at 1/4, 2/4, 3/4, 1
    assert [recorded.pause_index(at) for at in (0.25, 0.49, 0.5, 0.74, 1.0)] == [0, 0, 1, 1, 3]
    for at in (0.0, 0.2, 1.1, -1, math.nan):
        with pytest.raises(InputError, match=r"0\.25 <= at <= 1"):
            recorded.pause_index(at)


def test_leaves_out_and_counts_the_unfinished() -> None:
    curves = curves_from(np.random.default_rng(0).random((4, 3)))
    stopped = replace(curves[1], evaluations=curves[1].evaluations[:2])
    recorded = record([curves[3], stopped, Curve(9, stopped.seeds), curves[0]])
    assert [c.trial for c in recorded.curves] == [0, 3]
    assert recorded.left_out == 2
    with pytest.raises(InputError, match="nothing to replay"):
        record([stopped])
    with pytest.raises(InputError, match="nothing to replay"):
        record([])


def _changed(curve: Curve, **changes: float) -> Curve:
    first = replace(curve.evaluations[0], **changes)  # type: ignore[arg-type]
    return replace(curve, evaluations=(first, *curve.evaluations[1:]))


def test_refuses_what_cannot_be_compared_and_names_it() -> None:
    curves = curves_from(np.random.default_rng(0).random((3, 3)))
    with pytest.raises(InputError, match="stands for two curves"):
        record([*curves, curves[2]])
    with pytest.raises(InputError, match=r"trial 2 .* was not evaluated where trial 0 was"):
        record([*curves[:2], _changed(curves[2], progress=0.3)])
    shorter = replace(curves[1], evaluations=curves[1].evaluations[1:])
    with pytest.raises(InputError, match="trial 1"):
        record([curves[0], shorter])
    with pytest.raises(InputError, match=r"score of trial 1 .* at step 10 is not a finite"):
        record([curves[0], _changed(curves[1], score=math.nan), curves[2]])
    with pytest.raises(InputError, match="loss of trial 0"):
        record([_changed(curves[0], loss=math.inf), *curves[1:]])


def test_goes_without_losses_where_none_is_recorded() -> None:
    score = np.array([[0.5, 0.6], [0.5, 0.8], [0.4, 0.9]])
    recorded = record(curves_from(score, np.full_like(score, np.nan)))
    assert recorded.ranking(0).tolist() == [0, 1, 2]
    assert [c.trial for c in rank(list(recorded.curves), 0.5)] == [0, 1, 2]


def test_a_subset_may_repeat_a_trial() -> None:
    recorded = record(noisy_curves(np.random.default_rng(2), inits=5))
    twice = recorded.subset(np.array([4, 1, 1]))
    assert [c.trial for c in twice.curves] == [0, 1, 2]
    assert twice.inits.tolist() == [1, 1, 4]
    assert (twice.best_TE == recorded.best_TE[[1, 1, 4]]).all()
