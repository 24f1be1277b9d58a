"""Run a study to its end (or the user's), and write its best model."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from seedbed.api.build import build_learner
from seedbed.api.export import export_best
from seedbed.api.rules import make_policy
from seedbed.api.study import Study
from seedbed.core.errors import InputError, InterruptedStudyError, SeedbedError
from seedbed.core.units import size
from seedbed.core.work import Policy, Probe
from seedbed.run.pool import ProcessPool
from seedbed.run.runner import Observer, Runner
from seedbed.run.segment import Ready
from seedbed.stopping.policies import Patience, StartMany
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.layout import Layout
from seedbed.store.lock import writing
from seedbed.store.retention import Retention

__all__ = ["Estimate", "Observer", "Ready", "train"]

STATES_IN_FLIGHT = 2
"""Full states of a trial in training on disk at once: the last, and the one being written."""


@dataclass(frozen=True)
class Estimate:
    """What a study will take: ``trials`` in full-trial equivalents (all of it), seconds of
    wall time left, bytes of disk at most."""

    trials: float
    seconds: float
    disk_bytes: int
    workers: int
    learner: str


def train(
    folder: str | Path,
    observer: Observer | None = None,
    on_estimate: Callable[[Estimate], None] = lambda estimate: None,
) -> Study:
    """Train the study in ``folder`` from where it stands, and write ``best/``.

    ``observer`` hears of every evaluation; ``on_estimate`` of what the study will take,
    before the first step. Raises BusyError where another process trains it,
    InterruptedStudyError on Ctrl-C or SIGTERM (the study can be resumed), StorageError
    where the disk is full.
    """
    layout = Layout(Path(folder))
    with writing(layout), _stop_signals() as stop:
        study = Study(layout.root)
        if _has_work(study):
            study = _run(study, observer or Observer(), on_estimate, stop)
        if study.winner is not None and not _exported(study):
            export_best(study)
            study.database.add_event("exported", trial=study.winner.curve.trial)
        return study


def _has_work(study: Study) -> bool:
    policy = _policy(study)
    started = sorted(study.curves)[: policy.starts(len(study.curves))]
    return any(t not in study.verdicts or not study.verdicts[t].decision.final for t in started)


def _policy(study: Study) -> Policy:
    return make_policy(study.spec.policy, study.schedule, len(study.curves))


def _exported(study: Study) -> bool:
    """Whether ``best/`` was written after the last training."""
    kinds = [kind for kind, _, _ in study.database.events() if kind in {"started", "exported"}]
    return study.layout.best.is_dir() and kinds[-1:] == ["exported"]


def _run(
    study: Study,
    observer: Observer,
    on_estimate: Callable[[Estimate], None],
    stop: threading.Event,
) -> Study:
    from seedbed.train.hardware import cores, describe, resolve_device

    layout, run = study.layout, study.spec.run
    device = resolve_device(study.facts["how"]["device"])  # a GPU study needs its GPU
    policy = _policy(study)
    work = len(study.curves)
    size = 1 if device == "cuda" else min(run.processes or cores(), work)
    study.database.add_event("started", workers=size, platform=describe(device))

    def before_start(ready: Ready) -> None:
        probe, lanes = ready.probe or Probe(), size * ready.width
        estimate = _estimate(study, policy, probe, size, lanes)
        on_estimate(estimate)
        _check_disk(study, probe, estimate, lanes)
        if run.disk_budget_bytes is not None:  # what workers write is not recorded yet
            room = run.disk_budget_bytes - lanes * probe.state_bytes
            runner.retention = Retention(run.keep_best, room)
        study.database.add_fact("new_layers", list(ready.new_layers))

    pool = ProcessPool(
        partial(build_learner, layout.root.resolve()),
        layout.checkpoints.resolve(),
        size=size,
        logs=layout.root / "logs",
        probing=True,
    )
    runner = Runner(
        database=study.database,
        folder=CheckpointFolder(layout.checkpoints),
        pool=pool,
        policy=policy,
        retention=Retention(run.keep_best),
        observer=observer,
        stop_asked=stop.is_set,
        before_start=before_start,
    )
    _to_the_end(study, runner)
    return Study(layout.root)


def _to_the_end(study: Study, runner: Runner) -> None:
    """Run, and write down how it ended."""
    try:
        runner.run()
    except (InterruptedStudyError, KeyboardInterrupt):
        study.database.add_event("interrupted")
        raise InterruptedStudyError(
            f"interrupted; go on with `seedbed resume {study.layout.root}`"
        ) from None
    except SeedbedError as error:
        study.database.add_event("stopped", error=str(error))
        raise
    finally:
        runner.pool.close()
    study.database.add_event("finished")


def _estimate(study: Study, policy: Policy, probe: Probe, workers: int, lanes: int) -> Estimate:
    """Scale what one trial takes to what the policy will train, ``lanes`` trials at a time."""
    rule = policy.inner if isinstance(policy, Patience) else policy
    started = rule.starts(len(study.curves))
    schedule = study.schedule
    trial_seconds = (
        schedule.steps * probe.step_seconds
        + len(schedule.evaluation_steps) * probe.evaluation_seconds
    )
    full, waiting = float(started), 0
    if isinstance(rule, StartMany):
        full = started * rule.at + rule.keep * (1 - rule.at)
        waiting = started
    left = max(0.0, full - study.spent)
    states = min(waiting, started) + STATES_IN_FLIGHT * lanes
    disk = states * probe.state_bytes + (study.spec.run.keep_best + 1) * probe.weights_bytes
    how = study.facts["how"]
    return Estimate(
        trials=full,
        seconds=left * trial_seconds / lanes,
        disk_bytes=min(disk, study.spec.run.disk_budget_bytes or disk),
        workers=workers,
        learner=how["learner"],
    )


def _check_disk(study: Study, probe: Probe, estimate: Estimate, lanes: int) -> None:
    """Refuse to start what the disk (or its budget) has no room for."""
    held = sum(file.bytes for file in study.database.files())
    free = shutil.disk_usage(study.layout.root).free + held
    if estimate.disk_bytes > free:
        raise InputError(
            "not enough disk space for the study",
            where=str(study.layout.root),
            given=f"{size(free)} free, about {size(estimate.disk_bytes)} needed",
            allowed='more space, or [run] disk_budget = "..." (paused trials are recomputed)',
        )
    budget = study.spec.run.disk_budget_bytes
    least = STATES_IN_FLIGHT * lanes * probe.state_bytes
    least += (study.spec.run.keep_best + 1) * probe.weights_bytes
    if budget is not None and budget < least:
        raise InputError(
            "the disk budget is too small for the trials in training",
            where="[run] disk_budget",
            given=study.spec.run.disk_budget,
            allowed=f"at least {size(least)} with {lanes} trials in training",
        )


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into a request; the second stops at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
