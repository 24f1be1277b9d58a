"""The scores under the best and under the worst seed of each factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.recording import Floats
from seedbed.report.section import LeftOut, Section, Table
from seedbed.stats.seed_tests import SeedTest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Best and worst seed"
COLUMNS = 40
"""Into so many steps the scores are binned, so that equal ones stand side by side."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """One factor's best and worst seed by mean, each with its final scores, ascending."""

    factor: str
    best: int
    worst: int
    best_scores: Floats
    worst_scores: Floats
    p_classical: float
    p_corrected: float


@dataclass(frozen=True, eq=False)
class BestAndWorst:
    """Both factors' extremes, and the scores of all finished trials."""

    metric: str
    factors: tuple[Extremes, ...]
    finals: Floats


def extremes_data(account: Account) -> BestAndWorst | LeftOut:
    """Collect the scores of each factor's best and worst seed."""
    analysis, recording = account.analysis, account.recording
    found = []
    for test, seeds_T in (
        (analysis.init_test, recording.inits),
        (analysis.order_test, recording.orders),
    ):
        if test is not None:
            found.append(_extremes(test, seeds_T, recording.finals))
    if not found:
        why = "the finished trials' seeds do not cross, so no seed can be compared with another"
        return LeftOut("extremes", TITLE, why)
    return BestAndWorst(recording.metric, tuple(found), recording.finals)


def _extremes(test: SeedTest, seeds_T: np.ndarray, finals_T: Floats) -> Extremes:
    pair = test.best_vs_worst
    return Extremes(
        factor=test.factor,
        best=int(pair.best),
        worst=int(pair.worst),
        best_scores=np.sort(finals_T[seeds_T == pair.best]),
        worst_scores=np.sort(finals_T[seeds_T == pair.worst]),
        p_classical=float(pair.p_classical),
        p_corrected=float(pair.p_corrected),
    )


def shows(data: BestAndWorst, account: Account) -> str:
    """Give the medians under the extremes."""
    parts = [
        f"under {one.factor} seed {one.best} half of the trials reach "
        f"{account.score(float(np.median(one.best_scores)))}, under {one.factor} seed {one.worst} "
        f"{account.score(float(np.median(one.worst_scores)))}"
        for one in data.factors
    ]
    return words.sentence("; ".join(parts))


def caution(data: BestAndWorst) -> str:
    """Warn of the choice, with the p-values before and after it is counted."""
    parts = [
        f"{words.p_value(one.p_classical)} becomes {words.p_value(one.p_corrected)} "
        f"for {one.factor}"
        for one in data.factors
    ]
    return words.sentence(
        "these seeds were chosen after looking, so the classical test is wrong; where the choice "
        f"is repeated under shuffling, {' and '.join(parts)}"
    )


def draw(data: BestAndWorst) -> Figure:
    """Draw each seed's scores as stacked dots, over all finished trials."""
    rows = 2 * len(data.factors) + 1
    figure, axes = look.panel((look.PANEL_INCHES[0], 0.7 + 0.52 * rows))
    low, high = float(data.finals.min()), float(data.finals.max())
    step = max(high - low, 1e-9) / COLUMNS
    names = []
    y = 0.0
    for one in data.factors:
        for kind, seed, scores, colour in (
            ("best", one.best, one.best_scores, look.WIN),
            ("worst", one.worst, one.worst_scores, look.FAIL),
        ):
            _dots(axes, scores, y, step, colour)
            names.append((y, f"{kind} {one.factor} ({seed})"))
            y -= 1.0
        y -= 0.35
    _dots(axes, data.finals, y, step, look.MUTED)
    names.append((y, "all finished"))
    axes.set_yticks([place + 0.1 for place, _ in names], [name for _, name in names])
    axes.set_ylim(y - 0.35, 0.95)
    axes.set_xlim(low - 2 * step, high + 2 * step)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    look.grid(axes, "x")
    axes.set_xlabel(f"final {data.metric} (bar: median)")
    return figure


def _dots(axes: Axes, scores: Floats, y: float, step: float, colour: str) -> None:
    """Stack equal scores upwards, at most to the next row."""
    binned = np.round(scores / step).astype(np.int64)
    heights = np.zeros(len(scores))
    for value in np.unique(binned):
        heights[binned == value] = np.arange((binned == value).sum())
    tallest = float(heights.max(initial=0.0))
    rise = min(0.13, 0.7 / max(tallest, 1.0))
    axes.scatter(
        binned * step,
        y + rise * heights,
        s=14 if rise > 0.08 else 6,
        color=colour,
        alpha=0.8,
        linewidths=0,
        rasterized=len(scores) > look.MANY_LINES,
    )
    median = float(np.median(scores))
    axes.plot([median, median], [y - 0.14, y + 0.6], color=colour, linewidth=1.6)


def extremes_section(account: Account) -> Section | LeftOut:
    """Give the figure with its sentences and numbers."""
    data = extremes_data(account)
    if isinstance(data, LeftOut):
        return data
    rows = tuple(
        (
            one.factor,
            kind,
            seed,
            len(scores),
            float(scores.min()),
            float(np.median(scores)),
            float(scores.max()),
            one.p_classical,
            one.p_corrected,
        )
        for one in data.factors
        for kind, seed, scores in (
            ("best", one.best, one.best_scores),
            ("worst", one.worst, one.worst_scores),
        )
    )
    headings = (
        *("factor", "which", "seed", "trials", "lowest", "median", "highest"),
        *("p_classical_chosen_after_looking", "p_corrected"),
    )
    text = shows(data, account)
    return Section(
        name="extremes",
        title=TITLE,
        shows=text,
        caution=caution(data),
        drawings=(Drawing("extremes", text, lambda: draw(data)),),
        tables=(("extremes", Table(headings, rows)),),
    )
