"""A study without training: database, folder and runner around a toy learner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.curves import Curve
from seedbed.core.seeds import Seeds
from seedbed.core.work import Policy, Verdict
from seedbed.run.pool import InlinePool, Pool
from seedbed.run.runner import Observer, Runner
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import Database
from seedbed.store.layout import Layout
from seedbed.store.retention import Retention
from toys import memory_folder


class Ear(Observer):
    """Remembers what a runner tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.heard: list[tuple[int, int, Verdict]] = []

    def evaluated(self, curve: Curve, verdict: Verdict) -> None:
        self.heard.append((curve.trial, curve.step, verdict))

    def judged(self, trial: int, verdict: Verdict) -> None:
        self.heard.append((trial, -1, verdict))

    def note(self, text: str) -> None:
        self.notes.append(text)


class Bench:
    """A study folder that can be run, interrupted and run again."""

    def __init__(self, root: Path, seeds: Sequence[Seeds]) -> None:
        root.mkdir(parents=True)
        self.layout = Layout(root)
        self.database = Database(self.layout.database, create=True)
        self.database.add_trials(seeds)
        self.folder = CheckpointFolder(self.layout.checkpoints)
        self.ear = Ear()

    def runner(self, pool: Pool, policy: Policy, **options: Any) -> Runner:
        retention = options.pop("retention", Retention(keep_best=2))
        return Runner(
            database=self.database,
            folder=self.folder,
            pool=pool,
            policy=policy,
            retention=retention,
            observer=self.ear,
            **options,
        )

    def run(self, learner: Any, policy: Policy, **options: Any) -> None:
        pool = InlinePool(learner, self.layout.checkpoints)
        self.runner(pool, policy, **options).run()

    @property
    def final(self) -> dict[int, Verdict]:
        """Each trial's latest verdict."""
        return {j.trial: j.verdict for j in self.database.verdicts()}

    def facts(self) -> tuple[object, object, object]:
        """Give what must not depend on how the study was run: curves, verdicts, files."""
        curves = self.database.curves(logits=True)
        files = {(f.trial, f.step, f.kind, f.sha256) for f in self.database.files()}
        return curves, self.final, files

    def on_disk(self) -> set[str]:
        """Names of the files in ``checkpoints/``."""
        folder = self.layout.checkpoints
        return {p.name for p in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Make benches, each in a folder of its own (in memory, where the system has such)."""
    with memory_folder(tmp_path) as root:
        made: list[Bench] = []

        def make(seeds: Sequence[Seeds]) -> Bench:
            made.append(Bench(root / f"study-{len(made)}", seeds))
            return made[-1]

        yield make
        for study in made:
            study.database.close()
