"""Interrupted anywhere and gone on with, a study comes to the same facts."""

from __future__ import annotations

from typing import Any

import pytest

from seedbed.core.errors import InterruptedStudyError, StudyError
from seedbed.core.work import Decision, Start
from seedbed.run.pool import InlinePool
from seedbed.run.recover import recover
from seedbed.run.segment import Message
from seedbed.run.table import TableLearner
from seedbed.stopping.policies import Patience, StartMany, TrainAll
from seedbed.store.retention import Retention, latest_states
from toys import CounterLearner, grid, random_curves

POLICY = Patience(5, StartMany(4, 0.5, 2))


class KilledError(BaseException):
    """Stands for a kill of the parent: nothing gets to tidy up."""


class KilledPool(InlinePool):
    """Kills the parent when it asks for a message after the first ``messages``.

    ``lost`` messages: the work was done (files are on disk), but nobody heard of it.
    """

    def __init__(self, learner: Any, folder: Any, messages: int, *, lost: bool = True) -> None:
        super().__init__(learner, folder)
        self.left, self.lost = messages, lost

    def next(self, seconds: float) -> tuple[int, Message] | None:
        if self.left == 0:
            if self.lost:
                super().next(seconds)
            raise KilledError
        self.left -= 1
        return super().next(seconds)


class CountedPool(InlinePool):
    """Counts messages."""

    count = 0

    def next(self, seconds: float) -> tuple[int, Message] | None:
        self.count += 1
        return super().next(seconds)


def uninterrupted(bench: Any, learner: Any, policy: Any, seeds: Any) -> tuple[Any, int]:
    study = bench(seeds)
    pool = CountedPool(learner, study.layout.checkpoints)
    study.runner(pool, policy).run()
    return study, pool.count


@pytest.mark.parametrize("width", [1, 4])
def test_killed_after_any_message_and_resumed_is_as_if_never_killed(bench: Any, width: int) -> None:
    seeds = grid(4)
    straight, messages = uninterrupted(bench, CounterLearner(width=width), POLICY, seeds)
    assert messages > 10
    for k in range(messages):
        study = bench(seeds)
        pool = KilledPool(CounterLearner(width=width), study.layout.checkpoints, k)
        with pytest.raises(KilledError):
            study.runner(pool, POLICY).run()
        study.run(CounterLearner(width=width), POLICY)
        assert study.facts() == straight.facts(), f"killed after message {k}"
        assert study.on_disk() == straight.on_disk(), f"killed after message {k}"
        assert study.ear.notes == []


def test_a_kill_costs_only_the_work_since_the_last_report(bench: Any) -> None:
    seeds = grid(3)
    study = bench(seeds)
    pool = KilledPool(CounterLearner(), study.layout.checkpoints, 1 + 5)
    with pytest.raises(KilledError):
        study.runner(pool, TrainAll()).run()
    again = CounterLearner()
    study.run(again, TrainAll())
    assert again.steps_done == 3 * 24 - 5 * 3


def test_asked_to_stop_after_any_message_and_resumed(bench: Any) -> None:
    seeds = grid(4)
    straight, messages = uninterrupted(bench, CounterLearner(width=2), POLICY, seeds)
    done = []
    for k in range(1, messages):
        study = bench(seeds)
        pool = CountedPool(CounterLearner(width=2), study.layout.checkpoints)
        runner = study.runner(pool, POLICY, stop_asked=lambda pool=pool, k=k: pool.count >= k)
        try:
            runner.run()
        except InterruptedStudyError as error:
            assert error.exit_code == 130
            interrupted = True
        else:
            interrupted = False
        done.append(interrupted)
        learner = CounterLearner(width=2)
        study.run(learner, POLICY)
        assert study.facts() == straight.facts(), f"asked to stop after message {k}"
        assert study.on_disk() == straight.on_disk()
    assert all(done[:-1])


def test_what_is_finished_is_not_trained_again(bench: Any) -> None:
    study = bench(grid(4))
    study.run(CounterLearner(), TrainAll())
    before = study.facts()
    learner = CounterLearner()
    study.run(learner, TrainAll())
    assert learner.steps_done == 0
    assert study.facts() == before


def test_facts_are_only_added(bench: Any) -> None:
    study = bench(grid(4))
    pool = KilledPool(CounterLearner(width=2), study.layout.checkpoints, 9)
    with pytest.raises(KilledError):
        study.runner(pool, POLICY).run()
    evaluations = {t: c.evaluations for t, c in study.database.curves().items()}
    verdicts = study.database.verdicts()
    study.run(CounterLearner(width=2), POLICY)
    assert study.database.verdicts()[: len(verdicts)] == verdicts
    for trial, curve in study.database.curves().items():
        assert curve.evaluations[: len(evaluations[trial])] == evaluations[trial]


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_a_damaged_checkpoint_is_recomputed_and_told(bench: Any, part: int, damage: str) -> None:
    seeds = grid(4)
    straight, _ = uninterrupted(bench, CounterLearner(width=2), TrainAll(), seeds)
    study = bench(seeds)
    pool = KilledPool(CounterLearner(width=2), study.layout.checkpoints, 7)
    with pytest.raises(KilledError):
        study.runner(pool, TrainAll()).run()
    trial, state = next(
        (t, pair) for t, pair in latest_states(study.database.files()).items() if pair[0].step > 3
    )
    path = study.folder.path(state[part])
    content = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-3])
    else:
        content[-1] ^= 1
        path.write_bytes(content)
    study.run(CounterLearner(width=2), TrainAll())
    assert study.facts() == straight.facts()
    assert study.on_disk() == straight.on_disk()
    assert [n for n in study.ear.notes if f"trial {trial} is recomputed" in n] == [
        f"trial {trial} is recomputed from its seeds ({seeds[trial]})"
    ]
    assert any(state[part].file in n and "damaged" in n for n in study.ear.notes)
    kinds = [kind for kind, _, _ in study.database.events()]
    assert kinds.count("recomputed") == 1
    assert "not repeated" not in kinds


def test_a_trial_that_does_not_repeat_its_scores_is_told(bench: Any) -> None:
    seeds = grid(2)
    study = bench(seeds)
    pool = KilledPool(CounterLearner(), study.layout.checkpoints, 4)
    with pytest.raises(KilledError):
        study.runner(pool, TrainAll()).run()
    recorded = study.database.curves(logits=True)[0]
    assert recorded.step > 3
    for file in study.database.files():
        study.folder.delete(file)

    class Drifting(CounterLearner):
        def array(self, starts: Any) -> Any:
            array = super().array(starts)
            array.states = {t: s ^ 1 for t, s in array.states.items()}
            return array

    study.run(Drifting(), TrainAll())
    assert [n for n in study.ear.notes if "did not repeat its recorded scores" in n]
    kept = study.database.curves(logits=True)[0].evaluations[: len(recorded.evaluations)]
    assert kept == recorded.evaluations, "what is recorded is never recorded again"


@pytest.mark.parametrize("budget", [0, 300, 1000])
def test_within_any_disk_budget_the_same_scores(bench: Any, budget: int) -> None:
    seeds = grid(4)
    straight, _ = uninterrupted(bench, CounterLearner(width=2), POLICY, seeds)
    study = bench(seeds)
    study.run(CounterLearner(width=2), POLICY, retention=Retention(2, budget))
    assert study.facts()[:2] == straight.facts()[:2]
    recomputed = [n for n in study.ear.notes if "is recomputed" in n]
    assert len(recomputed) == (2 if budget == 0 else len(recomputed))
    assert not any("did not repeat" in n for n in study.ear.notes)


def test_a_paused_study_holds_no_more_than_its_budget(bench: Any) -> None:
    study = bench(grid(8))
    sizes = []

    class Watched(CounterLearner):
        def array(self, starts: Any) -> Any:
            if starts[0].step or self.steps_done >= 8 * 12:  # all paused: the second round
                sizes.append(sum(f.bytes for f in study.database.files()))
            return super().array(starts)

    study.run(Watched(), StartMany(8, 0.5, 3), retention=Retention(1, 400))
    assert sizes
    assert sizes[0] <= 400


def test_recover_gives_the_weights_of_an_evaluation(bench: Any) -> None:
    seeds = grid(3)
    straight = bench(seeds)
    straight.run(CounterLearner(), TrainAll(), retention=Retention(keep_best=3))
    for file in straight.database.files():
        study = bench(seeds)
        start = Start(file.trial, seeds[file.trial])
        path = recover(CounterLearner(), study.folder, start, file.step)
        assert study.folder.whole(file)
        assert path == study.folder.path(file)
        assert study.on_disk() == {file.file}, "nothing else is left behind"


def test_recover_refuses_a_step_without_evaluation(bench: Any) -> None:
    seeds = grid(1)
    study = bench(seeds)
    with pytest.raises(StudyError, match="no evaluation at step 4"):
        recover(CounterLearner(), study.folder, Start(0, seeds[0]), 4)
    assert study.on_disk() == set()


def test_recover_says_where_the_trial_fails(bench: Any) -> None:
    seeds = grid(1)
    study = bench(seeds)
    with pytest.raises(StudyError, match="no evaluation at step 9"):
        recover(CounterLearner(failures={1: 6}), study.folder, Start(0, seeds[0]), 9)


def test_a_recorded_study_can_be_extended_by_trials(bench: Any) -> None:
    curves = random_curves(10, seed=4)
    study = bench([c.seeds for c in curves[:4]])
    learner = TableLearner(curves, width=3)
    study.run(learner, TrainAll())
    study.database.add_trials([c.seeds for c in curves])
    study.run(learner, TrainAll())
    whole = bench([c.seeds for c in curves])
    whole.run(learner, TrainAll())
    assert study.facts() == whole.facts()
    assert {v.decision for v in study.final.values()} == {Decision.FINISH}
