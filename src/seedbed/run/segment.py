"""A segment: some trials trained from where they stand until the last is told to rest.

The loop here is the same for every worker, be it a process of its own or the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass

from seedbed.core.curves import Evaluation
from seedbed.core.work import Array, Failure, Learner, Probe, Start
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import FileFact


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded its learner."""

    evaluation_steps: tuple[int, ...]
    width: int
    saves: bool
    probe: Probe | None
    new_layers: tuple[str, ...] = ()

    @staticmethod
    def of(learner: Learner, *, probing: bool) -> Ready:
        """Say what ``learner`` is ready for; ``probing`` also measures it."""
        probe = learner.probe() if probing else None
        steps = tuple(learner.evaluation_steps)
        return Ready(steps, learner.width, learner.saves, probe, learner.new_layer_names)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the trials of a segment at an evaluation, and their states on disk."""

    outcomes: Mapping[int, Evaluation | Failure]
    files: tuple[FileFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The segment is over; the worker is free."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The worker could not go on.

    ``fatal`` where another try cannot help (full disk); ``died`` where the process ended
    without a word, so that the reason may lie outside it.
    """

    message: str
    fatal: bool = False
    died: bool = False


Message = Ready | Report | Done | Broken
Segment = Generator[Report, Collection[int], None]


def segment(learner: Learner, folder: CheckpointFolder, starts: Sequence[Start]) -> Segment:
    """Train ``starts`` in lockstep; yields a report at each evaluation.

    Receives, for each report, the trials that go on. State is on disk before it is
    reported, so a kill costs no more than the work since the last report.
    """
    array = learner.array(starts)
    for step in learner.evaluation_steps:
        if step <= starts[0].step:
            continue
        outcomes = array.advance(step)
        going = [t for t, o in outcomes.items() if isinstance(o, Evaluation)]
        files: list[FileFact] = []
        if learner.saves:
            files = [file for trial in going for file in _saved(array, folder, trial, step)]
        going = list((yield Report(outcomes, tuple(files))))
        if not going:
            return
        array.keep(going)


def _saved(array: Array, folder: CheckpointFolder, trial: int, step: int) -> list[FileFact]:
    weights = folder.aside(trial, step, "weights")
    optimizer = folder.aside(trial, step, "optimizer")
    array.save(trial, weights, optimizer)
    return [
        folder.publish(weights, trial, step, "weights"),
        folder.publish(optimizer, trial, step, "optimizer"),
    ]
