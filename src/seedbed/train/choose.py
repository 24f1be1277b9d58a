"""Which learner trains a job."""

from __future__ import annotations

from typing import Literal

from seedbed.train.huggingface import HuggingFaceLearner
from seedbed.train.job import Job

LearnerName = Literal["encoder", "huggingface"]


def choose(job: Job, wanted: str) -> tuple[LearnerName, str]:
    """Give the learner for a job and why; ``wanted`` is auto, encoder or huggingface."""
    return "huggingface", "asked for" if wanted == "huggingface" else "the only one there is"


def build(job: Job, name: LearnerName) -> HuggingFaceLearner:
    """Build the learner called ``name``."""
    return HuggingFaceLearner(job)
