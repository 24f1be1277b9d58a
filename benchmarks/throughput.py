"""Whole-study speed: seedbed beside Transformers' Trainer, taking turns in one run.

    python benchmarks/throughput.py --glue GLUE_FOLDER [--tasks mrpc cola] [--rounds 3]

Each contender is a process of its own that trains one trial (seedbed: one trial in each
of two processes with one thread each, as a study does on two cores; the Trainer: two
threads). They take turns; a turn is a tenth of an epoch and one evaluation of the whole
validation split. The first turn of each is thrown away. Reported are medians of
trial-steps a second, evaluations and the writing of states included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
FOLDERS = {"mrpc": "MRPC", "cola": "CoLA", "rte": "RTE", "sst2": "SST-2"}
TRAINERS = ("padded", "dynamic", "dynamic-bf16")
NAMES = {
    "padded": "Trainer, padded to 128, float32",
    "dynamic": "Trainer, padded to the longest, float32",
    "dynamic-bf16": "Trainer, padded to the longest, bfloat16",
    "seedbed": "seedbed, dropout 0.1",
}


class Contender:
    """A process that trains a stretch when told to."""

    def __init__(self, kind: str, task: str, data: Path, threads: int) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, str(HERE / "contender.py"), kind, "--task", task]
        command += ["--data", str(data), "--threads", str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.read()  # ready

    def read(self) -> dict[str, Any]:
        """Read one report."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender ended with exit code {self.process.wait()}")
        return dict(json.loads(line))

    def go(self) -> None:
        """Let it train a stretch."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def turn(team: list[Contender]) -> dict[str, float]:
    """Let the members of a team train a stretch side by side."""
    began = time.perf_counter()
    for member in team:
        member.go()
    reports = [member.read() for member in team]
    seconds = time.perf_counter() - began
    for member in team:
        member.read()  # ready again
    return {
        "rate": sum(r["steps"] for r in reports) / seconds,
        "seconds": seconds,
        "peak_bytes": sum(r["peak_bytes"] for r in reports),
        "own_bytes": max(r["own_bytes"] for r in reports),
    }


def compare(task: str, data: Path, rounds: int, cores: int, bf16: bool) -> dict[str, Any]:
    """Let all contenders take turns on one task; medians of their rates."""
    kinds = [kind for kind in TRAINERS if bf16 or kind != "dynamic-bf16"]
    teams = {kind: [Contender(kind, task, data, cores)] for kind in kinds}
    teams["seedbed"] = [Contender("seedbed", task, data, 1) for _ in range(cores)]
    turns: dict[str, list[dict[str, float]]] = {kind: [] for kind in teams}
    try:
        for number in range(rounds + 1):
            for kind, team in teams.items():
                result = turn(team)
                if number:
                    turns[kind].append(result)
                print(f"{task} {number} {kind}: {result['rate']:.2f} trial-steps/s", flush=True)
    finally:
        for team in teams.values():
            for member in team:
                member.close()
    summary = {
        kind: {
            "trial_steps_per_second": median(t["rate"] for t in results),
            "rates": [t["rate"] for t in results],
            "peak_bytes": max(t["peak_bytes"] for t in results),
            "own_bytes_of_one_process": max(t["own_bytes"] for t in results),
        }
        for kind, results in turns.items()
    }
    ours = summary["seedbed"]["trial_steps_per_second"]
    ratios = {kind: ours / summary[kind]["trial_steps_per_second"] for kind in kinds}
    return {"contenders": summary, "seedbed_is_times": ratios}


def table(results: dict[str, Any]) -> str:
    """Write the results as Markdown."""
    lines = ["# Whole-study speed", "", results["machine"], ""]
    lines += ["Trial-steps a second, evaluations included (ten an epoch); medians of turns."]
    for task, result in results["tasks"].items():
        lines += ["", f"## {task}", "", "| | trial-steps/s | seedbed is | peak memory |"]
        lines += ["|---|---:|---:|---:|"]
        for kind, row in result["contenders"].items():
            ratio = result["seedbed_is_times"].get(kind)
            shown = f"{ratio:.1f} × as fast" if ratio else ""
            peak = f"{row['peak_bytes'] / 1e6:,.0f} MB"
            rate = row["trial_steps_per_second"]
            lines.append(f"| {NAMES[kind]} | {rate:.2f} | {shown} | {peak} |")
        own = result["contenders"]["seedbed"]["own_bytes_of_one_process"] / 1e6
        lines += ["", f"One seedbed worker holds {own:,.0f} MB that it shares with nobody."]
    if not results["bf16"]:
        lines += ["", "This CPU multiplies no bfloat16; that form of the Trainer was not run."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, and write JSON and table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--glue", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=["mrpc", "cola"], choices=list(FOLDERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    import torch

    from seedbed.train.hardware import cores, resolve_precision

    bf16 = resolve_precision("auto", "cpu") == "bfloat16"
    capability = torch.backends.cpu.get_cpu_capability()
    about = f"{cores()} cores ({platform.machine()}, {capability}), torch {torch.__version__}"
    results: dict[str, Any] = {"machine": about, "bf16": bf16, "tasks": {}}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for task in arguments.tasks:
        data = arguments.glue / FOLDERS[task]
        results["tasks"][task] = compare(task, data, arguments.rounds, cores(), bf16)
        # After each task, so that a run cut short leaves what it measured.
        (arguments.out / "throughput.json").write_text(json.dumps(results, indent=2) + "\n")
        (arguments.out / "throughput.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
