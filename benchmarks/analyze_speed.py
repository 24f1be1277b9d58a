"""How fast is the whole analysis of a curves table, and how does it grow with the trials?

    python benchmarks/analyze_speed.py [--quick]

Writes a synthetic curves table (csv) to a temporary folder, then reads and analyses it as
`seedbed analyze` does, with 1,000 bootstrap draws, in this process. The trials are a crossed
grid of seeds, so the costlier two-way bootstrap is taken; a second run, up to 2,500
trials, leaves one trial in ten out, so that the spread is split by REML.

Writes results/analyze_speed.json and results/analyze_speed.md.

Axes: T trials, E evaluations.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from seedbed.api.analyze import Settings, Source, analyze
from seedbed.api.recordings import recordings

RESULTS = Path(__file__).parent / "results"
EVALUATIONS = 30
RESAMPLES = 1_000
SIDES = {100: (10, 10), 625: (25, 25), 2_100: (42, 50), 2_500: (50, 50), 10_000: (100, 100)}


def write_table(path: Path, inits: int, orders: int, *, holes: float = 0.0, seed: int = 0) -> int:
    """Write a synthetic grid's curves; give the number of trials.

    A trial's level is 0.85 + 0.01 a_init + 0.01 b_order + 0.02 e, normal; its score at
    progress s is 0.68 + (level - 0.68) (1 - exp(-6 s)) + N(0, 0.01), rounded to 408
    examples; its loss 1 - score + N(0, 0.02). ``holes``: share of trials left out.
    """
    rng = np.random.default_rng(seed)
    a_I, b_O = rng.normal(0, 0.01, inits), rng.normal(0, 0.01, orders)
    level_IO = 0.85 + a_I[:, None] + b_O + rng.normal(0, 0.02, (inits, orders))
    progress_E = np.arange(1, EVALUATIONS + 1) / EVALUATIONS
    rise_E = 1 - np.exp(-6 * progress_E)
    score_IOE = 0.68 + (level_IO[..., None] - 0.68) * rise_E
    score_IOE += rng.normal(0, 0.01, score_IOE.shape)
    score_IOE = (np.clip(score_IOE, 0, 1) * 408).round() / 408
    loss_IOE = 1 - score_IOE + rng.normal(0, 0.02, score_IOE.shape)
    there_IO = rng.random((inits, orders)) >= holes
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["init_seed", "order_seed", "step", "progress", "accuracy", "loss"])
        for i, o in np.argwhere(there_IO).tolist():
            for e in range(EVALUATIONS):
                values = (progress_E[e], score_IOE[i, o, e], loss_IOE[i, o, e])
                writer.writerow([i + 1, o + 1, 100 * (e + 1), *map(float, values)])
    return int(there_IO.sum())


def timed(trials: int, *, holes: float, folder: Path) -> dict[str, float | int | str]:
    """Time reading and analysing a table of about ``trials`` trials."""
    path = folder / "curves.csv"
    written = write_table(path, *SIDES[trials], holes=holes)
    source = Source(path=path)
    began = time.perf_counter()
    recordings(source)
    read = time.perf_counter() - began
    began, cpu_began = time.perf_counter(), time.process_time()
    facts = analyze(source, settings=Settings(resamples=RESAMPLES)).json()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    print(f"{written:,} trials: {seconds:.2f} s, {cpu:.2f} s of CPU", flush=True)
    return {
        "trials": written,
        "method": facts["variance"]["method"],
        "seconds": seconds,
        "cpu_seconds": cpu,
        "of_which_reading": read,
    }


def measure(quick: bool) -> dict[str, object]:
    """Run everything; ``quick`` stops at 2,500 trials."""
    sizes = [n for n in SIDES if n <= 2_500] if quick else list(SIDES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed(100, holes=0.0, folder=folder)  # imports and caches
        holed = [timed(n, holes=0.1, folder=folder) for n in sizes if n <= 2_500]
        full = [timed(n, holes=0.0, folder=folder) for n in sizes]
    return {
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS", "default"),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "evaluations": EVALUATIONS,
        "resamples": RESAMPLES,
        "full_grid": full,
        "one_in_ten_missing": holed,
    }


EXPLAINED = (
    "CPU seconds do not count what other programs took of the machine. Exponent: with which "
    "power of the number of trials CPU time grew from the row above."
)


def markdown(result: dict) -> str:
    """Write the result as Markdown."""
    machine = result["machine"]
    lines = [
        "# Analysis of a curves table",
        "",
        f"Synthetic csv, {EVALUATIONS} evaluations a trial, {RESAMPLES:,} bootstrap draws, 2,000 "
        "permutations a test; reading is part of the seconds. "
        f"{machine['cores']} cores, OMP_NUM_THREADS {machine['threads']}, "
        f"Python {machine['python']}, numpy {machine['numpy']}.",
        "",
        "| trials | spread split by | seconds | of which reading | CPU seconds | exponent |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for kind in ("full_grid", "one_in_ten_missing"):
        before = None
        for one in result[kind]:
            growth = "" if before is None else f"{_exponent(before, one):.1f}"
            lines.append(
                f"| {one['trials']:,} | {one['method']} | {one['seconds']:.2f} | "
                f"{one['of_which_reading']:.2f} | {one['cpu_seconds']:.2f} | {growth} |"
            )
            before = one
    return "\n".join([*lines, "", EXPLAINED, ""])


def _exponent(before: dict, after: dict) -> float:
    trials = math.log(after["trials"] / before["trials"])
    return math.log(after["cpu_seconds"] / before["cpu_seconds"]) / trials


def main() -> None:
    """Measure, print the table, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a shorter run, for a look")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    result = measure(options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "analyze_speed.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.out / "analyze_speed.md").write_text(markdown(result), encoding="utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
