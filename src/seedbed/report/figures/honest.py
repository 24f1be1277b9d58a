"""How much the best of n flatters itself, and the winner's honest estimate.

Legend: K values of n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.section import LeftOut, Section, Table
from seedbed.stats.optimism import Optimism

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Is the best really that good?"


def honest_data(account: Account) -> Optimism | LeftOut:
    """Take the optimism from the analysis: it is the figure's data as it is."""
    found = account.analysis.optimism
    if found is not None:
        return found
    why = "no predictions are stored, so the choice cannot be repeated on parts of the split"
    if account.recording.predictions is not None:
        why = f"the choice by {account.recording.metric} cannot be repeated on parts of the split"
    return LeftOut("honest", TITLE, why)


def shows(data: Optimism, account: Account) -> str:
    """Give the honest estimate beside the score."""
    return words.sentence(
        f"the winner scores {account.score(data.score)} on the split that chose it; "
        f"{account.score(data.score - data.honest)} of that is flattery, and on new data "
        f"{account.score(data.honest)} is to be expected "
        f"({words.between(data.lower, data.upper, account.digits)})"
    )


def caution(data: Optimism, account: Account) -> str:
    """Say what new data must be for the estimate to hold."""
    examples = account.examples
    text = "The estimate is for new data drawn like the validation split"
    if examples is not None and examples < 500:
        text += f", and {examples:,} examples leave it that wide"
    if account.stopped:
        text += "; trials stopped early took part with the evaluations they have"
    return words.sentence(text)


def draw_optimism(data: Optimism) -> Figure:
    """Draw the optimism of the best of n against n."""
    figure, axes = look.panel()
    look.grid(axes)
    axes.axhline(0, color=look.MUTED, linewidth=0.8)
    axes.plot(data.ns, data.optimism, color=look.FAIL, marker="o", markersize=4.5, linewidth=1.8)
    look.log_axis(axes, data.ns.tolist(), data.ns.tolist())
    if axes.get_xscale() == "linear":
        axes.set_xticks(data.ns.tolist(), [str(n) for n in data.ns])
    axes.set_ylim(bottom=min(0.0, float(data.optimism.min()) * 1.1))
    axes.set_xlabel("trials to choose from, n")
    axes.set_ylabel("optimism of the best of n")
    return figure


def draw_honest(data: Optimism, metric: str, digits: int) -> Figure:
    """Draw the winner's score beside its honest estimate."""
    figure, axes = look.panel()
    look.grid(axes, "x")
    axes.plot([data.lower, data.upper], [0, 0], color=look.FIRST, linewidth=2)
    for value, y, colour, marker in (
        (data.score, 1, look.FAIL, "D"),
        (data.honest, 0, look.FIRST, "o"),
    ):
        axes.plot(value, y, marker, color=colour, markersize=8)
        axes.annotate(
            words.score(value, digits),
            (value, y),
            xytext=(0, 10),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=10,
        )
    axes.set_yticks([0, 1], ["on new data\n(honest)", "on the split\nthat chose it"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, 1.7)
    axes.margins(x=0.15)
    axes.set_xlabel(f"{metric} of the winner")
    return figure


def honest_section(account: Account) -> Section | LeftOut:
    """Give the figures with their sentences and numbers."""
    data = honest_data(account)
    if isinstance(data, LeftOut):
        return data
    text, metric, digits = shows(data, account), account.recording.metric, account.digits
    drawings = [Drawing("honest", text, lambda: draw_honest(data, metric, digits))]
    if len(data.ns) > 1:
        drawings.insert(0, Drawing("optimism", text, lambda: draw_optimism(data)))
    rows = tuple(
        (int(n), float(inside), float(outside), float(optimism))
        for n, inside, outside, optimism in zip(
            data.ns, data.selected, data.held_out, data.optimism, strict=True
        )
    )
    winner: tuple[tuple[str | float | None, ...], ...] = (
        (str(data.trial), data.score, data.honest, data.lower, data.upper),
    )
    return Section(
        name="honest",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=tuple(drawings),
        tables=(
            ("optimism", Table(("n", "selected", "held_out", "optimism"), rows)),
            ("honest", Table(("trial", "score", "honest", "lower", "upper"), winner)),
        ),
    )
