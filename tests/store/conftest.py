"""A database with a few trials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seedbed.store.database import Database
from toys import grid, memory_folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Give a new database with four trials."""
    with memory_folder(tmp_path) as folder:
        database = Database(folder / "study.db", create=True)
        database.add_trials(grid(4))
        yield database
        database.close()
