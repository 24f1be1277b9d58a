"""Do early scores predict late ones, and how early is the winner safe?

Legend: E evaluations, K numbers of kept trials.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.recording import Floats
from seedbed.report.section import LeftOut, Section, Table
from seedbed.stats.early_late import RankCorrelations, WinnerKept

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Early and late"
QUARTER = 0.25
SURE = 0.9
MOST_KEPT_LINES = 4


@dataclass(frozen=True, eq=False)
class EarlyAndLate:
    """Rank correlations [E, E] and the chances [E, K] that the winner is kept."""

    progress_E: Floats
    correlations: RankCorrelations | None
    kept: WinnerKept | None

    @property
    def quarter(self) -> int:
        """The evaluation nearest a quarter of training."""
        return int(np.abs(self.progress_E - QUARTER).argmin())

    @property
    def half(self) -> int | None:
        """The kept number nearest half of the started trials."""
        if self.kept is None:
            return None
        return int(np.abs(self.kept.keeps - self.kept.started / 2).argmin())

    def safe_from(self) -> float | None:
        """Give the earliest progress from which on half of the trials hold the winner."""
        if self.kept is None or self.half is None:
            return None
        place = self.kept.earliest(int(self.kept.keeps[self.half]), SURE)
        return None if place is None else float(self.progress_E[place])


def early_late_data(account: Account) -> EarlyAndLate | LeftOut:
    """Take the correlations and chances from the analysis."""
    found = account.analysis.early_late
    if len(found.progress_E) < 2:
        why = "no trial was trained to the end"
        if len(found.progress_E) == 1:
            why = "each trial has one common evaluation, so there is no early and late"
        return LeftOut("early_late", TITLE, why)
    if found.correlations is None and found.kept is None:
        why = f"{words.count(len(account.recording.finished), 'finished trial')} cannot be ranked"
        return LeftOut("early_late", TITLE, why)
    return EarlyAndLate(found.progress_E, found.correlations, found.kept)


def shows(data: EarlyAndLate) -> str:
    """Give the correlation at a quarter of training and where the winner is safe."""
    parts = []
    if data.correlations is not None:
        e, pairs = data.quarter, data.correlations
        rho = float(pairs.spearman[e, -1])
        if np.isfinite(rho):
            parts.append(
                f"ranks at {words.percent(float(data.progress_E[e]))} of training correlate "
                f"{words.score(rho, 2)} with the final ones "
                f"({words.between(float(pairs.lower[e, -1]), float(pairs.upper[e, -1]), 2)})"
            )
    if data.kept is not None and data.half is not None:
        keep, safe = int(data.kept.keeps[data.half]), data.safe_from()
        when = (
            "only at the very end"
            if safe is None or safe >= 1
            else (f"from {words.percent(safe)} of training on")
        )
        parts.append(
            f"keeping the best {keep} of {data.kept.started} keeps the later winner "
            f"{words.percent(SURE)} of the time {when}"
        )
    return words.sentence("; ".join(parts) or "all trials have equal scores, nothing is ranked")


def caution(data: EarlyAndLate, account: Account) -> str:
    """Say which trials are not in it, or how rough it is."""
    finished = len(account.recording.finished)
    if account.stopped:
        return (
            f"Only the {finished:,} finished trials are here: where a rule stopped the weak ones "
            "early, the correlation among the rest is too low."
        )
    if account.failed:
        return (
            f"{words.count(len(account.failed), 'failed trial')} count too, and failures that are "
            "last early and late make the correlation look high."
        )
    if finished < 20:
        return (
            f"With {words.count(finished, 'trial')} a correlation is known only roughly: the "
            "interval of the first one is in the sentence above."
        )
    return "A recipe with another learning rate or length has another map."


def draw_map(data: EarlyAndLate) -> Figure:
    """Draw the rank correlation of every pair of evaluations."""
    from matplotlib import colormaps

    figure, axes = look.panel((look.PANEL_INCHES[0], 3.9))
    rho_EE = np.zeros((0, 0)) if data.correlations is None else data.correlations.spearman
    edges = np.concatenate([[0.0], data.progress_E])
    drawn: Any = axes.pcolormesh(
        edges,
        edges,
        np.ma.masked_invalid(rho_EE),
        cmap=colormaps["YlGnBu"].with_extremes(bad=(0, 0, 0, 0)),
        vmin=min(0.0, float(np.nanmin(rho_EE, initial=0.0))),
        vmax=1.0,
        edgecolors=look.PAPER,
        linewidth=0.5 if rho_EE.size <= 400 else 0.0,
        rasterized=rho_EE.size > 900,
    )
    bar: Any = figure.colorbar(drawn, ax=axes, shrink=0.85, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_label("rank correlation over trials")
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        look.percent_axis(axis)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("ranked early at")
    axes.set_ylabel("ranked late at")
    return figure


def draw_kept(data: EarlyAndLate) -> Figure:
    """Draw the chance that the final winner is among the best at each evaluation."""
    figure, axes = look.panel((look.PANEL_INCHES[0], 3.9))
    look.grid(axes)
    kept = data.kept
    keeps = [] if kept is None else kept.keeps.tolist()
    shown = sorted(
        {0, len(keeps) - 1, *np.linspace(0, len(keeps) - 1, MOST_KEPT_LINES).astype(int)}
    )
    heights = _spread_out([0.0 if kept is None else float(kept.probability[0, k]) for k in shown])
    for place, k in enumerate(shown):
        chance_E = np.zeros(0) if kept is None else kept.probability[:, k]
        opacity = 0.35 + 0.65 * (place + 1) / len(shown)
        axes.plot(data.progress_E, chance_E, color=look.FIRST, alpha=opacity, linewidth=1.8)
        axes.annotate(
            f"best {keeps[k]}",
            (float(data.progress_E[0]), heights[place]),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
            color=look.FIRST,
            alpha=max(opacity, 0.75),
        )
    axes.axhline(SURE, color=look.MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set_xlim(-0.14, 1.0)
    axes.set_ylim(0, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    look.percent_axis(axes.xaxis)
    look.percent_axis(axes.yaxis)
    axes.set_xlabel("share of training at which trials are ranked")
    axes.set_ylabel(f"winner of {0 if kept is None else kept.started} still kept")
    return figure


def _spread_out(heights: list[float], apart: float = 0.05) -> list[float]:
    """Move labels up until none covers the one below."""
    moved = list(heights)
    for lower, upper in itertools.pairwise(sorted(range(len(moved)), key=moved.__getitem__)):
        moved[upper] = max(moved[upper], moved[lower] + apart)
    return moved


def early_late_section(account: Account) -> Section | LeftOut:
    """Give the figures with their sentences and numbers."""
    data = early_late_data(account)
    if isinstance(data, LeftOut):
        return data
    text, drawings, tables = shows(data), [], []
    shares = [f"{100 * p:.6g}%" for p in data.progress_E]
    if data.correlations is not None:
        drawings.append(Drawing("early_late_map", text, lambda: draw_map(data)))
        rows = [
            (share, *(_cell(v) for v in row))
            for share, row in zip(shares, data.correlations.spearman, strict=True)
        ]
        tables.append(("early_late", Table(("progress", *shares), tuple(rows))))
    if data.kept is not None:
        drawings.append(Drawing("winner_kept", text, lambda: draw_kept(data)))
        headings = (
            "progress",
            *(f"best {keep} of {data.kept.started}" for keep in data.kept.keeps),
        )
        rows = [
            (share, *(float(v) for v in row))
            for share, row in zip(shares, data.kept.probability, strict=True)
        ]
        tables.append(("winner_kept", Table(headings, tuple(rows))))
    return Section(
        name="early_late",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=tuple(drawings),
        tables=tuple(tables),
    )


def _cell(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
