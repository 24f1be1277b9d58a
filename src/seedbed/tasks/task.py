"""What is learned: a task and its splits, as plain text and integer labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.streams import derive


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows of one split: ``first[i]`` (and ``second[i]`` in a pair task) has class ``labels[i]``.

    ``second`` is None in a task with one text per row.
    """

    first: tuple[str, ...]
    second: tuple[str, ...] | None
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.first), len(self.labels)}
        if self.second is not None:
            lengths.add(len(self.second))
        if len(lengths) != 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: list[int]) -> Split:
        """Give the split that consists of ``rows`` in that order."""
        return Split(
            first=tuple(self.first[i] for i in rows),
            second=None if self.second is None else tuple(self.second[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
        )


@dataclass(frozen=True, kw_only=True)
class Task:
    """A text classification task.

    Label ``k`` is called ``label_names[k]``; ``metric`` names the default metric of
    ``seedbed.tasks.metrics.METRICS``; ``source`` says to a person where the rows come
    from. ``test`` is there only where its rows are labelled.
    """

    name: str
    train: Split
    validation: Split
    test: Split | None
    label_names: tuple[str, ...]
    metric: str
    source: str

    @property
    def classes(self) -> int:
        """How many classes the task has."""
        return len(self.label_names)

    @property
    def pairs(self) -> bool:
        """Whether a row has two texts."""
        return self.train.second is not None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that a trial's curve depends on: rows and labels."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            if split is None:
                digest.update(b"-")
                continue
            columns = [split.first, split.second or (), tuple(map(str, split.labels))]
            for column in columns:
                digest.update(f"[{len(column)}]".encode())
                for cell in column:
                    data = cell.encode()
                    digest.update(f"{len(data)}:".encode() + data)
        digest.update("\x1f".join(self.label_names).encode())
        return digest.hexdigest()


def sample(split: Split, size: int, *, where: str) -> Split:
    """Give the first ``size`` rows of a fixed shuffle of ``split``.

    The shuffle depends on the number of rows alone: every trial, seed and study sees the
    same rows, and a smaller sample is the beginning of a larger one. It sorts the raw
    64-bit output of Philox, which numpy keeps the same between versions (its ``shuffle``
    and ``permutation`` may change).
    """
    if not 1 <= size <= len(split):
        raise InputError(
            "cannot take that many training rows",
            where=where,
            given=f"train_samples = {size}",
            allowed=f"1 to {len(split)}, the rows there are",
        )
    keys = np.random.Philox(key=derive(0, "rows")).random_raw(len(split))
    return split.take(np.argsort(keys, kind="stable")[:size].tolist())
