"""A disk budget is kept at every moment, and changes no result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.work import Start
from seedbed.run.segment import segment
from seedbed.stopping.policies import StartMany
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import FileFact
from seedbed.store.retention import Retention
from toys import CounterLearner, grid

TRIALS, KEEP_BEST = 100, 3


def state_bytes(folder: Path) -> int:
    """Measure what one full state takes on disk."""
    report = next(segment(CounterLearner(), CheckpointFolder(folder), [Start(0, grid(1)[0])]))
    return sum(file.bytes for file in report.files)


@pytest.mark.parametrize("states", [8, 40])
def test_a_hundred_trials_within_the_budget(
    bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: int
) -> None:
    one = state_bytes(tmp_path)
    budget = states * one
    peak = 0
    publish = CheckpointFolder.publish

    def measured(self: CheckpointFolder, *arguments: Any) -> FileFact:
        nonlocal peak
        fact = publish(self, *arguments)
        peak = max(peak, sum(path.stat().st_size for path in self.folder.iterdir()))
        return fact

    policy = StartMany(TRIALS, 0.5, 25)
    free = bench(grid(TRIALS))
    free.run(CounterLearner(), policy, retention=Retention(KEEP_BEST))
    monkeypatch.setattr(CheckpointFolder, "publish", measured)
    tight = bench(grid(TRIALS))
    # What a worker is writing is not recorded yet: room for one state is left.
    tight.run(CounterLearner(), policy, retention=Retention(KEEP_BEST, budget - one))
    assert budget / 2 < peak <= budget
    assert tight.database.curves(logits=True) == free.database.curves(logits=True)
    assert tight.final == free.final
    # The worst trials' states go first, so where the budget holds the 25 that are kept,
    # none of them needs to be trained again.
    recomputed = sum("recomputed from its seeds" in note for note in tight.ear.notes)
    assert (recomputed > 0) is (states < 25)
