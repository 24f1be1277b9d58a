"""Replay, plan, comparison and power as a person reads them."""

from __future__ import annotations

from rich.console import Console

from seedbed.cli.show_analysis import (
    Facts,
    interval,
    line,
    number,
    probability,
    safe,
    table,
    warnings,
)


def replayed(facts: Facts, console: Console) -> None:
    """Print what a rule would have earned."""
    patience = "" if facts["patience"] is None else f", patience {facts['patience']}"
    line(console, f"{_rule(facts)}{patience}: {facts['cost']:.2f} full trials")
    line(
        console,
        f"expected best {safe(facts['metric'])} [bold]{number(facts['expected'])}[/]; as many "
        f"full trials: {number(facts['baseline'])}",
    )
    line(
        console,
        f"gain {facts['gain']:+.4f} ({interval(facts['lower'], facts['upper'])})"
        + _relative(facts["relative_error_reduction"]),
    )
    warnings(facts, console)


def planned(facts: Facts, console: Console) -> None:
    """Print the rule for a budget and what it promises."""
    line(
        console,
        f"budget {facts['budget']:g}: [bold]{_rule(facts)}[/], {facts['cost']:.2f} full trials "
        f"({facts['source']})",
    )
    if facts["expected"] is not None:
        line(
            console,
            f"expected best {safe(facts['metric'])} {number(facts['expected'])} "
            f"({interval(facts['lower'], facts['upper'])}); full trials for the budget: "
            f"{number(facts['baseline'])}",
        )
    if facts["alternatives"]:
        line(console, "not to be told apart from it:")
        rows = [
            [
                str(o["start"]),
                f"{o['at']:.0%}",
                str(o["keep"]),
                f"{o['cost']:.2f}",
                number(o["expected"]),
            ]
            for o in facts["alternatives"]
        ]
        table(console, ["start", "at", "keep", "cost", "expected"], rows)
    warnings(facts, console)


def compared(facts: Facts, console: Console) -> None:
    """Print recipe A against recipe B."""
    line(console, f"A [bold]{safe(facts['a'])}[/], B [bold]{safe(facts['b'])}[/]")
    line(
        console,
        f"{facts['pairs']} pairs of trials with the same seeds, metric {safe(facts['metric'])}: "
        f"mean {number(facts['mean_a'])} and {number(facts['mean_b'])}",
    )
    difference, wins = facts["difference"], facts["wins"]
    line(
        console,
        f"A less B: [bold]{difference['value']:+.4f}[/] "
        f"({interval(difference['lower'], difference['upper'])}), p {probability(facts['p'])}; "
        f"A beats B in {wins['value']:.0%} of pairs "
        f"({interval(wins['lower'], wins['upper'], 2)})",
    )
    rows = [
        [str(o["n"]), f"{o['difference']:+.4f}", interval(o["lower"], o["upper"])]
        for o in facts["expected_best"]
    ]
    line(console, f"difference of the expected best of n ({facts['method']}):")
    table(console, ["n", "A less B", f"{facts['confidence']:.0%} interval"], rows)
    warnings(facts, console)


def power(facts: Facts, console: Console) -> None:
    """Print how many trials a difference needs."""
    line(
        console,
        f"to find a difference of {facts['difference']:g} with probability {facts['power']:.0%} "
        f"at level {facts['level']:g}:",
    )
    rows = [["fresh seeds", str(facts["unpaired"]), f"{facts['sd_unpaired']:.4f}"]]
    if facts["paired"] is not None:
        rows.append(["paired by seeds", str(facts["paired"]), f"{facts['sd_paired']:.4f}"])
    table(console, ["design", "trials for each recipe", "sd"], rows)
    warnings(facts, console)


def _rule(facts: Facts) -> str:
    if facts["start"] == facts["keep"]:
        return f"train {facts['start']} trials to the end"
    return (
        f"start {facts['start']} trials, at {facts['at']:.0%} of training keep the best "
        f"{facts['keep']}"
    )


def _relative(reduction: float | None) -> str:
    return "" if reduction is None else f", {reduction:+.1%} of the error that is left"
