"""Synthetic recorded curves for the tests of replay and plan."""

from __future__ import annotations

import numpy as np

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds


def curves_from(
    score_te: np.ndarray, loss_te: np.ndarray | None = None, orders: int | None = None
) -> list[Curve]:
    """Make curves of a table of scores; trial k is cell k of a grid with ``orders`` columns."""
    trials, evaluations = score_te.shape
    losses = np.ones_like(score_te) if loss_te is None else loss_te
    columns = orders or 1
    return [
        Curve(
            trial,
            Seeds(trial // columns, trial % columns if orders else trial, 0),
            tuple(
                Evaluation(
                    step=10 * (e + 1),
                    progress=(e + 1) / evaluations,
                    score=float(score_te[trial, e]),
                    loss=float(losses[trial, e]),
                )
                for e in range(evaluations)
            ),
        )
        for trial in range(trials)
    ]


def noisy_curves(
    generator: np.random.Generator,
    *,
    inits: int,
    orders: int | None = None,
    evaluations: int = 6,
    seed_effect: float = 0.5,
    decimals: int | None = None,
) -> list[Curve]:
    """Draw curves whose early scores tell something of the late ones.

    A trial's quality is the sum of an init effect, an order effect (with ``orders``: a
    grid; without: seeds of its own) and a rest; each evaluation adds noise that shrinks as
    training goes on.
    """
    trials = inits * (orders or 1)
    quality = generator.normal(size=trials)
    if orders:
        quality += seed_effect * np.repeat(generator.normal(size=inits), orders)
        quality += seed_effect * np.tile(generator.normal(size=orders), inits)
    share = np.arange(1, evaluations + 1) / evaluations
    noise = generator.normal(size=(trials, evaluations)) * (1.2 - share)
    score = 0.6 + 0.2 * share + 0.03 * (share * quality[:, None] + noise)
    loss = 1.0 - score + 0.01 * generator.normal(size=score.shape)
    if decimals is not None:
        score = score.round(decimals)
    return curves_from(score, loss, orders)
