"""What a study comes to: a plain reference over the curves says the same as the runner."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.curves import Curve
from seedbed.core.work import Decision, Start
from seedbed.run.pool import InlinePool, ProcessPool
from seedbed.run.segment import Done, Message, Ready, segment
from seedbed.run.table import TableLearner
from seedbed.stopping.policies import Patience, StartMany, TrainAll
from seedbed.store.checkpoints import CheckpointFolder
from toys import CounterLearner, counter_curve, grid, random_curves, table_of


def reference(
    curves: Sequence[Curve], start: int, at: float, keep: int, patience: int | None = None
) -> tuple[dict[int, Decision], dict[int, int]]:
    """Play start-many by hand; gives each trial's last decision and how many evaluations."""
    count = len(curves[0].evaluations)
    pause = max(k for k in range(1, count) if k / count <= at + 1e-9)
    reached, decided = {}, {}
    for curve in curves[:start]:
        upto, stopped = patience_stop(curve, patience, pause)
        reached[curve.trial] = upto
        if stopped:
            decided[curve.trial] = Decision.STOP
    waiting = [c for c in curves[:start] if c.trial not in decided]

    def order(curve: Curve) -> tuple[float, float, int]:
        best = min((-e.score, e.loss) for e in curve.evaluations[:pause])
        return (*best, curve.trial)

    for place, curve in enumerate(sorted(waiting, key=order)):
        if place < keep:
            upto, stopped = patience_stop(curve, patience, count, begin=pause)
            reached[curve.trial] = upto
            decided[curve.trial] = Decision.STOP if stopped else Decision.FINISH
        else:
            decided[curve.trial] = Decision.STOP
    return decided, reached


def patience_stop(
    curve: Curve, patience: int | None, until: int, begin: int = 0
) -> tuple[int, bool]:
    """Walk evaluations begin+1..until; where patience stops the trial, and whether it does."""
    losses = [e.loss for e in curve.evaluations]
    for k in range(begin + 1, until + 1):
        best = losses[:k].index(min(losses[:k]))
        if patience is not None and k < len(losses) and k - 1 - best >= patience:
            return k, True
    return until, False


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("rule", [(20, 0.25, 5), (20, 0.5, 1), (12, 0.875, 12)])
@pytest.mark.parametrize("patience", [None, 2])
def test_start_many_is_what_a_plain_reference_computes(
    bench: Any, levels: int | None, rule: tuple[int, float, int], patience: int | None
) -> None:
    start, at, keep = rule
    curves = random_curves(20, seed=11, levels=levels)
    study = bench([c.seeds for c in curves])
    policy = StartMany(start, at, keep)
    study.run(
        TableLearner(curves, width=4), policy if patience is None else Patience(patience, policy)
    )
    decided, reached = reference(curves, start, at, keep, patience)
    assert {t: v.decision for t, v in study.final.items()} == decided
    recorded = study.database.curves(logits=True)
    for curve in curves:
        assert recorded[curve.trial].evaluations == curve.evaluations[: reached.get(curve.trial, 0)]


class ShuffledPool:
    """Several workers in this process, whose messages arrive in a random order."""

    def __init__(self, learner: Any, folder: Path, *, size: int, seed: int) -> None:
        self.size = size
        self.learner, self.folder = learner, CheckpointFolder(folder)
        self.generator = np.random.default_rng(seed)
        ready = Ready(tuple(learner.evaluation_steps), learner.width, learner.saves, None)
        self.messages: dict[int, deque[Message]] = {w: deque([ready]) for w in range(size)}
        self.work: dict[int, Any] = {}

    def submit(self, worker: int, starts: Sequence[Start]) -> None:
        assert worker not in self.work, "a busy worker was given work"
        self.work[worker] = segment(self.learner, self.folder, starts)
        self.messages[worker].append(next(self.work[worker]))

    def answer(self, worker: int, going: Collection[int]) -> None:
        try:
            self.messages[worker].append(self.work[worker].send(going))
        except StopIteration:
            del self.work[worker]
            self.messages[worker].append(Done())

    def next(self, seconds: float) -> tuple[int, Message] | None:
        ready = [w for w in range(self.size) if self.messages[w]]
        if not ready:
            return None
        worker = int(self.generator.choice(ready))
        return worker, self.messages[worker].popleft()

    def close(self) -> None:
        pass


def test_verdicts_are_the_same_for_any_width_workers_and_order_of_arrival(bench: Any) -> None:
    curves = random_curves(17, seed=5, levels=4)
    policy = Patience(3, StartMany(17, 0.5, 4))
    outcomes = []
    for seed, (size, width) in enumerate(itertools.product([1, 2, 5], [1, 3, 64])):
        study = bench([c.seeds for c in curves])
        learner = TableLearner(curves, width=width)
        pool = ShuffledPool(learner, study.layout.checkpoints, size=size, seed=seed)
        study.runner(pool, policy).run()
        outcomes.append(study.facts())
    assert all(outcome == outcomes[0] for outcome in outcomes)
    decided, _ = reference(curves, 17, 0.5, 4, patience=3)
    assert {t: v.decision for t, v in outcomes[0][1].items()} == decided


def test_worker_processes_give_what_the_caller_itself_gives(bench: Any) -> None:
    curves = random_curves(9, seed=3)
    policy = StartMany(9, 0.25, 3)
    alone, shared = bench([c.seeds for c in curves]), bench([c.seeds for c in curves])
    alone.run(TableLearner(curves, width=1), policy)
    pool = ProcessPool(
        partial(table_of, curves, 2),
        shared.layout.checkpoints,
        size=2,
        logs=shared.layout.root / "logs",
    )
    try:
        shared.runner(pool, policy).run()
    finally:
        pool.close()
    assert shared.facts() == alone.facts()


def test_a_failed_trial_does_not_fail_the_study(bench: Any) -> None:
    curves = random_curves(6, seed=2)
    failures = {curves[1].seeds: 3, curves[4].seeds: 15}
    study = bench([c.seeds for c in curves])
    study.run(TableLearner(curves, width=3, failures=failures), TrainAll())
    decisions = {t: v.decision for t, v in study.final.items()}
    assert {t for t, d in decisions.items() if d is Decision.FAIL} == {1, 4}
    assert {t for t, d in decisions.items() if d is Decision.FINISH} == {0, 2, 3, 5}
    recorded = study.database.curves()
    assert recorded[1].evaluations == ()
    assert recorded[4].step == 12
    assert (1, 0, study.final[1]) in study.ear.heard, "a trial that fails at once is told of"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["score", "loss"])
def test_scores_that_are_no_numbers_fail_that_trial_only(
    bench: Any, field: str, value: float
) -> None:
    curves = random_curves(4, seed=9)
    broken = list(curves[2].evaluations)
    broken[3] = replace(broken[3], **{field: value})
    curves[2] = replace(curves[2], evaluations=tuple(broken))
    study = bench([c.seeds for c in curves])
    study.run(TableLearner(curves, width=2), StartMany(4, 0.25, 4))
    assert study.final[2].decision is Decision.FAIL
    assert "finite" in study.final[2].reason
    assert study.database.curves()[2].step == broken[2].step
    assert [study.final[t].decision for t in (0, 1, 3)] == [Decision.FINISH] * 3


def test_failed_trials_take_no_place_among_the_kept(bench: Any) -> None:
    curves = random_curves(8, seed=21)
    by_score = sorted(curves, key=lambda c: -max(e.score for e in c.evaluations[:2]))
    failures = {by_score[0].seeds: 6}  # the first of the ranking fails where it would be ranked
    study = bench([c.seeds for c in curves])
    study.run(TableLearner(curves, width=8, failures=failures), StartMany(8, 0.25, 2))
    finished = {t for t, v in study.final.items() if v.decision is Decision.FINISH}
    ahead = sorted(by_score[1:], key=lambda c: -max(e.score for e in c.evaluations[:2]))
    assert finished == {ahead[0].trial, ahead[1].trial}


def test_a_counter_with_states_continues_exactly(bench: Any) -> None:
    seeds = grid(9)
    study = bench(seeds)
    study.run(CounterLearner(width=2), StartMany(9, 0.25, 3))
    straight = [counter_curve(t, s) for t, s in enumerate(seeds)]
    decided, reached = reference(straight, 9, 0.25, 3)
    assert {t: v.decision for t, v in study.final.items()} == decided
    for trial, curve in study.database.curves(logits=True).items():
        assert curve.evaluations == straight[trial].evaluations[: reached[trial]]


def test_only_what_may_be_needed_stays_on_disk(bench: Any) -> None:
    study = bench(grid(9))
    study.run(CounterLearner(width=3), StartMany(9, 0.25, 3))
    assert study.on_disk() == {f.file for f in study.database.files()}
    best = sorted(study.database.curves().values(), key=lambda c: -c.best().score)[:2]
    assert study.on_disk() == {
        f"{c.trial:05d}-{c.best().step:07d}.weights.safetensors" for c in best
    }


def test_a_failed_trial_does_not_push_the_winners_weights_out(bench: Any) -> None:
    seeds = grid(6)
    straight = [counter_curve(t, s) for t, s in enumerate(seeds)]
    luckiest = max(straight, key=lambda c: max(e.score for e in c.evaluations[:-1]))
    study = bench([replace(s, init=s.init * 10 + t) for t, s in enumerate(seeds)])
    straight = [counter_curve(t, s) for t, s in study.database.trials().items()]
    luckiest = max(straight, key=lambda c: max(e.score for e in c.evaluations[:-1]))
    learner = CounterLearner(width=2, failures={luckiest.seeds.init: 24})
    study.run(learner, TrainAll())
    winner = max((c for c in straight if c is not luckiest), key=lambda c: c.best().score)
    assert study.on_disk() >= {f"{winner.trial:05d}-{winner.best().step:07d}.weights.safetensors"}
    assert not any(name.startswith(f"{luckiest.trial:05d}") for name in study.on_disk())


def test_before_start_can_call_it_off_before_anything_is_recorded(bench: Any) -> None:
    study = bench(grid(2))

    def refuse(ready: Ready) -> None:
        raise ValueError(f"{ready.width}")

    pool = InlinePool(CounterLearner(width=2), study.layout.checkpoints)
    with pytest.raises(ValueError, match="2"):
        study.runner(pool, TrainAll(), before_start=refuse).run()
    assert study.database.verdicts() == []
    assert study.on_disk() == set()


@pytest.mark.slow
def test_ten_thousand_trials(bench: Any) -> None:
    curves = random_curves(10_000, seed=1, evaluations=30)
    study = bench([c.seeds for c in curves])
    study.run(TableLearner(curves, width=256), StartMany(10_000, 0.2, 50))
    decided, _ = reference(curves, 10_000, 0.2, 50)
    assert {t: v.decision for t, v in study.final.items()} == decided
