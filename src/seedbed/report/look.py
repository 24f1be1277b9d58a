"""How figures look: one palette, one size, and how a drawing becomes a file.

Colours are Okabe and Ito's (told apart by every kind of colour vision), darkened or
lightened so that they read on white and on near-black. Each role has one hex value of its
own in a drawing, so that a page can replace it by a CSS variable and follow light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, FAINT, PAPER = "#1d2127", "#626a75", "#d9dbe0", "#fefefd"
WIN, DONE, STOP, FAIL = "#00805e", "#2f7fb8", "#a2a9b3", "#c9541a"
FIRST, SECOND, THIRD = "#0f62a3", "#a8578b", "#9a7411"

ROLES: dict[str, tuple[str, str]] = {
    "ink": (INK, "#e9e7e2"),
    "muted": (MUTED, "#a3a9b3"),
    "faint": (FAINT, "#3a3f47"),
    "paper": (PAPER, "#16191d"),
    "win": (WIN, "#3fc59c"),
    "done": (DONE, "#66abdf"),
    "stop": (STOP, "#767e89"),
    "fail": (FAIL, "#f0894f"),
    "first": (FIRST, "#5fb0ee"),
    "second": (SECOND, "#dd93c3"),
    "third": (THIRD, "#d9b04a"),
}
"""Name of each role, its colour on light paper and on dark."""

PANEL_INCHES = (4.8, 3.1)
"""Every panel is as wide: two stand side by side on a desk, one fills a phone."""

PNG_DPI = 200
RASTER_DPI = 170
MANY_LINES = 150
"""More lines than that are drawn as one image inside the figure."""

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.parse_math": False,  # names come from the user: a $ is a $
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "seedbed",
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the page's style; the settings of matplotlib are put back afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


@dataclass(frozen=True)
class Drawing:
    """One panel: its file name, what it shows for those who cannot see it, how to draw it."""

    name: str
    alt: str
    draw: Callable[[], Figure]


def panel(inches: tuple[float, float] = PANEL_INCHES) -> tuple[Figure, Axes]:
    """Give an empty panel: object interface only, no window, nothing global."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def grid(axes: Axes, axis: Literal["x", "y"] = "y") -> None:
    """Draw faint lines behind the data."""
    axes.grid(axis=axis, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def key(axes: Axes, entries: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Name the lines above the axes, each in its own colour."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, label=text, **{"linewidth": 2.0, **how})
        for text, colour, how in entries
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=2 if len(entries) > 2 else len(entries),
        labelcolor="linecolor",
        handlelength=1.1,
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.1,
        labelspacing=0.25,
    )


def percent_axis(axis: Any) -> None:
    """Label an axis of shares 0..1 in percent."""
    axis.set_major_formatter(lambda value, place: f"{100 * value:.0f} %")


def log_axis(axes: Axes, values: Sequence[float], wanted: Sequence[float] | None = None) -> None:
    """Make x logarithmic with plain numbers at round places."""
    from matplotlib.ticker import NullFormatter, NullLocator

    low, high = min(values), max(values)
    if high < 4 * low:
        return
    axes.set_xscale("log")
    steps = (1, 2, 5) if high / low < 200 else (1,)
    round_numbers = [s * 10.0**e for e in range(-4, 7) for s in steps]
    places = [t for t in wanted or round_numbers if low * 0.999 <= t <= high * 1.001]
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(places, [f"{t:,.10g}" for t in places])


def save(drawing: Drawing, kinds: Sequence[str]) -> dict[str, bytes]:
    """Draw once and give the bytes of each of ``kinds``: svg, png, pdf."""
    found = {}
    with style():
        figure = drawing.draw()
        for kind in kinds:
            buffer = io.BytesIO()
            dates: dict[str, Any] = {"Date": None} if kind == "svg" else {}
            if kind == "pdf":
                dates = {"CreationDate": None}
            paper = "none" if kind == "svg" else PAPER
            dpi = PNG_DPI if kind == "png" else RASTER_DPI
            figure.savefig(buffer, format=kind, metadata=dates, dpi=dpi, facecolor=paper)
            found[kind] = buffer.getvalue()
            figure.set_layout_engine("none")  # the first kind's layout serves the others
    return found


def inline(svg: bytes, name: str, alt: str) -> str:
    """Make an SVG file a part of a page: own ids, colours as variables, a name to read out."""
    text = svg.decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    for role, (light, _) in ROLES.items():
        text = text.replace(light, f"var(--{role})")
    text = text.replace("font-family: 'DejaVu Sans'", "font-family: var(--sans)")
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--sans)", text)
    head, rest = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    title = alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'{head} role="img" aria-label="{title}">{rest}'
