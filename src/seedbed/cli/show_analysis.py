"""An analysis as a person reads it: lines and tables, warnings last."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seedbed.core.errors import clipped

Facts = dict[str, Any]

SHOWN_N = (1, 2, 3, 5, 10, 20, 50, 100)
MOST_POINTS = 8
MOST_TEXT = 2_000


def show(facts: Facts, printer: Callable[[Facts, Console], None], *, json: bool) -> None:
    """Print ``facts`` as one JSON object, or by ``printer``."""
    if json:
        print(json_module.dumps(facts, indent=2, allow_nan=False))
    else:
        printer(facts, Console())


def line(console: Console, text: str) -> None:
    """Print one line; ``text`` is markup."""
    console.print(text, soft_wrap=True, highlight=False)


def number(value: float | None, digits: int = 4) -> str:
    """Show a score; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(lower: float | None, upper: float | None, digits: int = 4) -> str:
    """Show an interval; an end that is not known is a dash."""
    if lower is None and upper is None:
        return ""
    return f"{number(lower, digits)} … {number(upper, digits)}"


def probability(p: float | None) -> str:
    """Show a p-value."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def safe(text: str) -> str:
    """Show text from a file or a path as it is: no markup, no control characters."""
    return escape(clipped(text, MOST_TEXT))


def table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table, the first column to the left."""
    drawn = Table(box=None, pad_edge=False)
    for k, heading in enumerate(headings):
        drawn.add_column(heading, justify="left" if k == 0 else "right", no_wrap=True)
    for row in rows:
        drawn.add_row(*(safe(cell) for cell in row))
    console.print(drawn)


def warnings(facts: Facts, console: Console) -> None:
    """Print what a reader must know before trusting the numbers."""
    for text in facts["warnings"]:
        line(console, f"[bold yellow]note[/] {safe(text)}")


def analyses(facts: Facts, console: Console) -> None:
    """Print one task's analysis, or one after the other, and what tasks have in common."""
    for found in facts.get("tasks", {"": facts}).values():
        analysis(found, console)
    if "across_tasks" in facts:
        _across(facts["across_tasks"], console)


def analysis(facts: Facts, console: Console) -> None:
    """Print the analysis of one task's trials."""
    _trials(facts, console)
    _best(facts, console)
    _variance(facts, console)
    _tests(facts, console)
    _early_late(facts, console)
    warnings(facts, console)


def _trials(facts: Facts, console: Console) -> None:
    counts = facts["trials"]
    words = [f"{counts['started']} started", f"{counts['finished']} finished"]
    words += [
        f"{counts[name]} {name}" for name in ("failed", "diverged", "collapsed") if counts[name]
    ]
    line(console, f"[bold]{safe(facts['source'])}[/], metric {safe(facts['metric'])}")
    line(console, f"trials: {', '.join(words)}; {facts['spent']:.1f} full trials spent")
    for one in facts["failed_trials"][:10]:
        kinds = [kind for kind in ("failed", "diverged", "collapsed") if one[kind]]
        seen = one["visible_at"]
        since = "" if seen is None else f", visible at {seen:.0%} of training"
        line(
            console,
            f"  trial {one['trial']} (init {one['init']}, order {one['order']}): "
            f"{', '.join(kinds)}{since}",
        )


def _best(facts: Facts, console: Console) -> None:
    found = facts["expected_best"]
    if not found:
        return
    last = found[-1]["n"]
    rows = [
        [
            str(one["n"]),
            number(one["estimate"]),
            interval(one["lower"], one["upper"]) + ("" if one["trusted"] else " ?"),
            "–" if one["seconds"] is None else f"{one['seconds']:.0f}",
        ]
        for one in found
        if one["n"] in SHOWN_N or one["n"] == last
    ]
    line(console, f"\n[bold]expected best of n full trials[/] ({facts['expected_best_method']})")
    table(console, ["n", "score", f"{facts['confidence']:.0%} interval", "seconds"], rows)
    optimism = facts["optimism"]
    if optimism is not None:
        line(
            console,
            f"the best, trial {optimism['trial']}, scores {number(optimism['score'])} on the rows "
            f"that chose it; honest estimate [bold]{number(optimism['honest'])}[/] "
            f"({interval(optimism['lower'], optimism['upper'])})",
        )


def _variance(facts: Facts, console: Console) -> None:
    found, noise = facts["variance"], facts["validation_noise"]
    if found["init"] is not None:
        rows = [
            [
                name,
                f"{found[name]['variance'] ** 0.5:.4f}",
                f"{found[name]['share']:.0%}",
                interval(found[name]["lower"] ** 0.5, _root(found[name]["upper"])),
            ]
            for name in ("init", "order", "rest")
        ]
        line(console, f"\n[bold]where the spread comes from[/] ({found['method']})")
        table(console, ["source", "sd", "share", f"{facts['confidence']:.0%} interval"], rows)
    if found["total"] is not None:
        line(console, f"standard deviation of one trial's score: {found['total'] ** 0.5:.4f}")
    if noise is not None:
        line(
            console,
            f"at the last evaluation {noise['observed_sd']:.4f}, of which the validation "
            f"split's luck alone makes {noise['noise_sd']:.4f}; real differences "
            f"{noise['real_sd']:.4f}",
        )


def _root(value: float | None) -> float | None:
    return None if value is None else float(value**0.5)


def _tests(facts: Facts, console: Console) -> None:
    rows = []
    for factor, test in facts["tests"].items():
        if test is None:
            continue
        pair = test["best_vs_worst"]
        rows.append(
            [
                factor,
                f"{number(test['f'], 2)} ({test['df_between']}, {test['df_error']})",
                probability(test["p_f"]),
                probability(test["p_permutation"]),
                f"{pair['best']} / {pair['worst']}",
                probability(pair["p_corrected"]),
                probability(pair["p_classical"]),
            ]
        )
    if rows:
        line(console, "\n[bold]do seeds matter?[/] (small p: they do)")
        headings = ["factor", "F (df)", "p", "p shuffled", "best / worst", "p", "p chosen after"]
        table(console, headings, rows)


def _early_late(facts: Facts, console: Console) -> None:
    found = facts["early_late"]
    progress, spearman = found["progress"], found["spearman"]
    if spearman is None or len(progress) < 2:
        return
    stride = -(-(len(progress) - 1) // MOST_POINTS)
    points = range((len(progress) - 2) % stride, len(progress) - 1, stride)
    kept = {(one["progress"], one["keep"]): one["probability"] for one in found["winner_kept"]}
    keeps = sorted({keep for _, keep in kept})
    rows = [
        [
            f"{progress[e]:.0%}",
            number(spearman[e][-1], 2),
            interval(found["spearman_lower"][e][-1], found["spearman_upper"][e][-1], 2),
            *(f"{kept[progress[e], keep]:.0%}" for keep in keeps),
        ]
        for e in points
    ]
    line(
        console,
        "\n[bold]early and late[/]: rank correlation with the final score, and the chance that "
        f"the winner of {found['started']} is among the best p",
    )
    headings = ["at", "spearman", "interval", *(f"p = {keep}" for keep in keeps)]
    table(console, headings, rows)


def _across(found: Facts, console: Console) -> None:
    line(console, f"\n[bold]good init seeds across tasks[/] ({safe(', '.join(found['tasks']))})")
    if found["kendall_w"] is not None:
        best = ", ".join(str(one["init"]) for one in found["init_seeds"][:5])
        line(
            console,
            f"Kendall's W {found['kendall_w']:.2f} (0: no agreement, 1: full), "
            f"p {probability(found['p_permutation'])}; best first: {best}",
        )
    warnings(found, console)
