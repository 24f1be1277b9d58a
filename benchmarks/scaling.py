"""How time grows with the number of trials, and what orchestration costs a trial.

    python benchmarks/scaling.py [--trials 1 2 4 8] [--table 10000]

First whole studies of MiniLM on docmatch (a tenth of its rows, one epoch, ten
evaluations), from the command to the exported model. Then a study of many trials whose
curves are played from a table instead of trained: all its time is orchestration.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.api.prepare import prepare
from seedbed.api.train import Observer, train
from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds
from seedbed.core.spec import make_spec
from seedbed.run.pool import InlinePool
from seedbed.run.runner import Runner
from seedbed.run.table import TableLearner
from seedbed.stopping.policies import StartMany
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import Database
from seedbed.store.retention import Retention

HERE = Path(__file__).resolve().parent
EVALUATIONS = 30


def trained(trials: int) -> float:
    """Train a study of ``trials`` trials; seconds of wall time."""
    values: dict[str, Any] = {
        "task": {"name": "docmatch", "train_samples": 320},
        "recipe": {"num_train_epochs": 1.0, "learning_rate": 5e-5},
        "seeds": {"design": "paired", "init": trials, "order": trials},
    }
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        prepare(make_spec(values, where="benchmark"), Path(folder) / "study")
        train(Path(folder) / "study")
        return time.perf_counter() - began


def curves(trials: int) -> list[Curve]:
    """Make random curves that rise towards a level of their own."""
    rng = np.random.default_rng(0)
    progress = np.arange(1, EVALUATIONS + 1) / EVALUATIONS
    scores = 0.5 + rng.uniform(0.1, 0.4, (trials, 1)) * (1 - np.exp(-4 * progress))
    scores += rng.normal(0, 0.01, scores.shape)
    return [
        Curve(
            trial,
            Seeds(trial, trial, trial),
            tuple(
                Evaluation(
                    step=e + 1, progress=float(progress[e]), score=float(s), loss=1 - float(s)
                )
                for e, s in enumerate(scores[trial])
            ),
        )
        for trial in range(trials)
    ]


def played(trials: int) -> float:
    """Run start-many over recorded curves; seconds of wall time."""
    recorded = curves(trials)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(folder / "study.db", create=True)
        database.add_trials(curve.seeds for curve in recorded)
        runner = Runner(
            database=database,
            folder=CheckpointFolder(folder / "checkpoints"),
            pool=InlinePool(TableLearner(recorded), folder / "checkpoints"),
            policy=StartMany(trials, 9 / EVALUATIONS, trials // 2),
            retention=Retention(keep_best=3),
            observer=Observer(),
        )
        began = time.perf_counter()
        runner.run()
        seconds = time.perf_counter() - began
        database.close()
    return seconds


def main() -> None:
    """Run, and write JSON and table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--table", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--out", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    results = {
        "trained_seconds": {str(n): trained(n) for n in arguments.trials},
        "played_seconds": {str(n): played(n) for n in arguments.table},
    }
    lines = [
        "# Growth with the number of trials",
        "",
        "| trials trained | seconds |",
        "|---:|---:|",
    ]
    lines += [f"| {n} | {s:.1f} |" for n, s in results["trained_seconds"].items()]
    lines += ["", f"Played from a table ({EVALUATIONS} evaluations, half continued):", ""]
    lines += ["| trials | seconds | milliseconds a trial |", "|---:|---:|---:|"]
    lines += [
        f"| {n} | {s:.1f} | {1000 * s / int(n):.2f} |" for n, s in results["played_seconds"].items()
    ]
    text = "\n".join(lines) + "\n"
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "scaling.json").write_text(json.dumps(results, indent=2) + "\n")
    (arguments.out / "scaling.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
