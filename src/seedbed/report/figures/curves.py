"""All curves: what became of every trial, and from when on a failure was visible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.curves import Curve
from seedbed.report import look, words
from seedbed.report.account import Account, Fate
from seedbed.report.look import Drawing
from seedbed.report.section import LeftOut, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Every trial"
COLOURS = {
    Fate.WON: look.WIN,
    Fate.FINISHED: look.DONE,
    Fate.STOPPED: look.STOP,
    Fate.GOING: look.SECOND,
    Fate.FAILED: look.FAIL,
}
BACK_TO_FRONT = (Fate.STOPPED, Fate.GOING, Fate.FINISHED, Fate.FAILED, Fate.WON)


@dataclass(frozen=True)
class Line:
    """One trial's evaluations, and what became of it."""

    trial: int
    init: int
    order: int
    fate: Fate
    progress: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """All trials; ``visible_by``: the share of training by which all failures were visible."""

    metric: str
    lines: tuple[Line, ...]
    majority: float | None
    visible_by: float | None
    counts: dict[Fate, int]
    stopped: int

    @property
    def winner(self) -> Line | None:
        """The winning trial."""
        return next((line for line in self.lines if line.fate is Fate.WON), None)


def curves_data(account: Account) -> Curves | LeftOut:
    """Put every trial's evaluations beside what became of it."""
    recording, fates = account.recording, account.fates
    lines = tuple(
        Line(
            trial=curve.trial,
            init=curve.seeds.init,
            order=curve.seeds.order,
            fate=fates[curve.trial],
            progress=tuple(e.progress for e in curve.evaluations if e.finite),
            scores=tuple(e.score for e in curve.evaluations if e.finite),
        )
        for curve in recording.curves
    )
    if not any(line.scores for line in lines):
        return LeftOut("curves", TITLE, "no trial was evaluated yet")
    return Curves(
        metric=recording.metric,
        lines=lines,
        majority=recording.majority,
        visible_by=_visible_by(account),
        counts={fate: account.with_fate(fate) for fate in Fate},
        stopped=account.stopped,
    )


def _visible_by(account: Account) -> float | None:
    """Give the progress of the latest evaluation at which a failure first showed."""
    found = account.analysis.failed
    if found is None or not account.failed:
        return None
    longest: Curve = max(account.recording.curves, key=lambda curve: len(curve.evaluations))
    grid = [e.progress for e in longest.evaluations] or [1.0]
    places = [
        (curve, int(place))
        for curve, place in zip(account.recording.curves, found.visible_from, strict=True)
        if place >= 0
    ]
    return max(
        curve.evaluations[k].progress if k < len(curve.evaluations) else grid[min(k, len(grid) - 1)]
        for curve, k in places
    )


def shows(data: Curves, account: Account) -> str:
    """Say how many failed and when it showed, what was stopped, and who won."""
    started, failed = len(data.lines), data.counts[Fate.FAILED]
    if failed and data.visible_by is not None and data.visible_by < 1:
        first = f"{failed:,} of {words.count(started, 'trial')} failed; "
        first += "it was" if failed == 1 else "all were"
        first += f" visible by {words.percent(data.visible_by)} of training"
    elif failed:
        first = f"{failed:,} of {words.count(started, 'trial')} failed"
    elif data.majority is None:
        first = f"{words.count(started, 'trial')} ran"
    else:
        first = "the one trial did not fail" if started == 1 else f"none of {started:,} failed"
    parts = [first]
    if data.stopped:
        parts.append(f"{data.stopped:,} {'was' if data.stopped == 1 else 'were'} stopped early")
    if data.winner is not None:
        best = account.score(max(data.winner.scores))
        parts.append(
            f"the best reached {best} "
            f"(init seed {data.winner.init}, order seed {data.winner.order})"
        )
    return words.sentence("; ".join(parts))


def caution(data: Curves, account: Account) -> str:
    """Say what the curves cannot tell."""
    if data.majority is None:
        return (
            "The majority class's score is not known here, so failed trials may hide among the "
            "weak ones."
        )
    if data.stopped:
        return (
            f"Where a trial was stopped its future is unknown, not bad: {data.stopped:,} of these "
            "curves end before the training does."
        )
    if account.examples is not None and 0 <= data.majority <= 1:
        top = max(max(line.scores) for line in data.lines if line.scores)
        luck = 1.96 * np.sqrt(max(top * (1 - top), 0.0) / account.examples)
        return (
            f"On {account.examples:,} validation examples luck alone moves a single score by "
            f"about ±{words.score(float(luck), account.digits)}: wiggles of that size mean nothing."
        )
    return "Single points wiggle with the luck of the validation split: compare whole curves."


def draw(data: Curves) -> Figure:
    """Draw the failed, stopped, finished and winning trials, the winner on top."""
    figure, axes = look.panel((look.PANEL_INCHES[0], 3.5))
    look.grid(axes)
    many = len(data.lines) > look.MANY_LINES
    for fate in BACK_TO_FRONT:
        _draw_lines(axes, [line for line in data.lines if line.fate is fate], fate, many=many)
    if data.majority is not None:
        axes.axhline(data.majority, color=look.INK, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.annotate(
            "majority class",
            (1.0, data.majority),
            xytext=(0, 3),
            textcoords="offset points",
            xycoords=axes.get_yaxis_transform(),
            ha="right",
            fontsize=8,
            color=look.INK,
        )
    axes.set_xlim(0, 1.0)
    look.percent_axis(axes.xaxis)
    axes.set_xlabel("share of training")
    axes.set_ylabel(data.metric)
    present = [fate for fate in reversed(BACK_TO_FRONT) if data.counts[fate]]
    look.key(
        axes,
        [
            (
                fate.value if fate is Fate.WON else f"{fate.value} ({data.counts[fate]:,})",
                COLOURS[fate],
                {"linestyle": (0, (3, 1)) if fate is Fate.FAILED else "-"},
            )
            for fate in present
        ],
    )
    return figure


def _draw_lines(axes: Axes, lines: list[Line], fate: Fate, *, many: bool) -> None:
    from matplotlib.collections import LineCollection

    drawn = [line for line in lines if line.scores]
    if not drawn:
        return
    won = fate is Fate.WON
    opacity = 1.0 if won else max(0.12, min(0.75, 12 / len(drawn) ** 0.75))
    axes.add_collection(
        LineCollection(
            [np.column_stack([line.progress, line.scores]) for line in drawn],
            colors=COLOURS[fate],
            linewidths=2.2 if won else 1.0,
            linestyles=[(0, (3, 1))] if fate is Fate.FAILED and not many else "solid",
            alpha=opacity,
            rasterized=many and not won,
            zorder=2 + BACK_TO_FRONT.index(fate) / 10,
        )
    )
    ended = [line for line in drawn if line.progress[-1] < 1.0]
    axes.scatter(
        [line.progress[-1] for line in ended],
        [line.scores[-1] for line in ended],
        s=5,
        color=COLOURS[fate],
        alpha=min(1.0, opacity + 0.15),
        linewidths=0,
        rasterized=many,
        zorder=2.05 + BACK_TO_FRONT.index(fate) / 10,
    )
    axes.autoscale_view()
    if won:
        best = int(np.argmax(drawn[0].scores))
        axes.plot(
            drawn[0].progress[best],
            drawn[0].scores[best],
            "o",
            color=COLOURS[fate],
            markersize=5,
            zorder=4,
            clip_on=False,
        )


def curves_section(account: Account) -> Section | LeftOut:
    """Give the figure with its sentences and numbers."""
    data = curves_data(account)
    if isinstance(data, LeftOut):
        return data
    rows = tuple(
        (
            line.trial,
            line.init,
            line.order,
            line.fate.value,
            line.progress[-1] if line.progress else 0.0,
            max(line.scores, default=None),
            line.scores[-1] if line.scores else None,
        )
        for line in data.lines
    )
    headings = ("trial", "init_seed", "order_seed", "fate", "progress", "best", "last")
    text = shows(data, account)
    return Section(
        name="curves",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=(Drawing("curves", f"Curves of all trials. {text}", lambda: draw(data)),),
        tables=(("trials", Table(headings, rows)),),
    )
