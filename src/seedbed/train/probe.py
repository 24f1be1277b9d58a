"""What a trial will take, measured on one that is thrown away."""

from __future__ import annotations

import time
from statistics import median
from typing import Any, Protocol

import numpy as np

from seedbed.core.work import Probe
from seedbed.tasks.encode import Encoded
from seedbed.train.job import Job

PROBE_STEPS = 3
PROBE_ROWS = 64


class Probed(Protocol):
    """What :func:`probe` needs of an array that holds one trial."""

    step: int

    def train_step(self) -> Any:
        """Take one optimizer step."""

    def logits(self, split: Encoded) -> Any:
        """Evaluate rows."""

    def state_bytes(self) -> tuple[int, int]:
        """Say the sizes of weights and moments on disk."""


def probe(job: Job, array: Probed) -> Probe:
    """Time a few steps and the evaluation of a few rows, and scale up by tokens."""
    seconds = []
    for _ in range(min(PROBE_STEPS, job.schedule.steps)):
        began = time.perf_counter()
        array.train_step()
        array.step += 1
        seconds.append(time.perf_counter() - began)
    rows = np.linspace(0, len(job.validation) - 1, min(PROBE_ROWS, len(job.validation)))
    sample = _rows(job.validation, rows.astype(np.int64))
    array.logits(sample)  # the first call also warms up
    began = time.perf_counter()
    array.logits(sample)
    share = len(sample.tokens) / len(job.validation.tokens)
    weights_bytes, moments_bytes = array.state_bytes()
    return Probe(
        state_bytes=weights_bytes + moments_bytes,
        weights_bytes=weights_bytes,
        step_seconds=median(seconds),
        evaluation_seconds=(time.perf_counter() - began) / share,
    )


def _rows(split: Encoded, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Encoded:
    spans = [slice(split.offsets[i], split.offsets[i + 1]) for i in rows]
    return Encoded(
        tokens=np.concatenate([split.tokens[span] for span in spans]),
        types=np.concatenate([split.types[span] for span in spans]),
        offsets=np.concatenate([[0], np.cumsum(split.lengths[rows])]).astype(np.int64),
        labels=np.asarray(split.labels)[rows],
    )
