"""Small learners for tests of orchestration: recorded curves, and a counter with a state."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import load_file, save_file

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds, crossed
from seedbed.core.streams import derive
from seedbed.core.work import Failure, Probe, Start
from seedbed.run.table import TableLearner

STEPS = (3, 6, 9, 12, 15, 18, 21, 24)


def random_curves(
    trials: int, *, seed: int, evaluations: int = 8, levels: int | None = None
) -> list[Curve]:
    """Make curves of random scores; few ``levels`` make many ties of score and loss."""
    generator = np.random.default_rng(seed)
    curves = []
    for trial in range(trials):
        scores, losses = generator.random(evaluations), generator.random(evaluations)
        if levels is not None:
            scores, losses = np.floor(scores * levels), np.floor(losses * levels)
        found = tuple(
            Evaluation(
                step=3 * (k + 1),
                progress=(k + 1) / evaluations,
                score=float(scores[k]),
                loss=float(losses[k]),
                scores={"accuracy": float(scores[k])},
            )
            for k in range(evaluations)
        )
        curves.append(Curve(trial, Seeds(trial + 1, 1, 7), found))
    return curves


def grid(trials: int) -> list[Seeds]:
    """Give the seeds of a crossed design of at least ``trials`` trials, cut to as many."""
    side = int(np.ceil(np.sqrt(trials)))
    return list(crossed(range(1, side + 1), range(1, side + 1), "derived"))[:trials]


def counter_evaluation(state: int, step: int, *, last: int = STEPS[-1]) -> Evaluation:
    """Score a state of the counter; any change of the state changes score and loss."""
    score = (state >> 40) / 2**24
    loss = ((state >> 8) & 0xFFFFFFFF) / 2**32
    logits = np.array([state & 0xFFFF], dtype=np.uint16).tobytes()
    return Evaluation(
        step=step, progress=step / last, score=score, loss=loss, seconds=step, logits=logits
    )


def counter_curve(trial: int, seeds: Seeds) -> Curve:
    """Train the counter straight through, by a loop of its own."""
    state, evaluations = derive(seeds.init, "init"), []
    for step in range(1, STEPS[-1] + 1):
        state = derive(state, "order", seeds.order, seeds.dropout, step)
        if step in STEPS:
            evaluations.append(counter_evaluation(state, step))
    return Curve(trial, seeds, tuple(evaluations))


@dataclass
class Mischief:
    """What the counter's worker does to itself: per init seed a step, and how.

    A ``flag`` file makes it happen only once.
    """

    at: Mapping[int, int]
    how: str
    flag: Path | None = None

    def act(self, seeds: Seeds, step: int) -> None:
        """Do it, if it is time."""
        if self.at.get(seeds.init) != step:
            return
        if self.flag is not None:
            if self.flag.exists():
                return
            self.flag.touch()
        if self.how == "exit":
            os._exit(3)
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "torn":  # dies while it sends a message
            descriptor = int(sys.orig_argv[-1].split("main(")[1].rstrip(")"))
            os.write(descriptor, b"\x00\x00\x10\x00abc")
            os._exit(4)
        if self.how == "raise":
            raise RuntimeError("toy trouble")


class CounterLearner:
    """Its state is one integer, stepped by hashing: continuing exactly can be seen at once."""

    evaluation_steps = STEPS
    saves = True
    new_layer_names = ("counter",)

    def __init__(
        self,
        *,
        width: int = 1,
        failures: Mapping[int, int] | None = None,
        mischief: Mischief | None = None,
    ) -> None:
        self.width = width
        self.failures = dict(failures or {})
        self.mischief = mischief
        self.steps_done = 0

    def array(self, starts: Sequence[Start]) -> CounterArray:
        assert len({start.step for start in starts}) == 1
        assert len(starts) <= self.width
        return CounterArray(self, starts)

    def probe(self) -> Probe:
        return Probe(state_bytes=200, weights_bytes=100, step_seconds=0.1, evaluation_seconds=0.1)

    def export(self, weights: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(weights.read_bytes())


class CounterArray:
    def __init__(self, learner: CounterLearner, starts: Sequence[Start]) -> None:
        self.learner = learner
        self.step = starts[0].step
        self.seeds = {start.trial: start.seeds for start in starts}
        self.states = {}
        for start in starts:
            if start.saved is None:
                assert start.step == 0
                self.states[start.trial] = derive(start.seeds.init, "init")
            else:
                weights = load_file(start.saved.weights)["state"]
                steps = load_file(start.saved.optimizer)["step"]
                assert int(steps[0]) == start.step
                self.states[start.trial] = int(weights[0])

    def advance(self, to: int) -> Mapping[int, Evaluation | Failure]:
        outcomes: dict[int, Evaluation | Failure] = {}
        for trial, seeds in self.seeds.items():
            for step in range(self.step + 1, to + 1):
                state = self.states[trial]
                self.states[trial] = derive(state, "order", seeds.order, seeds.dropout, step)
                self.learner.steps_done += 1
            if self.learner.mischief is not None:
                self.learner.mischief.act(seeds, to)
            if self.learner.failures.get(seeds.init) == to:
                outcomes[trial] = Failure(to, "the loss is not a number")
            else:
                outcomes[trial] = counter_evaluation(self.states[trial], to)
        self.step = to
        return outcomes

    def save(self, trial: int, weights: Path, optimizer: Path) -> None:
        save_file({"state": np.array([self.states[trial]], dtype=np.uint64)}, weights)
        save_file({"step": np.array([self.step], dtype=np.int64)}, optimizer)

    def keep(self, trials: Collection[int]) -> None:
        self.seeds = {trial: self.seeds[trial] for trial in trials}


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """Make a folder in memory, where the system has such: commits need not wait for a disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else otherwise) as folder:
        yield Path(folder)


def table_of(curves: Sequence[Curve], width: int) -> TableLearner:
    """Build a learner that plays ``curves``; a function, so that workers can be sent it."""
    return TableLearner(curves, width=width)
