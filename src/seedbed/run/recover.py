"""A trial is its seeds: weights that are gone are trained again."""

from __future__ import annotations

from pathlib import Path

from seedbed.core.errors import StudyError
from seedbed.core.work import Learner, Start
from seedbed.run.segment import Report, Segment, segment
from seedbed.store.checkpoints import CheckpointFolder


def recover(learner: Learner, folder: CheckpointFolder, start: Start, step: int) -> Path:
    """Train a trial from its seeds to the evaluation at ``step``; gives its weights file.

    Raises StudyError where the trial has no evaluation at ``step``.
    """
    work = segment(learner, folder, [start])
    report = next(work, None)
    while report is not None:
        found = {file.kind: file for file in report.files if file.step == step}
        if found:
            work.close()
            folder.delete(found["optimizer"])
            return folder.path(found["weights"])
        for file in report.files:
            folder.delete(file)
        report = _next(work, [start.trial] if report.files else [])
    raise StudyError(f"trial {start.trial} has no evaluation at step {step}")


def _next(work: Segment, going: list[int]) -> Report | None:
    try:
        return work.send(going)
    except StopIteration:
        return None
