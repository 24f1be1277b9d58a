"""All that defines a trial, except its seeds: what a learner is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seedbed.core.schedule import Schedule
from seedbed.core.spec import Recipe
from seedbed.tasks.encode import Encoded


@dataclass(frozen=True, kw_only=True)
class Job:
    """Model, task and recipe, resolved.

    ``source`` is a model folder or hub id; ``precision`` and ``device`` are decided once
    for a study, so that a resume elsewhere trains the same way or says it cannot.
    """

    source: str
    train: Encoded
    validation: Encoded
    label_names: tuple[str, ...]
    metric: str
    recipe: Recipe
    schedule: Schedule
    pad_token_id: int
    uses_token_types: bool
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
