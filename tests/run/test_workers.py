"""Worker processes that die, and what becomes of their trials."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import StorageError, StudyError
from seedbed.core.work import Decision
from seedbed.run.pool import ProcessPool
from seedbed.stopping.policies import TrainAll
from toys import CounterLearner, Mischief, counter_curve, grid


class FullDiskArray:
    """Trains nothing: its disk is full."""

    def advance(self, to: int) -> Any:
        raise StorageError("cannot write: no space left on device")


class FullDiskLearner(CounterLearner):
    def array(self, starts: Any) -> Any:
        return FullDiskArray()


def cannot_load() -> Any:
    raise RuntimeError("this learner cannot be built")


def dies_while_starting(flags: Path, times: int) -> CounterLearner:
    """Kill this process for the first ``times`` builds, as the system short of memory does."""
    before = len(list(flags.iterdir()))
    if before < times:
        (flags / str(before)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return CounterLearner()


@contextmanager
def processes(study: Any, factory: Any, size: int = 1, **options: Any) -> Iterator[ProcessPool]:
    pool = ProcessPool(
        factory, study.layout.checkpoints, size=size, logs=study.layout.root / "logs", **options
    )
    started = list(pool._processes)
    try:
        yield pool
    finally:
        pool.close()
        assert all(p.poll() is not None for p in [*started, *pool._processes])


def finished_as_alone(study: Any, trials: Any) -> None:
    recorded = study.database.curves(logits=True)
    for trial in trials:
        assert study.final[trial].decision is Decision.FINISH
        assert recorded[trial] == counter_curve(trial, recorded[trial].seeds)


@pytest.mark.parametrize("how", ["exit", "kill", "torn", "raise"])
def test_a_worker_that_dies_once_is_replaced_and_its_trials_go_on(
    bench: Any, tmp_path: Path, how: str
) -> None:
    study = bench(grid(3))
    mischief = Mischief({2: 9}, how, flag=tmp_path / "done")
    factory = partial(CounterLearner, width=3, mischief=mischief)
    with processes(study, factory) as pool:
        study.runner(pool, TrainAll()).run()
    finished_as_alone(study, range(3))
    deaths = [detail for kind, detail, _ in study.database.events() if kind == "worker died"]
    assert len(deaths) == 1
    expected = {"exit": "exit code 3", "kill": "signal 9", "torn": "exit code 4", "raise": "toy"}
    assert expected[how] in deaths[0]["message"]
    assert len(study.ear.notes) == 1


def test_a_trial_that_always_kills_its_worker_fails_with_a_reason(bench: Any) -> None:
    study = bench(grid(4))
    dangerous = [t for t, s in study.database.trials().items() if s.init == 1]
    factory = partial(CounterLearner, width=4, mischief=Mischief({1: 9}, "exit"))
    with processes(study, factory) as pool:
        study.runner(pool, TrainAll()).run()
    finished_as_alone(study, set(range(4)) - set(dangerous))
    for trial in dangerous:
        verdict = study.final[trial]
        assert verdict.decision is Decision.FAIL
        assert "died 3 times" in verdict.reason
        assert "exit code 3" in verdict.reason
        assert study.database.curves()[trial].step == 6
    assert study.on_disk() == {f.file for f in study.database.files()}


def test_a_worker_that_cannot_start_ends_the_study_with_the_reason(bench: Any) -> None:
    study = bench(grid(2))
    with (
        processes(study, cannot_load, size=2) as pool,
        pytest.raises(StudyError, match="this learner cannot be built"),
    ):
        study.runner(pool, TrainAll()).run()
    assert study.database.verdicts() == []


def test_a_full_disk_ends_the_study_and_fails_no_trial(bench: Any) -> None:
    study = bench(grid(2))
    with (
        processes(study, FullDiskLearner) as pool,
        pytest.raises(StorageError, match="no space left"),
    ):
        study.runner(pool, TrainAll()).run()
    assert study.database.verdicts() == []
    study.run(CounterLearner(), TrainAll())
    finished_as_alone(study, range(2))


def test_more_workers_than_trials_and_a_probe(bench: Any) -> None:
    study = bench(grid(2))
    heard = []
    with processes(study, CounterLearner, size=3, probing=True) as pool:
        study.runner(pool, TrainAll(), before_start=heard.append).run()
    finished_as_alone(study, range(2))
    (ready,) = heard
    assert ready.probe == CounterLearner().probe()


def test_a_worker_killed_while_it_starts_is_started_again(bench: Any, tmp_path: Path) -> None:
    study = bench(grid(2))
    with processes(study, partial(dies_while_starting, tmp_path, 2)) as pool:
        study.runner(pool, TrainAll()).run()
    finished_as_alone(study, range(2))


def test_a_worker_that_never_starts_ends_the_study(bench: Any, tmp_path: Path) -> None:
    study = bench(grid(2))
    with (
        processes(study, partial(dies_while_starting, tmp_path, 99)) as pool,
        pytest.raises(StudyError, match=r"could not start.*signal 9"),
    ):
        study.runner(pool, TrainAll()).run()
    assert len(list(tmp_path.iterdir())) == 3
