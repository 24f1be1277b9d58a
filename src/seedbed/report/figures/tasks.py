"""Are the same init seeds good on several tasks?

Legend: K tasks, I init seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedbed.core.errors import clipped
from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.across_tasks import AcrossTasks
from seedbed.report.look import Drawing
from seedbed.report.section import Cell, LeftOut, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "The same init seeds on other tasks"
MOST_SHOWN = 25


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedRanks:
    """Rank of each init seed on each task (1 is best) [I, K], seeds best first."""

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    mean_ranks: tuple[float, ...]
    ranks_IK: NDArray[np.float64]
    w: float
    p: float


def seed_ranks_data(across: AcrossTasks | None, accounts: Sequence[Account]) -> SeedRanks | LeftOut:
    """Order the seeds by their mean rank over tasks."""
    found = None if across is None else across.result
    if across is None or found is None:
        why = "fewer than two init seeds finished with common order seeds on every task"
        return LeftOut("tasks", TITLE, why)
    order = np.argsort(found.mean_ranks, kind="stable")
    ranks_KI = np.array([_ranks(account, across.seeds) for account in accounts])
    return SeedRanks(
        tasks=tuple(account.title for account in accounts),
        seeds=tuple(across.seeds[i] for i in order),
        mean_ranks=tuple(float(found.mean_ranks[i]) for i in order),
        ranks_IK=ranks_KI.T[order],
        w=float(found.w),
        p=float(found.p_permutation),
    )


def _ranks(account: Account, seeds: tuple[int, ...]) -> NDArray[np.float64]:
    """Rank the seeds of one task by their mean over the order seeds that all of them met."""
    recording = account.recording
    met = {s: set(recording.orders[recording.inits == s].tolist()) for s in seeds}
    shared = set.intersection(*met.values())
    kept = np.isin(recording.orders, sorted(shared))
    means = np.array([recording.finals[kept & (recording.inits == s)].mean() for s in seeds])
    below = (means[:, None] < means[None, :]).sum(axis=1)
    equal = (means[:, None] == means[None, :]).sum(axis=1)
    return np.asarray(1.0 + below + (equal - 1) / 2.0)


def shows(data: SeedRanks) -> str:
    """Say whether tasks agree, and which seed is best on average."""
    agree = "agree" if data.p < 0.05 else "do not agree more than chance"
    return words.sentence(
        f"{len(data.tasks)} tasks {agree} about which of {len(data.seeds)} init seeds are good "
        f"(Kendall's W {words.score(data.w, 2)}, {words.p_value(data.p)}); seed {data.seeds[0]} "
        f"has the best mean rank, {words.number(data.mean_ranks[0])}"
    )


def caution(data: SeedRanks) -> str:
    """Say what a good rank cannot promise."""
    if data.p >= 0.05:
        return (
            "With no agreement a seed at the top of this list is there by chance: do not reuse it."
        )
    return (
        f"The list was sorted after looking, so its top flatters itself; a seed that was good on "
        f"{len(data.tasks)} tasks need not be good with another model or head."
    )


def draw(data: SeedRanks) -> Figure:
    """Draw the ranks as a table of colours, best seeds first."""
    from matplotlib import colormaps

    shown = data.ranks_IK[:MOST_SHOWN]
    figure, axes = look.panel((look.PANEL_INCHES[0], 1.2 + 0.22 * len(shown)))
    axes.pcolormesh(
        np.arange(shown.shape[1] + 1),
        np.arange(len(shown) + 1),
        shown,
        cmap=colormaps["YlGnBu"].reversed(),
        vmin=1 - 0.1 * len(data.seeds),
        vmax=len(data.seeds) * 1.1,
        edgecolors=look.PAPER,
        linewidth=1.2,
    )
    for i, k in np.ndindex(shown.shape):
        dark = shown[i, k] < 0.45 * len(data.seeds)
        text = words.number(float(shown[i, k]))
        colour = "#ffffff" if dark else "#101418"
        axes.text(k + 0.5, i + 0.5, text, ha="center", va="center", fontsize=7.5, color=colour)
    axes.invert_yaxis()
    axes.set_xticks(np.arange(shown.shape[1]) + 0.5, [clipped(task, 14) for task in data.tasks])
    axes.set_yticks(np.arange(len(shown)) + 0.5, [str(s) for s in data.seeds[: len(shown)]])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_ylabel("init seed, best mean rank first")
    axes.set_xlabel("rank of the seed on each task (1 is best)")
    return figure


def tasks_section(across: AcrossTasks | None, accounts: Sequence[Account]) -> Section | LeftOut:
    """Give the figure with its sentences and numbers."""
    data = seed_ranks_data(across, accounts)
    if isinstance(data, LeftOut):
        return data
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (str(seed), mean, *(float(r) for r in ranks))
        for seed, mean, ranks in zip(data.seeds, data.mean_ranks, data.ranks_IK, strict=True)
    )
    text = shows(data)
    return Section(
        name="tasks",
        title=TITLE,
        shows=text,
        caution=caution(data),
        drawings=(Drawing("tasks", text, lambda: draw(data)),),
        tables=(("init_seeds", Table(("init_seed", "mean_rank", *data.tasks), rows)),),
    )
