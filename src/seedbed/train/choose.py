"""Which learner trains a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seedbed.train.huggingface import HuggingFaceLearner
from seedbed.train.job import Job
from seedbed.train.pretrained import load_config

LearnerName = Literal["encoder", "huggingface"]


def choose(source: str, label_names: Sequence[str], wanted: str) -> tuple[LearnerName, str]:
    """Give the learner for a model and why; ``wanted`` is auto, encoder or huggingface."""
    load_config(source, label_names, None)  # what no learner can load is said here
    return "huggingface", "asked for" if wanted == "huggingface" else "the only one there is"


def build(job: Job, name: LearnerName) -> HuggingFaceLearner:
    """Build the learner called ``name``."""
    return HuggingFaceLearner(job)
