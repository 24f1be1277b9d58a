"""Policies: who goes on, who waits, who stops, whatever the order of asking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import InputError
from seedbed.core.seeds import Seeds
from seedbed.core.work import Decision
from seedbed.stopping.policies import Patience, StartMany, TrainAll, pause_progress
from toys import random_curves

WITHOUT_END = (Decision.CONTINUE, Decision.PAUSE)


def prefix(curve: Curve, evaluations: int) -> Curve:
    return Curve(curve.trial, curve.seeds, curve.evaluations[:evaluations])


def losing(*losses: float, of: int = 100) -> Curve:
    found = [
        Evaluation(step=k, progress=k / of, score=0.5, loss=loss)
        for k, loss in enumerate(losses, start=1)
    ]
    return Curve(0, Seeds(1, 1, 1), tuple(found))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 12), st.data())
def test_start_many_keeps_exactly_the_best(seed: int, trials: int, data: st.DataObject) -> None:
    keep = data.draw(st.integers(0, trials))
    curves = [prefix(c, 4) for c in random_curves(trials, seed=seed, levels=3)]
    policy = StartMany(trials, 0.5, keep)
    assert all(policy.judge(c).decision is Decision.PAUSE for c in curves)
    shuffled = [curves[k] for k in np.random.default_rng(seed).permutation(trials)]
    verdicts = policy.select(shuffled, shuffled)
    assert verdicts == policy.select(curves, curves), "asked in another order"
    going = {t for t, v in verdicts.items() if v.decision is Decision.CONTINUE}
    assert set(verdicts) == set(range(trials))
    assert {v.decision for v in verdicts.values()} <= {Decision.CONTINUE, Decision.STOP}
    assert len(going) == keep

    def key(curve: Curve) -> tuple[float, float, int]:
        return (*min((-e.score, e.loss) for e in curve.evaluations), curve.trial)

    worst_kept = max((key(c) for c in curves if c.trial in going), default=(-9.0, 0.0, 0))
    best_dropped = min((key(c) for c in curves if c.trial not in going), default=(9.0, 0.0, 0))
    assert worst_kept < best_dropped


def test_ranking_uses_the_best_so_far_and_nothing_later() -> None:
    early = random_curves(6, seed=1)
    policy = StartMany(6, 0.5, 2)
    seen_late = policy.select(early, [])
    at_pause = policy.select([prefix(c, 4) for c in early], [])
    assert seen_late == at_pause


def test_places_already_taken_are_not_given_again() -> None:
    curves = random_curves(6, seed=1)
    promoted, waiting = curves[:2], [prefix(c, 4) for c in curves[2:]]
    verdicts = StartMany(6, 0.5, 3).select(waiting, [*promoted, *waiting])
    going = [v for v in verdicts.values() if v.decision is Decision.CONTINUE]
    assert len(going) == 1
    verdicts = StartMany(6, 0.5, 1).select(waiting, [*promoted, *waiting])
    assert {v.decision for v in verdicts.values()} == {Decision.STOP}


@pytest.mark.parametrize("at", [0.25, 0.5, 0.55, 0.875, 1 / 3])
def test_a_trial_pauses_once_at_the_first_evaluation_from_at_on(at: float) -> None:
    (curve,) = random_curves(1, seed=3)
    policy = StartMany(1, at, 1)
    decisions = [policy.judge(prefix(curve, k)).decision for k in range(1, 9)]
    first = next(k for k in range(1, 9) if k / 8 >= at - 1e-9)
    if first < 8:
        assert decisions.index(Decision.PAUSE) == first - 1
    assert decisions.count(Decision.PAUSE) == 1
    assert decisions[-1] in {Decision.FINISH, Decision.PAUSE}


def test_a_pause_is_met_although_progress_is_a_rounded_share() -> None:
    grid = [k / 30 for k in range(1, 31)]
    for at in (0.1, 0.2, 0.3, 0.6, 0.7):
        found = [Evaluation(step=k, progress=p, score=0, loss=1) for k, p in enumerate(grid, 1)]
        policy = StartMany(3, pause_progress(at, grid), 1)
        pauses = [
            k
            for k in range(1, 31)
            if policy.judge(Curve(0, Seeds(1, 1, 1), tuple(found[:k]))).decision is Decision.PAUSE
        ]
        assert pauses == [round(30 * at)]


@pytest.mark.parametrize(
    ("start", "at", "keep", "word"),
    [
        (0, 0.5, 0, "start"),
        (4, 0.0, 2, "0 < at < 1"),
        (4, 1.0, 2, "0 < at < 1"),
        (4, -0.1, 2, "0 < at < 1"),
        (4, float("nan"), 2, "0 < at < 1"),
        (4, 0.5, 5, "keep"),
        (4, 0.5, -1, "keep"),
    ],
)
def test_rules_that_make_no_sense_are_refused(start: int, at: float, keep: int, word: str) -> None:
    with pytest.raises(InputError, match=word):
        StartMany(start, at, keep)


def test_more_trials_than_the_design_has_are_refused() -> None:
    assert StartMany(4, 0.5, 1).starts(4) == 4
    with pytest.raises(InputError, match=r"1\.\.3"):
        StartMany(4, 0.5, 1).starts(3)
    with pytest.raises(InputError, match=r"1\.\.3"):
        Patience(2, StartMany(4, 0.5, 1)).starts(3)


def test_train_all_starts_all_or_its_limit() -> None:
    assert TrainAll().starts(7) == 7
    assert TrainAll(limit=3).starts(7) == 3
    assert TrainAll(limit=9).starts(7) == 7
    (curve,) = random_curves(1, seed=3)
    decisions = [TrainAll().judge(prefix(curve, k)).decision for k in range(1, 9)]
    assert decisions == [Decision.CONTINUE] * 7 + [Decision.FINISH]


@pytest.mark.parametrize(
    ("losses", "patience", "stopped"),
    [
        ([5, 4, 3, 2, 1], 1, None),
        ([5, 4, 4, 4, 3], 2, 4),
        ([5, 4, 4, 4, 3], 3, None),
        ([1, 2, 3, 4, 5], 1, 2),
        ([3, 3, 3, 3, 3], 4, 5),
        ([3, 5, 2, 4, 4], 2, 5),
    ],
)
def test_patience_counts_evaluations_since_the_lowest_loss(
    losses: list[float], patience: int, stopped: int | None
) -> None:
    policy = Patience(patience, TrainAll())
    verdicts = [policy.judge(losing(*losses[:k])) for k in range(1, len(losses) + 1)]
    places = [k for k, v in enumerate(verdicts, 1) if v.decision is Decision.STOP]
    assert places[:1] == ([] if stopped is None else [stopped])
    if stopped is not None:
        assert f"{patience} evaluations" in verdicts[stopped - 1].reason


def test_patience_never_stops_what_is_finished_and_passes_the_rest_on() -> None:
    ended = losing(1, 2, 3, 4, of=4)
    assert Patience(1, TrainAll()).judge(ended).decision is Decision.FINISH
    inner = StartMany(2, 0.5, 1)
    assert Patience(3, inner).judge(losing(2, 1, of=4)).decision is Decision.PAUSE
    curves = random_curves(2, seed=1)
    assert Patience(3, inner).select(curves, curves) == inner.select(curves, curves)
    for patience in (0, -1):
        with pytest.raises(InputError, match="patience"):
            Patience(patience, TrainAll())


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_verdicts_are_pure(seed: int, patience: int) -> None:
    curves = random_curves(3, seed=seed, levels=4)
    policy = Patience(patience, StartMany(3, 0.25, 2))
    first = [policy.judge(prefix(c, k)) for c in curves for k in range(1, 9)]
    again = [policy.judge(prefix(c, k)) for c in reversed(curves) for k in range(8, 0, -1)]
    assert first == again[::-1]


@settings(deadline=None)
@given(
    st.floats(0.001, 0.999),
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=20, unique=True).map(sorted),
)
def test_the_pause_is_the_last_evaluation_not_after_at(at: float, grid: list[float]) -> None:
    early = [p for p in grid if p <= at]
    if early:
        found = pause_progress(at, grid)
        assert found in grid
        assert max(early) <= found <= at + 1e-9
    elif grid[0] > at + 1e-9:
        with pytest.raises(InputError, match="no evaluation comes so early"):
            pause_progress(at, grid)


@pytest.mark.parametrize("at", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_pause_outside_training_is_refused(at: float) -> None:
    with pytest.raises(InputError, match="0 < at < 1"):
        pause_progress(at, [0.5, 1.0])
