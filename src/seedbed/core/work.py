"""Who does what: the protocols of learner and policy, and what passes between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds


class Decision(str, Enum):
    """What happens to a trial after an evaluation."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"
    FINISH = "finish"
    FAIL = "fail"

    @property
    def final(self) -> bool:
        """Whether the trial is never trained again under this policy."""
        return self in {Decision.STOP, Decision.FINISH, Decision.FAIL}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and its reason, in words for a person."""

    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A trial's full state on disk: trained weights and the optimizer's moments."""

    weights: Path
    optimizer: Path


@dataclass(frozen=True, slots=True)
class Start:
    """Where a trial is taken up: at step 0 from its seeds, later from its saved state."""

    trial: int
    seeds: Seeds
    step: int = 0
    seconds: float = 0.0
    saved: Saved | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial that cannot go on (NaN or infinite loss), and why."""

    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Probe:
    """What a trial of a learner takes, measured on a trial that is thrown away."""

    state_bytes: int = 0
    weights_bytes: int = 0
    step_seconds: float = 0.0
    evaluation_seconds: float = 0.0


class Array(Protocol):
    """Trials trained in lockstep: all stand at the same step."""

    def advance(self, to: int) -> Mapping[int, Evaluation | Failure]:
        """Train every trial to step ``to`` and evaluate it there; keys are trial numbers."""

    def save(self, trial: int, weights: Path, optimizer: Path) -> None:
        """Write the trial's full state to two new files (safetensors)."""

    def keep(self, trials: Collection[int]) -> None:
        """Drop every trial that is not in ``trials``."""


class Learner(Protocol):
    """Trains and evaluates; knows the model, the task and the recipe."""

    evaluation_steps: tuple[int, ...]
    """After which steps a trial is evaluated, ascending; the last ends the training."""

    width: int
    """How many trials an array of this learner holds at most."""

    saves: bool
    """Whether there is a state to save (a learner that plays recorded curves has none)."""

    @property
    def new_layer_names(self) -> tuple[str, ...]:
        """The weights that the checkpoint lacked: what the init seed draws."""

    def array(self, starts: Sequence[Start]) -> Array:
        """Take up trials that all stand at the same step."""

    def probe(self) -> Probe:
        """Measure bytes and seconds; changes nothing."""

    def export(self, weights: Path, folder: Path) -> None:
        """Turn saved weights into a folder that ``from_pretrained`` opens."""


class Policy(Protocol):
    """Looks at curves, gives verdicts. Pure: the same curves, the same verdicts.

    Verdicts never depend on timing: ``judge`` sees one trial's own curve, ``select`` is
    asked only when no trial can go on without it.
    """

    def starts(self, trials: int) -> int:
        """Say how many of the design's ``trials`` are started, 1..trials."""

    def judge(self, curve: Curve) -> Verdict:
        """Say what happens after the latest evaluation of an unfinished curve."""

    def select(self, paused: Sequence[Curve], all_curves: Sequence[Curve]) -> dict[int, Verdict]:
        """Give each paused trial CONTINUE or STOP; at least one verdict each call."""
