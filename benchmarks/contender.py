"""One contender of the speed benchmark, in a process of its own.

Started by ``throughput.py``. Trains one trial of the task; after every evaluation it
prints what the stretch took and waits for ``go`` on standard input, so that contenders
can take turns. A stretch is a tenth of an epoch and one evaluation of the whole
validation split: the mix a whole study consists of.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPE = {"learning_rate": 2e-5, "batch_size": 16, "epochs": 3, "per_epoch": 10, "max_length": 128}


def main() -> None:
    """Train until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["padded", "dynamic", "dynamic-bf16", "seedbed"])
    parser.add_argument("--task", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.kind == "seedbed":
        seedbed(arguments.task, arguments.data)
    else:
        trainer(arguments.kind, arguments.task, arguments.data)


class Turns:
    """Waits for ``go``; reports each stretch."""

    def __init__(self) -> None:
        self.began = 0.0
        self.step = 0
        self.reports = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what other libraries print stays out of the reports

    def wait(self) -> None:
        """Say that we stand still, and wait."""
        print(json.dumps({"ready": True}), file=self.reports)
        if sys.stdin.readline().strip() != "go":
            os._exit(0)
        self.began = time.perf_counter()

    def report(self, step: int) -> None:
        """Say what the stretch up to ``step`` took."""
        import psutil

        line = {
            "steps": step - self.step,
            "seconds": time.perf_counter() - self.began,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "own_bytes": psutil.Process().memory_full_info().uss,
        }
        self.step = step
        print(json.dumps(line), file=self.reports)


def seedbed(task: str, data: str) -> None:
    """Train one trial as a worker does, state written at each evaluation."""
    from seedbed.api.build import build_learner
    from seedbed.api.prepare import prepare
    from seedbed.core.seeds import Seeds
    from seedbed.core.spec import make_spec
    from seedbed.core.work import Start
    from seedbed.run.segment import segment
    from seedbed.store.checkpoints import CheckpointFolder

    with tempfile.TemporaryDirectory() as folder:
        values = {
            "task": {"name": task, "data": data},
            "seeds": {"init": 1, "order": 1},
            "recipe": {"learning_rate": RECIPE["learning_rate"]},
        }
        root = Path(folder) / "study"
        prepare(make_spec(values, where="benchmark"), root)
        checkpoints = CheckpointFolder(root / "checkpoints")
        work = segment(build_learner(root), checkpoints, [Start(0, Seeds(1, 1, 1))])
        turns = Turns()
        turns.wait()
        report = next(work)
        while True:
            turns.report(report.outcomes[0].step)
            for file in report.files:
                checkpoints.delete(file)  # the study deletes what it no longer needs
            turns.wait()
            report = work.send([0])


def trainer(kind: str, task_name: str, data: str) -> None:
    """Train with Transformers' Trainer as its example script does."""
    import numpy as np
    import transformers as t

    from seedbed.tasks.load import load_task
    from seedbed.tasks.metrics import scores
    from seedbed.train.pretrained import resolve

    task = load_task(name=task_name, data=Path(data))
    source = resolve("minilm")
    tokenizer = t.AutoTokenizer.from_pretrained(source)

    def rows(split: Any) -> list[dict[str, Any]]:
        texts = [list(split.first)] + ([list(split.second)] if split.second else [])
        padding = "max_length" if kind == "padded" else False
        length = RECIPE["max_length"]
        encoded = tokenizer(*texts, truncation=True, max_length=length, padding=padding)
        return [
            {**{k: encoded[k][i] for k in encoded}, "label": label}
            for i, label in enumerate(split.labels)
        ]

    def metrics(prediction: Any) -> dict[str, float]:
        return scores(prediction.label_ids, np.argmax(prediction.predictions, axis=1), 2)

    train_rows, validation_rows = rows(task.train), rows(task.validation)
    every = round(-(-len(train_rows) // RECIPE["batch_size"]) / RECIPE["per_epoch"])
    turns = Turns()
    with tempfile.TemporaryDirectory() as folder:
        settings = t.TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=RECIPE["batch_size"],
            per_device_eval_batch_size=64,
            learning_rate=RECIPE["learning_rate"],
            num_train_epochs=RECIPE["epochs"],
            warmup_steps=0.1,  # a share of all steps
            weight_decay=0.01,
            eval_strategy="steps",
            eval_steps=every,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            bf16=kind == "dynamic-bf16",
        )
        t.Trainer(
            model=t.AutoModelForSequenceClassification.from_pretrained(source),
            args=settings,
            train_dataset=train_rows,
            eval_dataset=validation_rows,
            processing_class=tokenizer,
            compute_metrics=metrics,
            callbacks=[taking_turns(turns)],
        ).train()


def taking_turns(turns: Turns) -> Any:
    """Make a Trainer callback that waits before the first step and after each evaluation."""
    import transformers as t

    class Callback(t.TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            turns.wait()

        def on_evaluate(self, _arguments: Any, state: Any, *_: Any, **__: Any) -> None:
            turns.report(state.global_step)
            turns.wait()

    return Callback()


if __name__ == "__main__":
    main()
