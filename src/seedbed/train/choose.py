"""Which learner trains a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seedbed.core.errors import InputError
from seedbed.train.array import EncoderLearner
from seedbed.train.families import supported
from seedbed.train.huggingface import HuggingFaceLearner
from seedbed.train.job import Job
from seedbed.train.pretrained import load_config

LearnerName = Literal["encoder", "huggingface"]


def choose(source: str, label_names: Sequence[str], wanted: str) -> tuple[LearnerName, str]:
    """Give the learner for a model and why; ``wanted`` is auto, encoder or huggingface.

    Raises InputError where the model cannot be loaded, or the encoder is asked for a
    model it does not know.
    """
    refusal = supported(load_config(source, label_names, None))
    if wanted == "huggingface":
        return "huggingface", "asked for"
    if refusal is None:
        return "encoder", "asked for" if wanted == "encoder" else "it knows this architecture"
    if wanted == "encoder":
        raise InputError(
            f"the encoder cannot train this model: {refusal}",
            where="[model] learner",
            given=wanted,
            allowed="auto, huggingface",
        )
    return "huggingface", f"the encoder cannot: {refusal}"


def build(job: Job, name: LearnerName) -> EncoderLearner | HuggingFaceLearner:
    """Build the learner called ``name``."""
    return EncoderLearner(job) if name == "encoder" else HuggingFaceLearner(job)
