"""Where the time of one training step goes, and how near it comes to its matrix products.

    python benchmarks/profile_step.py --data GLUE_FOLDER [--task mrpc] [--steps 20] [--json FILE]

Two measurements of the fast encoder, one thread, one trial, dropout 0.1. First each step
and, alternating with it, the step's own matrix products alone, on the same shapes: the
bound that no implementation with these products can beat. Then a few steps under torch's
profiler, its operations sorted into shares. What the profiler does not see of an
unprofiled step is Python and the launching of operations.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from seedbed.core.schedule import Schedule
from seedbed.core.seeds import Seeds
from seedbed.core.spec import Recipe
from seedbed.core.work import Start
from seedbed.tasks.encode import encode
from seedbed.tasks.load import load_task
from seedbed.train.array import EncoderArray, EncoderLearner
from seedbed.train.batches import batch_ids
from seedbed.train.hardware import resolve_precision
from seedbed.train.job import Job
from seedbed.train.pretrained import load_tokenizer, resolve

SHARES = {
    "softmax": ("_softmax",),
    "norm": ("native_layer_norm",),
    "gelu, head": ("gelu", "tanh"),
    "dropout masks": ("bitwise", "sub_", "mul_"),
    "dropout, residual": ("addcmul", "mul"),
    "optimizer": ("_fused_adamw", "linalg_vector_norm", "clamp"),
    "gather": ("index_select", "index_add", "index_fill", "cat", "zero_", "fill_"),
    "bias gradients": ("sum",),
}
"""Which operations count as what: by the beginning of their names."""


def make_job(task_name: str, data: str | None, precision: str) -> Job:
    """Make the job that is measured: MiniLM with the recipe's defaults."""
    task = load_task(name=task_name, data=Path(data) if data else None)
    source, recipe = resolve("minilm"), Recipe()
    tokenizer = load_tokenizer(source)
    train = encode(task.train, tokenizer, recipe.max_length)
    return Job(
        source=source,
        train=train,
        validation=encode(task.validation, tokenizer, recipe.max_length),
        label_names=task.label_names,
        metric=task.metric,
        recipe=recipe,
        schedule=Schedule(len(train), recipe.batch_size, recipe.num_train_epochs, 10),
        pad_token_id=tokenizer.pad_token_id,
        uses_token_types="token_type_ids" in tokenizer.model_input_names,
        precision=resolve_precision(precision, "cpu"),
    )


class Products:
    """The matrix products of one step alone: forward, and twice as many backward."""

    def __init__(self, learner: EncoderLearner) -> None:
        """Make operands of every shape; their values do not matter."""
        shape, dtype = learner.shape, learner.dtype
        d, f = shape.hidden, shape.intermediate
        self.batch_size = learner.job.recipe.batch_size
        self.per_layer = [(d, d), (d, 2 * d), (d, d), (d, f), (f, d)]
        self.layers = shape.layers
        rows = self.batch_size * learner.job.recipe.max_length
        self.x = {n: torch.randn(rows, n).to(dtype) for n in (d, 2 * d, f)}
        self.w = {(i, o): torch.randn(o, i).to(dtype) for i, o in self.per_layer}
        self.g = {(i, o): torch.empty(o, i, dtype=dtype) for i, o in self.per_layer}

    def run(self, tokens: int) -> float:
        """Multiply everything once; give the number of floating-point operations."""
        operations = 0.0
        for layer in range(self.layers):
            for i, o in self.per_layer:
                rows = self.batch_size if layer == self.layers - 1 else tokens
                x, dy = self.x[i][:rows], self.x[o][:rows]
                torch.mm(x, self.w[i, o].t())
                torch.mm(dy, self.w[i, o])
                torch.mm(dy.t(), x, out=self.g[i, o])
                operations += 6.0 * rows * i * o
        return operations


def against_products(array: EncoderArray, steps: int) -> dict[str, float]:
    """Alternate training steps with their matrix products alone; medians in seconds."""
    products = Products(array.learner)
    took, bound, rates, tokens_seen = [], [], [], []
    for warm in (True, False):
        for _ in range(3 if warm else steps):
            job, seeds = array.job, array.groups[0].starts[0].seeds
            rows = batch_ids(seeds.order, job.schedule, array.step)
            tokens = int(job.train.lengths[rows].sum())
            began = time.perf_counter()
            array.train_step()
            array.step += 1
            middle = time.perf_counter()
            operations = products.run(tokens)
            ended = time.perf_counter()
            if not warm:
                took.append(middle - began)
                bound.append(ended - middle)
                rates.append(operations / (ended - middle))
                tokens_seen.append(tokens)
    return {
        "step_seconds": median(took),
        "products_seconds": median(bound),
        "share_of_bound": median(b / t for b, t in zip(bound, took, strict=True)),
        "products_gflops": median(rates) / 1e9,
        "tokens": median(tokens_seen),
    }


def shares(array: EncoderArray, steps: int) -> dict[str, float]:
    """Profile ``steps`` steps; give seconds a step by kind of operation."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True
    ) as profile:
        for _ in range(steps):
            array.train_step()
            array.step += 1
    seconds: dict[str, float] = defaultdict(float)
    for event in profile.key_averages(group_by_input_shape=True):
        seconds[kind(event)] += event.self_cpu_time_total / 1e6 / steps
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def kind(event: Any) -> str:
    """Sort one profiled operation into a share."""
    name = event.key.removeprefix("aten::")
    if name in {"bmm", "baddbmm", "baddbmm_"}:
        batch = next(shape[0] for shape in event.input_shapes if len(shape) == 3)
        return "matrix products" if batch == 1 else "attention products"
    for share, beginnings in SHARES.items():
        if name.startswith(beginnings):
            return share
    return "other"


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", default="mrpc")
    parser.add_argument("--data", help="the folder of GLUE; not needed for docmatch")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    learner = EncoderLearner(make_job(options.task, options.data, options.precision))
    array = learner.array([Start(0, Seeds(1, 1, 1))])
    found = against_products(array, options.steps)
    print(f"{options.task}, {learner.job.precision}, {found['tokens']:.0f} tokens a step")
    print(f"step       {found['step_seconds'] * 1e3:8.1f} ms")
    print(
        f"products   {found['products_seconds'] * 1e3:8.1f} ms at "
        f"{found['products_gflops']:.0f} GFLOP/s: {found['share_of_bound']:.0%} of the step"
    )
    parts = shares(array, max(3, options.steps // 4))
    total = sum(parts.values())
    for name, seconds in parts.items():
        print(f"  {name:20} {seconds * 1e3:8.1f} ms  {seconds / total:6.1%}")
    if options.json:
        options.json.write_text(json.dumps({**found, "profile_seconds": parts}, indent=2) + "\n")


if __name__ == "__main__":
    main()
