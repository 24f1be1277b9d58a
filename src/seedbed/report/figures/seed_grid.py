"""Final scores by init and order seed, with the mean of each seed.

Legend: I init seeds, O order seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.recording import Floats
from seedbed.report.section import LeftOut, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Init seeds × order seeds"
MOST_WRITTEN = 8
"""Up to so many columns the scores are written into the cells."""

MOST_NAMED = 26
MOST_CELLS = 250_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedGrid:
    """Mean final score of each cell (NaN where none finished) and of each row and column."""

    metric: str
    inits: tuple[int, ...]
    orders: tuple[int, ...]
    scores_IO: Floats
    init_means_I: Floats
    order_means_O: Floats
    digits: int

    @property
    def held(self) -> int:
        """How many cells have a finished trial."""
        return int(np.isfinite(self.scores_IO).sum())


def seed_grid_data(account: Account) -> SeedGrid | LeftOut:
    """Arrange final scores by their two seeds."""
    recording = account.recording
    inits = tuple(sorted({c.seeds.init for c in recording.curves}))
    orders = tuple(sorted({c.seeds.order for c in recording.curves}))
    if account.analysis.init_test is None:
        why = "the finished trials' seeds do not cross (two init and two order seeds are the least)"
        return LeftOut("seed_grid", TITLE, why)
    if len(inits) * len(orders) > MOST_CELLS:
        return LeftOut("seed_grid", TITLE, f"{len(inits)} × {len(orders)} cells are too many")
    sums_IO = np.zeros((len(inits), len(orders)))
    counts_IO = np.zeros_like(sums_IO)
    rows = {seed: i for i, seed in enumerate(inits)}
    columns = {seed: o for o, seed in enumerate(orders)}
    trials = zip(recording.inits.tolist(), recording.orders.tolist(), recording.finals, strict=True)
    for init, order, final in trials:
        sums_IO[rows[init], columns[order]] += final
        counts_IO[rows[init], columns[order]] += 1
    return SeedGrid(
        metric=recording.metric,
        inits=inits,
        orders=orders,
        scores_IO=_mean(sums_IO, counts_IO),
        init_means_I=_mean(sums_IO.sum(axis=1), counts_IO.sum(axis=1)),
        order_means_O=_mean(sums_IO.sum(axis=0), counts_IO.sum(axis=0)),
        digits=account.digits,
    )


def _mean(sums: Floats, counts: Floats) -> Floats:
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def shows(data: SeedGrid) -> str:
    """Say how far the seeds' means lie apart."""
    parts = []
    for name, seeds, means in (
        ("init", data.inits, data.init_means_I),
        ("order", data.orders, data.order_means_O),
    ):
        high, low = int(np.nanargmax(means)), int(np.nanargmin(means))
        apart = words.score(float(means[high] - means[low]), data.digits)
        parts.append(f"{apart} between {name} seeds {seeds[high]} (best) and {seeds[low]} (worst)")
    return words.sentence(f"the seeds' means differ by {parts[0]} and by {parts[1]}")


def caution(data: SeedGrid, account: Account) -> str:
    """Say whether differences like these arise by chance, and what is missing."""
    init, order = account.analysis.init_test, account.analysis.order_test
    said = "best and worst were chosen after looking"
    if init is not None and order is not None:
        said += (
            "; where no seed matters, ranges as large as these arise with "
            f"{words.p_value(init.p_permutation)} (init) and "
            f"{words.p_value(order.p_permutation)} (order)"
        )
    empty = data.scores_IO.size - data.held
    if empty:
        said += (
            f"; {words.count(empty, 'cell')} of {data.scores_IO.size} hold no finished trial, and "
            "a mean over other seeds is another mean"
        )
    return words.sentence(said)


def draw(data: SeedGrid) -> Figure:
    """Draw the grid with the seeds' means along its sides."""
    rows, columns = data.scores_IO.shape
    height = min(6.5, max(2.2, 1.2 + rows * (0.32 if rows <= MOST_NAMED else 0.1)))
    figure, axes = look.panel((look.PANEL_INCHES[0], height))
    axes.set_visible(False)
    axes.remove()
    spec = figure.add_gridspec(
        2,
        2,
        width_ratios=(columns, max(1.0, columns / 9)),
        height_ratios=(max(1.0, rows / 9), rows),
    )
    low, high = float(np.nanmin(data.scores_IO)), float(np.nanmax(data.scores_IO))
    limits = (low, high if high > low else low + 1e-9)
    cells = figure.add_subplot(spec[1, 0])
    top = figure.add_subplot(spec[0, 0], sharex=cells)
    side = figure.add_subplot(spec[1, 1], sharey=cells)
    for axes, values in (
        (cells, data.scores_IO),
        (top, data.order_means_O[None, :]),
        (side, data.init_means_I[:, None]),
    ):
        _heat(axes, values, limits, data.digits, write=max(columns, 1) <= MOST_WRITTEN)
    _name_axes(cells, top, side, data)
    return figure


def _heat(
    axes: Any, values: Floats, limits: tuple[float, float], digits: int, *, write: bool
) -> None:
    from matplotlib import colormaps

    colours = colormaps["YlGnBu"].with_extremes(bad=(0, 0, 0, 0))
    axes.pcolormesh(
        np.arange(values.shape[1] + 1),
        np.arange(values.shape[0] + 1),
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=limits[0] - 0.12 * (limits[1] - limits[0]),
        vmax=limits[1] + 0.05 * (limits[1] - limits[0]),
        edgecolors=look.PAPER,
        linewidth=1.2 if values.size <= 900 else 0.2,
        rasterized=values.size > 900,
    )
    for place in np.ndindex(values.shape) if write else ():
        value = values[place]
        known = np.isfinite(value)
        dark = known and (value - limits[0]) / (limits[1] - limits[0]) > 0.55
        axes.text(
            place[1] + 0.5,
            place[0] + 0.5,
            words.score(float(value), digits),
            ha="center",
            va="center",
            fontsize=7.5,
            color="#ffffff" if dark else "#101418" if known else look.MUTED,
        )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)


def _name_axes(cells: Any, top: Any, side: Any, data: SeedGrid) -> None:
    rows, columns = data.scores_IO.shape
    cells.invert_yaxis()
    every = [max(1, -(-n // MOST_NAMED)) for n in (rows, columns)]
    shown = range(0, columns, every[1])
    if max(len(str(seed)) for seed in data.orders) * columns > 60:
        cells.tick_params(axis="x", labelrotation=90)
    cells.set_xticks([k + 0.5 for k in shown], [str(data.orders[k]) for k in shown])
    shown = range(0, rows, every[0])
    cells.set_yticks([k + 0.5 for k in shown], [str(data.inits[k]) for k in shown])
    cells.set_xlabel("order seed")
    cells.set_ylabel("init seed")
    for axes in (top, side):
        axes.tick_params(labelbottom=False, labelleft=False)
    top.set_yticks([0.5], ["mean"])
    top.tick_params(labelleft=True)
    side.set_xticks([0.5], ["mean"])
    side.tick_params(labelbottom=True)


def seed_grid_section(account: Account) -> Section | LeftOut:
    """Give the figure with its sentences and numbers."""
    data = seed_grid_data(account)
    if isinstance(data, LeftOut):
        return data
    rows = [
        (str(init), *(_cell(v) for v in data.scores_IO[i]), _cell(data.init_means_I[i]))
        for i, init in enumerate(data.inits)
    ]
    overall = float(account.recording.finals.mean())
    rows.append(("mean", *(_cell(v) for v in data.order_means_O), overall))
    headings = ("init \\ order", *(str(order) for order in data.orders), "mean")
    text = shows(data)
    return Section(
        name="seed_grid",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=(Drawing("seed_grid", text, lambda: draw(data)),),
        tables=(("seed_grid", Table(headings, tuple(rows))),),
    )


def _cell(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
