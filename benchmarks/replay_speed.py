"""How fast is the exact search over (start, at, keep), beside a plain search by sampling?

    python benchmarks/replay_speed.py [--quick]

Both run on synthetic curves in the same process, one after the other. The exact search
scores every rule that costs at most 30 full trials (all budgets 1..30 at once). The
sampling search is the plain one of Dodge et al. 2020: 50,000 draws with replacement for
each rule whose cost equals a budget exactly, at most 200 starts. It would take hours, so a
random subset of its rules is timed with fewer draws, and the time of the whole is
extrapolated from these: seconds a draw, by a straight line in the number of starts.

Writes results/replay_speed.json and results/replay_speed.md.

Axes: T trials, E evaluations.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds
from seedbed.stopping.budget import Rule
from seedbed.stopping.exact import expected_result
from seedbed.stopping.recorded import Recorded, record
from seedbed.stopping.search import rule_table

RESULTS = Path(__file__).parent / "results"
EVALUATIONS = 30
MOST_BUDGET = 30
MOST_STARTS = 200
SAMPLES = 50_000


def synthetic(trials: int, seed: int = 0) -> Recorded:
    """Draw curves that rise to a level of their own; early scores tell part of it.

    level ~ N(0.85, 0.03), one trial in eight collapsed to 0.68; score at progress s is
    0.68 + (level - 0.68) (1 - exp(-6 s)) + N(0, 0.01). Not rounded: the plain search leaves
    ties to an unstable sort, so with ties the two could not be compared.
    """
    generator = np.random.default_rng(seed)
    level = np.where(
        generator.random(trials) < 1 / 8, 0.68, generator.normal(0.85, 0.03, size=trials)
    )
    progress = np.arange(1, EVALUATIONS + 1) / EVALUATIONS
    rise = 1 - np.exp(-6 * progress)
    score = 0.68 + (level[:, None] - 0.68) * rise
    score += generator.normal(0, 0.01, size=score.shape)
    return record(
        Curve(
            trial,
            Seeds(trial, trial, trial),
            tuple(
                Evaluation(
                    step=e + 1,
                    progress=float(progress[e]),
                    score=float(score[trial, e]),
                    loss=0.0,
                )
                for e in range(EVALUATIONS)
            ),
        )
        for trial in range(trials)
    )


def assignments() -> list[tuple[int, int, int]]:
    """List (start, evaluation, keep) of the sampling search, for all budgets 1..30."""
    found = []
    for budget in range(1, MOST_BUDGET + 1):
        found.append((budget, EVALUATIONS, budget))  # full training
        for pause in range(1, EVALUATIONS):
            for keep in range(budget + 1):
                start, rest = divmod(EVALUATIONS * budget - keep * (EVALUATIONS - pause), pause)
                if rest == 0 and keep < start <= MOST_STARTS:
                    found.append((start, pause, keep))
    return found


def sampled(
    score_TE: np.ndarray, rule: tuple[int, int, int], samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Sample results of one rule the plain way: draw, rank, keep, take the best."""
    start, pause, keep = rule
    results = np.empty(samples)
    for s in range(samples):
        drawn_TE = score_TE[generator.integers(len(score_TE), size=start)]
        early_T = drawn_TE[:, :pause].max(axis=1)
        kept = np.argsort(early_T)[start - keep :]
        results[s] = max(early_T.max(), drawn_TE[kept].max(initial=-np.inf))
    return results


def sampled_in_bulk(
    recorded: Recorded, rule: tuple[int, int, int], samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Sample the same thing as fast as numpy can: all draws at once, bests known before."""
    start, pause, keep = rule
    drawn_ST = generator.integers(len(recorded), size=(samples, start))
    early_ST = recorded.best_TE[:, pause - 1][drawn_ST]
    if keep == 0:
        return early_ST.max(axis=1)
    kept_SK = np.argpartition(early_ST, start - keep, axis=1)[:, start - keep :]
    return recorded.finals[np.take_along_axis(drawn_ST, kept_SK, axis=1)].max(axis=1)


def exact_search(recorded: Recorded) -> tuple[float, int, dict[int, Rule]]:
    """Score all rules and choose for every budget: seconds, rules, choices."""
    began = time.perf_counter()
    table = rule_table(recorded, MOST_BUDGET)
    best = {budget: table.best(budget) for budget in range(1, MOST_BUDGET + 1)}
    seconds = time.perf_counter() - began
    return seconds, int(table.within(MOST_BUDGET).sum()), best


def sampling_search(
    recorded: Recorded, rules: int, samples: int, *, bulk: bool
) -> dict[str, float | int]:
    """Time a subset of the sampling search and extrapolate to the whole."""
    generator = np.random.default_rng(1)
    everything = assignments()
    chosen = [everything[i] for i in generator.choice(len(everything), rules, replace=False)]
    score_TE = np.array([[e.score for e in curve.evaluations] for curve in recorded.curves])
    seconds, deviations = [], []
    for rule in chosen:
        began = time.perf_counter()
        if bulk:
            results = sampled_in_bulk(recorded, rule, samples, generator)
        else:
            results = sampled(score_TE, rule, samples, generator)
        seconds.append((time.perf_counter() - began) / samples)
        deviations.append(_deviation(recorded, rule, results))
    slope, base = np.polyfit([rule[0] for rule in chosen], seconds, 1)
    per_draw = base + slope * np.array([rule[0] for rule in everything])
    return {
        "rules_in_the_whole": len(everything),
        "samples_each": SAMPLES,
        "rules_timed": rules,
        "samples_timed_each": samples,
        "seconds_measured": float(np.sum(seconds) * samples),
        "microseconds_a_sample": float(per_draw.mean() * 1e6),
        "seconds_extrapolated": float(per_draw.sum() * SAMPLES),
        "deviation_in_standard_errors": float(np.sqrt(np.mean(np.square(deviations)))),
    }


def _deviation(recorded: Recorded, rule: tuple[int, int, int], results: np.ndarray) -> float:
    """Give how far the sampled mean lies from the exact one, in standard errors."""
    start, pause, keep = rule
    ranking = recorded.ranking(min(pause, EVALUATIONS) - 1)
    exact = expected_result(
        recorded.best_TE[ranking, pause - 1][None],
        recorded.finals[ranking][None],
        start,
        keep,
        replacement=True,
    )[0]
    error = max(float(np.std(results, ddof=1)) / np.sqrt(len(results)), 1e-12)
    return float((results.mean() - exact) / error)


def measure(quick: bool) -> dict[str, object]:
    """Run everything; ``quick`` times fewer draws and stops at 2,500 trials."""
    recorded = synthetic(625)
    exact_search(synthetic(50))  # warm up
    seconds, rules, best = exact_search(recorded)
    timed = 20 if quick else 100
    plain = sampling_search(recorded, timed, 200 if quick else 1000, bulk=False)
    bulk = sampling_search(recorded, timed, 2_000 if quick else 10_000, bulk=True)
    growth = []
    for trials in (100, 625, 2_500) if quick else (100, 625, 2_500, 10_000):
        grown, count, _ = exact_search(synthetic(trials))
        growth.append({"trials": trials, "rules": count, "seconds": grown})
    return {
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS", "default"),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "curves": {"trials": 625, "evaluations": EVALUATIONS, "budgets": f"1..{MOST_BUDGET}"},
        "exact": {"rules": rules, "seconds": seconds},
        "sampling": plain,
        "sampling_in_bulk": bulk,
        "times_faster": plain["seconds_extrapolated"] / seconds,
        "times_faster_than_in_bulk": bulk["seconds_extrapolated"] / seconds,
        "growth": growth,
        "chosen": {
            budget: {"start": rule.start, "at": rule.at, "keep": rule.keep}
            for budget, rule in best.items()
            if budget in (1, 2, 3, 5, 10, 20, 30)
        },
    }


def markdown(result: dict) -> str:
    """Write the result as Markdown."""
    exact, machine = result["exact"], result["machine"]
    plain, bulk = result["sampling"], result["sampling_in_bulk"]
    lines = [
        "# Search over (start, at, keep): exact and by sampling",
        "",
        f"625 synthetic trials × {EVALUATIONS} evaluations, budgets 1..{MOST_BUDGET}, one run. "
        f"{machine['cores']} cores, OMP_NUM_THREADS {machine['threads']}, "
        f"Python {machine['python']}, numpy {machine['numpy']}.",
        "",
        "| search | rules | seconds | times the exact |",
        "|---|---:|---:|---:|",
        f"| exact, every rule within the budget | {exact['rules']:,} | "
        f"{exact['seconds']:.2f} | 1 |",
        _row("plain sampling", plain, result["times_faster"]),
        _row("sampling, all draws at once in numpy", bulk, result["times_faster_than_in_bulk"]),
        "",
        f"Sampling takes {SAMPLES:,} samples of every rule that costs a budget exactly, with "
        "replacement. Its times are extrapolated from "
        f"{plain['rules_timed']} of these rules, drawn at random, with "
        f"{plain['samples_timed_each']:,} samples each ({plain['seconds_measured']:.1f} s "
        f"measured, {plain['microseconds_a_sample']:.0f} µs a sample on average), in numpy with "
        f"{bulk['samples_timed_each']:,} ({bulk['seconds_measured']:.1f} s, "
        f"{bulk['microseconds_a_sample']:.1f} µs). From the exact values the sampled means lie "
        f"{plain['deviation_in_standard_errors']:.1f} and "
        f"{bulk['deviation_in_standard_errors']:.1f} "
        "standard errors away (root mean square; 1 is chance alone).",
        "",
        "Growth of the exact search with the number of recorded trials:",
        "",
        "| trials | rules | seconds |",
        "|---:|---:|---:|",
        *(f"| {g['trials']:,} | {g['rules']:,} | {g['seconds']:.2f} |" for g in result["growth"]),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, search: dict, times: float) -> str:
    seconds = search["seconds_extrapolated"]
    return f"| {name} | {search['rules_in_the_whole']:,} | {seconds:,.0f} | {times:,.0f} |"


def main() -> None:
    """Measure, print the table, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a shorter run, for a look")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    result = measure(options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "replay_speed.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.out / "replay_speed.md").write_text(markdown(result), encoding="utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
