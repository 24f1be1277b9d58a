"""From a study folder to its learner; also called inside each worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.api.study import Study
from seedbed.core.work import Learner
from seedbed.tasks.encode import Encoded

if TYPE_CHECKING:
    from seedbed.train.job import Job


def job_of(study: Study) -> Job:
    """Give all that defines a trial of ``study`` except its seeds."""
    from seedbed.train.job import Job

    model, task, how = study.facts["model"], study.facts["task"], study.facts["how"]
    return Job(
        source=model["source"],
        train=Encoded.load(study.layout.task / "train"),
        validation=Encoded.load(study.layout.task / "validation"),
        label_names=tuple(task["label_names"]),
        metric=task["metric"],
        recipe=study.spec.recipe,
        schedule=study.schedule,
        pad_token_id=model["pad_token_id"],
        uses_token_types=model["uses_token_types"],
        precision=how["precision"],
        device=how["device"],
    )


def build_learner(folder: Path) -> Learner:
    """Build the learner of the study in ``folder``."""
    import torch

    from seedbed.train.choose import build

    study = Study(folder)
    try:
        if study.facts["how"]["device"] == "cpu":
            torch.set_num_threads(1)  # sums are split by thread: bits depend on their number
        return build(job_of(study), study.facts["how"]["learner"])
    finally:
        study.close()
