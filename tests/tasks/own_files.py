"""Write a user's files and load them: shared by the tests of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedbed.core.errors import InputError
from seedbed.tasks.load import load_task
from seedbed.tasks.task import Task

GOOD_CSV = "text,label\nfirst row,0\nsecond row,1\n"


def load(folder: Path, train: str | bytes, suffix: str = ".csv", **options: object) -> Task:
    """Load a task whose training and validation files (unless given) hold ``train``."""
    paths = {}
    for split in ("train", "validation", "test"):
        content = options.pop(split, train if split != "test" else None)
        if content is not None:
            paths[split] = folder / f"{split}{suffix}"
            data = content if isinstance(content, bytes) else str(content).encode()
            paths[split].write_bytes(data)
    return load_task(name="mine", **paths, **options)  # type: ignore[arg-type]


def refusal(folder: Path, train: str | bytes, suffix: str = ".csv", **options: object) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, train, suffix, **options)
    assert caught.value.exit_code == 2
    assert caught.value.where
    return str(caught.value)
