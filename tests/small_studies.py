"""Curves tables and study folders without training, for tests of the analyses.

Axes: M examples, C classes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.schedule import Schedule
from seedbed.core.seeds import Seeds, crossed
from seedbed.core.work import Policy
from seedbed.run.pool import InlinePool
from seedbed.run.runner import Observer, Runner
from seedbed.run.table import TableLearner
from seedbed.stopping.policies import TrainAll
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import Database
from seedbed.store.layout import Layout
from seedbed.store.retention import Retention
from seedbed.tasks.encode import Encoded
from seedbed.tasks.metrics import majority_score, scores

HEADER = ("init_seed", "order_seed", "step", "progress", "accuracy", "loss")
SCHEDULE = {"examples": 32, "batch_size": 8, "epochs": 2.0, "per_epoch": 2}


def write_csv(path: Path, rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER) -> Path:
    """Write rows under ``header``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def grid_rows(
    score_IOE: Any, loss_IOE: Any = None, *, inits: Sequence[int] = (), orders: Sequence[int] = ()
) -> list[tuple[float, ...]]:
    """Make a row for each evaluation of a full grid of scores [init, order, evaluation]."""
    score_IOE = np.asarray(score_IOE, dtype=float)
    loss_IOE = 1 - score_IOE if loss_IOE is None else np.asarray(loss_IOE, dtype=float)
    inits = inits or range(1, score_IOE.shape[0] + 1)
    orders = orders or range(1, score_IOE.shape[1] + 1)
    last = score_IOE.shape[2]
    return [
        (
            init,
            order,
            10 * (e + 1),
            (e + 1) / last,
            *map(float, (score_IOE[i, o, e], loss_IOE[i, o, e])),
        )
        for i, init in enumerate(inits)
        for o, order in enumerate(orders)
        for e in range(last)
    ]


def random_scores(seed: int, inits: int, orders: int, evaluations: int) -> np.ndarray:
    """Draw scores [init, order, evaluation] between 0.5 and 1 with effects of both seeds."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(inits, 1)) + rng.normal(size=orders) + rng.normal(size=(inits, orders))
    noise = rng.normal(size=(inits, orders, evaluations))
    rise = np.linspace(0.3, 1, evaluations)
    return 0.7 + 0.02 * rise + 0.02 * np.tanh(rise * level[..., None] + 0.4 * noise)


def labels_and_curves(
    trials: int, *, seed: int, examples: int = 60, collapsed: frozenset[int] = frozenset()
) -> tuple[np.ndarray, list[Curve]]:
    """Draw two-class labels, and curves with logits whose scores are those of the logits."""
    rng = np.random.default_rng(seed)
    labels_M = (rng.random(examples) < 0.6).astype(np.int64)
    steps = Schedule(**SCHEDULE).evaluation_steps
    side = int(np.ceil(np.sqrt(trials)))
    seeds = crossed(range(1, side + 1), range(1, side + 1), "derived")[:trials]
    curves = []
    for trial, own in enumerate(seeds):
        skill = 0.65 + 0.2 * rng.random()
        found = []
        for k, step in enumerate(steps):
            right_M = rng.random(examples) < skill + 0.02 * k
            predicted_M = np.where(right_M, labels_M, 1 - labels_M)
            if trial in collapsed:
                predicted_M = np.ones_like(labels_M)
            logits_MC = np.eye(2, dtype=np.float16)[predicted_M] - np.float16(0.5)
            every = scores(labels_M, predicted_M, 2)
            found.append(
                Evaluation(
                    step=step,
                    progress=step / steps[-1],
                    score=every["accuracy"],
                    loss=float(rng.random()),
                    scores=every,
                    seconds=float(step),
                    logits=logits_MC.tobytes(),
                )
            )
        curves.append(Curve(trial, own, tuple(found)))
    return labels_M, curves


def make_study(
    folder: Path,
    labels_M: np.ndarray,
    curves: Sequence[Curve],
    *,
    policy: Policy | None = None,
    failures: Mapping[Seeds, int] | None = None,
    task: str = "toy",
) -> Path:
    """Run a study that plays ``curves``, as a real one would be run, in ``folder``."""
    layout = Layout(folder)
    folder.mkdir(parents=True)
    none = np.zeros(0)
    Encoded(tokens=none, types=none, offsets=np.zeros(len(labels_M) + 1), labels=labels_M).save(
        layout.task / "validation"
    )
    database = Database(layout.database, create=True)
    facts = {
        "spec": {},
        "task": {
            "name": task,
            "metric": "accuracy",
            "label_names": ["no", "yes"],
            "rows": {"train": 32, "validation": len(labels_M)},
            "majority_score": majority_score(labels_M, "accuracy", 2),
        },
        "schedule": SCHEDULE,
        "model": {},
        "how": {},
    }
    for key, value in facts.items():
        database.add_fact(key, value)
    database.add_trials(curve.seeds for curve in curves)
    Runner(
        database=database,
        folder=CheckpointFolder(layout.checkpoints),
        pool=InlinePool(TableLearner(curves, failures=failures), layout.checkpoints),
        policy=policy or TrainAll(),
        retention=Retention(keep_best=1),
        observer=Observer(),
    ).run()
    database.close()
    return folder
