"""Accounts of hand-made curves, for tests of the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds
from seedbed.report.account import Account
from seedbed.report.analysis import Settings, analyze
from seedbed.report.recording import Predictions, Recording

QUICK = Settings(resamples=100, permutations=50)


def curve(
    trial: int, seeds: tuple[int, int], scores: Sequence[float], *, of: int | None = None
) -> Curve:
    """Make a curve of scores at equal distances; ``of``: evaluations of a full training."""
    full = of or len(scores)
    evaluations = tuple(
        Evaluation(
            step=10 * (k + 1), progress=(k + 1) / full, score=s, loss=1 - s, seconds=5.0 * (k + 1)
        )
        for k, s in enumerate(scores)
    )
    return Curve(trial, Seeds(*seeds, 0), evaluations)


def account(
    curves: Sequence[Curve],
    *,
    title: str = "toy",
    epochs: float | None = None,
    predictions: Predictions | None = None,
    going: frozenset[int] = frozenset(),
    facts: Mapping[str, str] | None = None,
    **more: Any,
) -> Account:
    """Analyse ``curves`` as one task, with few resamples."""
    recording = Recording(
        name=title,
        metric="accuracy",
        curves=tuple(curves),
        score_range=(0.0, 1.0),
        predictions=predictions,
        **more,
    )
    return Account(
        title=title,
        analysis=analyze(recording, QUICK),
        epochs=epochs,
        going=going,
        facts=facts or {},
    )


def grid_of(scores_IOE: np.ndarray) -> list[Curve]:
    """Make a curve for each cell of a grid; seeds count from 1."""
    inits, orders, _ = scores_IOE.shape
    cells = [(i, o) for i in range(inits) for o in range(orders)]
    return [curve(k, (i + 1, o + 1), scores_IOE[i, o].tolist()) for k, (i, o) in enumerate(cells)]
