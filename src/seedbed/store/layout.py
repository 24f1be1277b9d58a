"""Every file name of a study folder, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Where things are in the study folder ``root``."""

    root: Path

    @property
    def spec(self) -> Path:
        """The resolved study file."""
        return self.root / "study.toml"

    @property
    def database(self) -> Path:
        """Trials, evaluations, verdicts, checkpoints, events."""
        return self.root / "study.db"

    @property
    def lock(self) -> Path:
        """Held by the one process that writes."""
        return self.root / "study.lock"

    @property
    def holder(self) -> Path:
        """Who holds the lock."""
        return self.root / "study.holder.json"

    @property
    def task(self) -> Path:
        """The encoded task, one folder a split; workers map it into memory."""
        return self.root / "task"

    @property
    def checkpoints(self) -> Path:
        """States and weights."""
        return self.root / "checkpoints"

    @property
    def best(self) -> Path:
        """The winner, as Transformers opens it."""
        return self.root / "best"

    @property
    def report(self) -> Path:
        """Pages, figures and tables."""
        return self.root / "report"

    @property
    def is_study(self) -> bool:
        """Whether a study was begun here."""
        return self.database.is_file()
