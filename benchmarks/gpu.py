"""The fast encoder on a GPU: does it compute the same, and how fast is it by array width?

    python benchmarks/gpu.py --glue GLUE_FOLDER [--device cuda] [--widths 1 4 16 64]

For MiniLM and for a model of BERT-base's shape (random weights), on MRPC:

- *checked*: the first steps of a trial alone on the CPU in float32 against the same trial
  in an array on the device; the largest difference of a logit is reported;
- *timed*: trial-steps a second by width, the share of the measured matrix rate, peak
  memory; and, beside it in the same run, Transformers' Trainer on the same device.

``--device cpu`` runs the same code on a CPU, so that it is known to run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from profile_step import make_job

from seedbed.core.seeds import Seeds
from seedbed.core.work import Start
from seedbed.train.array import EncoderArray, EncoderLearner
from seedbed.train.batches import batch_ids
from seedbed.train.hardware import resolve_precision
from seedbed.train.job import Job
from seedbed.train.pretrained import quiet_transformers, resolve, untouched_generators

HERE = Path(__file__).resolve().parent
CHECKED_STEPS = 5


def bert_base(folder: Path) -> str:
    """Save a model of BERT-base's shape with random weights, and MiniLM's tokenizer."""
    import transformers

    with untouched_generators(), quiet_transformers():
        torch.manual_seed(0)
        transformers.BertModel(transformers.BertConfig()).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(Path(resolve("minilm")) / name, folder / name)
    return str(folder)


def starts(width: int) -> list[Start]:
    """Name ``width`` trials."""
    return [Start(k, Seeds(k + 1, k + 1, k + 1)) for k in range(width)]


def wait(device: str) -> None:
    """Let the device finish."""
    if device == "cuda":
        torch.cuda.synchronize()


def matrix_rate(device: str, dtype: torch.dtype) -> float:
    """Measure the rate of large square products, in floating-point operations a second."""
    size = 8192 if device == "cuda" else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    rates = []
    for _ in range(8):
        wait(device)
        began = time.perf_counter()
        a @ a
        wait(device)
        rates.append(2 * size**3 / (time.perf_counter() - began))
    return median(rates[2:])


def difference(job: Job, width: int) -> float:
    """Train a few steps alone on the CPU and in an array here; the largest gap of a logit."""
    alone = EncoderLearner(replace(job, device="cpu", precision="float32"), width=1)
    among = EncoderLearner(job, width=width)
    one, many = alone.array(starts(1)), among.array(starts(width))
    for array in (one, many):
        for _ in range(CHECKED_STEPS):
            array.train_step()
            array.step += 1
    here, there = one.logits(job.validation)[0], many.logits(job.validation)[0]
    return float(abs(here - there).max())


def operations(job: Job, learner: EncoderLearner, array: EncoderArray) -> float:
    """Count a step's matrix operations of one trial, attention's own left out."""
    shape = learner.shape
    rows = batch_ids(array.groups[0].starts[0].seeds.order, job.schedule, array.step)
    tokens = float(job.train.lengths[rows].sum())
    d, f = shape.hidden, shape.intermediate
    whole = 6.0 * (4 * d * d + 2 * d * f)
    return whole * tokens * (shape.layers - 1) + 6.0 * 2 * d * d * tokens + whole * len(rows)


def timed(job: Job, width: int, steps: int, rate: float) -> dict[str, float]:
    """Time training steps of an array of ``width`` trials."""
    learner = EncoderLearner(job, width=width)
    array = learner.array(starts(width))
    if job.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds, done = [], []
    for number in range(steps + 3):
        work = operations(job, learner, array) * width
        wait(job.device)
        began = time.perf_counter()
        array.train_step()
        wait(job.device)
        array.step += 1
        if number >= 3:
            seconds.append(time.perf_counter() - began)
            done.append(work)
    result = {
        "trial_steps_per_second": width / median(seconds),
        "share_of_matrix_rate": sum(done) / sum(seconds) / rate,
    }
    if job.device == "cuda":
        result["peak_bytes"] = float(torch.cuda.max_memory_allocated())
    return result


def trainer_rate(job: Job, glue: Path, steps: int) -> float:
    """Time Transformers' Trainer (padded to the longest) on the same device."""
    import transformers as t

    from seedbed.tasks.load import load_task

    task = load_task(name="mrpc", data=glue / "MRPC")
    tokenizer = t.AutoTokenizer.from_pretrained(job.source)
    texts = (list(task.train.first), list(task.train.second or ()))
    encoded = tokenizer(*texts, truncation=True, max_length=job.recipe.max_length)
    rows = [
        {**{key: encoded[key][i] for key in encoded}, "label": label}
        for i, label in enumerate(task.train.labels)
    ]
    with tempfile.TemporaryDirectory() as folder, quiet_transformers(), untouched_generators():
        trainer = t.Trainer(
            model=t.AutoModelForSequenceClassification.from_pretrained(job.source),
            args=t.TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=job.recipe.batch_size,
                max_steps=steps,
                bf16=job.precision == "bfloat16",
                use_cpu=job.device == "cpu",
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=rows,
            processing_class=tokenizer,
        )
        wait(job.device)
        began = time.perf_counter()
        trainer.train()
        wait(job.device)
        return steps / (time.perf_counter() - began)


def measure(source: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Check and time one model."""
    device = arguments.device
    precision = resolve_precision("auto", device)
    base = make_job("mrpc", str(arguments.glue / "MRPC"), precision)
    job = replace(base, source=source, device=device, precision=precision)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    rate = matrix_rate(device, dtype)
    exact = replace(job, precision="float32")
    results: dict[str, Any] = {
        "precision": precision,
        "matrix_rate": rate,
        "largest_difference_of_a_logit_float32": difference(exact, min(4, max(arguments.widths))),
        "widths": {},
    }
    for width in arguments.widths:
        results["widths"][width] = timed(job, width, arguments.steps, rate)
        print(source, width, results["widths"][width], flush=True)
    results["trainer_steps_per_second"] = trainer_rate(job, arguments.glue, arguments.trainer_steps)
    best = max(row["trial_steps_per_second"] for row in results["widths"].values())
    results["times_the_trainer"] = best / results["trainer_steps_per_second"]
    return results


def main() -> None:
    """Run, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--glue", type=Path, required=True)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 4, 16, 64, 128])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--trainer-steps", type=int, default=200)
    parser.add_argument("--models", nargs="+", default=["minilm", "bert-base"])
    parser.add_argument("--out", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models:
            source = resolve("minilm") if name == "minilm" else bert_base(Path(folder) / name)
            results[name] = measure(source, arguments)
    if arguments.device == "cuda":
        results["device"] = torch.cuda.get_device_name()
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=2)
    (arguments.out / f"gpu_{arguments.device}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
