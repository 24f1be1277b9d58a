"""Trial after trial takes no more memory and no more file handles."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from seedbed.api.build import build_learner
from seedbed.api.prepare import prepare
from seedbed.core.seeds import Seeds
from seedbed.core.spec import make_spec
from seedbed.core.work import Learner, Start
from seedbed.run.segment import segment
from seedbed.store.checkpoints import CheckpointFolder
from tiny import tiny_values

ALLOWED_BYTES_A_TRIAL = 20_000
"""Noise of the allocator; a leaked trial would be its state of 140 kB at the least."""


def train_one(learner: Learner, folder: CheckpointFolder, trial: int) -> None:
    """Train a short trial as a worker does; leaves no file."""
    work = segment(learner, folder, [Start(trial, Seeds(trial, trial, trial))])
    report = next(work)
    while True:
        for file in report.files:
            folder.delete(file)
        try:
            report = work.send([trial])
        except StopIteration:
            return


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("encoder", 40),
        pytest.param("encoder", 200, marks=pytest.mark.soak),
        pytest.param("huggingface", 200, marks=pytest.mark.soak),
    ],
)
def test_memory_and_handles_do_not_grow(tmp_path: Path, trials: int, name: str) -> None:
    threads = torch.get_num_threads()
    values = tiny_values(
        tmp_path,
        model={"learner": name},
        recipe={"num_train_epochs": 0.5},
        evaluation={"per_epoch": 4},
    )
    prepare(make_spec(values, where="test"), tmp_path / "out")
    learner, folder = build_learner(tmp_path / "out"), CheckpointFolder(tmp_path / "states")
    process = psutil.Process()
    used, handles = [], []
    for trial in range(trials):
        train_one(learner, folder, trial)
        gc.collect()
        used.append(process.memory_full_info().uss)
        handles.append(process.num_fds() if sys.platform != "win32" else 0)
    torch.set_num_threads(threads)
    warm = trials // 2
    slope = np.polyfit(np.arange(trials - warm), used[warm:], 1)[0]
    print(f"{slope:.0f} bytes a trial, handles {handles[0]} to {handles[-1]}")
    assert slope < ALLOWED_BYTES_A_TRIAL
    assert handles[-1] <= handles[warm]
