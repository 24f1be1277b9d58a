"""What the commands print."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import markup
from rich.console import Console

from seedbed.api.study import Study
from seedbed.api.verify import Verification
from seedbed.core.errors import printable
from seedbed.core.spec import Spec
from seedbed.core.units import duration


def escape(text: str) -> str:
    """Show ``text`` as it is: no markup, nothing that a terminal would obey, one line."""
    return markup.escape(printable(text).replace("\n", "\\n"))


def default_folder(spec: Spec) -> Path:
    """Name the folder of a study that was given none: studies/TASK-MODEL."""
    return Path("studies") / f"{Path(spec.task.name).name}-{Path(spec.model.name).name}"


def plan(study: Study, console: Console) -> None:
    """Say what will be done, before it is."""
    task, how, schedule = study.facts["task"], study.facts["how"], study.schedule
    rows = ", ".join(f"{count} {name}" for name, count in task["rows"].items())
    lines = [
        f"[bold]{escape(study.spec.model.name)}[/] on [bold]{escape(task['name'])}[/] "
        f"({escape(rows)} rows), metric {task['metric']}, "
        f"majority class {task['majority_score']:.3f}",
        f"{schedule.steps} steps a trial, {len(schedule.evaluation_steps)} evaluations; "
        f"{escape(how['policy'])}",
        f"{len(study.curves)} trials in the design; {how['learner']} learner "
        f"({escape(how['learner_reason'])}), {how['precision']} on {how['device']}",
        f"folder: {escape(str(study.layout.root))}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def verification(result: Verification, *, json: bool) -> None:
    """Print what a verification found."""
    if json:
        print(json_module.dumps({"holds": result.holds, **asdict(result)}, indent=2))
        return
    console = Console()
    for check in result.checks:
        word = "[green]holds[/]" if check.holds else "[red]DIFFERS[/]"
        console.print(f"{word}  {escape(check.name)}: {escape(check.detail)}", soft_wrap=True)
    for text in dict.fromkeys(result.reservations):
        console.print(f"note: {escape(text)}", soft_wrap=True, highlight=False)


def status(facts: dict[str, Any], *, json: bool) -> None:
    """Print where a study stands, for a person or as JSON."""
    if json:
        print(json_module.dumps(facts, indent=2))
        return
    console = Console()
    trials, best, spread = facts["trials"], facts["best"], facts["finished_scores"]
    counts = ", ".join(
        f"{number} {name.replace('_', ' ')}" for name, number in trials.items() if number
    )
    lines = [
        f"[bold]{escape(facts['folder'])}[/]: {facts['state']}",
        f"trials: {counts}; {facts['spent']:.2f} full trials spent, "
        f"{duration(facts['seconds'])} of training",
    ]
    if spread["count"]:
        sd = "" if spread["sd"] is None else f", sd {spread['sd']:.4f}"
        lines.append(
            f"finished trials: median {facts['metric']} {spread['median']:.4f}{sd}, "
            f"{spread['lowest']:.4f} to {spread['highest']:.4f} "
            f"(majority class {facts['majority_score']:.4f})"
        )
    if best:
        seeds = best["seeds"]
        lines.append(
            f"best: [bold]{facts['metric']} {best['score']:.4f}[/] by trial {best['trial']} "
            f"(init {seeds['init']}, order {seeds['order']}) at {best['progress']:.0%} of training"
        )
    if facts["model_folder"]:
        lines.append(f"model: {escape(facts['model_folder'])}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
