"""How many trials fit on a GPU together: measured, not guessed."""

from __future__ import annotations

from typing import Protocol

import torch

from seedbed.core.seeds import Seeds
from seedbed.core.work import Start

MEMORY_SHARE = 0.8
"""Share of the free memory that an array may plan with; longer batches need the rest."""
MOST = 1024
"""Wider arrays gain nothing: the products fill any GPU long before."""


class Widening(Protocol):
    """What is measured: arrays of one and of two trials."""

    device: torch.device

    def peak(self, starts: list[Start]) -> int:
        """Train a step with ``starts`` and give the most bytes that were in use."""


def measured_width(learner: Widening) -> int:
    """Give the width of an array: 1 on the CPU, on a GPU as many trials as its memory takes."""
    if learner.device.type != "cuda":
        return 1
    trials = [Start(trial, Seeds(trial, trial, trial)) for trial in range(2)]
    peaks = learner.peak(trials[:1]), learner.peak(trials)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(learner.device)
    return fitting(int(free * MEMORY_SHARE), *peaks)


def fitting(free: int, one: int, two: int) -> int:
    """Say how many trials fit in ``free`` bytes if one takes ``one`` and two take ``two``."""
    each = max(1, two - one)
    shared = max(0, one - each)
    return max(1, min(MOST, (free - shared) // each))
