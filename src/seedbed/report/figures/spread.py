"""Where the spread between trials comes from, the luck of the validation split among it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.section import LeftOut, Section, Table
from seedbed.stats.validation_noise import ValidationNoise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Where the spread comes from"
LUCK = "validation luck"
FEWEST_SEEDS = 5


@dataclass(frozen=True)
class Share:
    """A source's share of the variance between trials, 0..1, with an interval where known."""

    source: str
    share: float
    lower: float | None = None
    upper: float | None = None
    sd: float | None = None


@dataclass(frozen=True)
class Spread:
    """The parts (they sum to 1) and, of the spread at the last evaluation, validation luck."""

    parts: tuple[Share, ...]
    luck: Share | None
    total_sd: float
    confidence: float | None
    seeds: tuple[int, int]


def spread_data(account: Account) -> Spread | LeftOut:
    """Collect the shares; the validation luck's is noise over observed variance."""
    found, noise = account.analysis.variance, account.analysis.noise
    luck = _luck(noise)
    total = account.analysis.total_variance
    if total is None or (found is None and luck is None):
        why = "the finished trials' seeds do not cross, and no predictions are stored"
        if total is None:
            why = "fewer than two trials were trained to the end"
        return LeftOut("spread", TITLE, why)
    if total <= 0:
        return LeftOut("spread", TITLE, "all finished trials have the same score")
    parts: tuple[Share, ...] = ()
    if found is not None:
        parts = tuple(
            Share(name, part.share, part.share_lower, part.share_upper, part.variance**0.5)
            for name, part in (
                ("init seed", found.init),
                ("order seed", found.order),
                ("the rest", found.rest),
            )
        )
    recording = account.recording
    return Spread(
        parts=parts,
        luck=luck,
        total_sd=total**0.5,
        confidence=None if found is None else found.confidence,
        seeds=(len(set(recording.inits.tolist())), len(set(recording.orders.tolist()))),
    )


def _luck(noise: ValidationNoise | None) -> Share | None:
    if noise is None or noise.observed_sd <= 0:
        return None
    return Share(LUCK, (noise.noise_sd / noise.observed_sd) ** 2, sd=noise.noise_sd)


def shows(data: Spread, account: Account) -> str:
    """Give each source's share, and how much is the validation split's luck."""
    said = []
    if data.parts:
        init, order, rest = data.parts
        said.append(
            f"init seeds make {_with_interval(init)} of the variance between trials, order seeds "
            f"{_with_interval(order)}, the rest {words.percent(rest.share)}"
        )
    if data.luck is not None:
        if data.luck.share >= 1:
            luck = "the luck of the validation split alone explains all of the spread"
        else:
            share = words.percent(data.luck.share)
            luck = f"the luck of the validation split alone would make {share}"
        said.append(luck)
    total = words.score(data.total_sd, account.digits + 1)
    return words.sentence("; ".join(said) + f" (standard deviation {total})")


def _with_interval(share: Share) -> str:
    if share.lower is None or share.upper is None:
        return words.percent(share.share)
    ends = [words.percent(end).removesuffix(" %") for end in (share.lower, share.upper)]
    return f"{words.percent(share.share)} ({ends[0]}–{ends[1]} %)"


def caution(data: Spread, account: Account) -> str:
    """Say what makes the shares rough or too small."""
    if account.stopped:
        return (
            f"{words.count(account.stopped, 'trial')} did not reach the end; where a rule chose "
            "who finishes, the spread among the finished is smaller than that of all."
        )
    if data.parts and min(data.seeds) < FEWEST_SEEDS:
        return (
            f"With {data.seeds[0]} init and {data.seeds[1]} order seeds each share is known only "
            "roughly: read the intervals, not the points."
        )
    if account.failed and data.parts:
        return (
            f"The {words.count(len(account.failed), 'failed trial')} count here, and a few "
            "failures can make most of the variance."
        )
    if data.luck is None:
        return (
            "No predictions are stored, so how much of this is only the luck of the validation "
            "split is not known."
        )
    return (
        "Dropout and the interaction of the two seeds are in the rest; the shares hold for this "
        "model, task and recipe only."
    )


def draw(data: Spread) -> Figure:
    """Draw each share with its interval; the validation luck below, for it overlaps the others."""
    shares = [*data.parts, *([data.luck] if data.luck else [])]
    figure, axes = look.panel((look.PANEL_INCHES[0], 0.75 + 0.48 * len(shares)))
    look.grid(axes, "x")
    for k, share in enumerate(shares):
        y = -k - (0.35 if share.source == LUCK and data.parts else 0)
        colour = look.THIRD if share.source == LUCK else look.FIRST
        axes.plot(
            [0, min(share.share, 1)],
            [y, y],
            color=colour,
            linewidth=9,
            alpha=0.28,
            solid_capstyle="butt",
        )
        if share.lower is not None and share.upper is not None:
            axes.plot([share.lower, share.upper], [y, y], color=colour, linewidth=1.4)
        axes.plot(min(share.share, 1), y, "o", color=colour, markersize=6)
        axes.text(1.04, y, words.percent(share.share), va="center", color=colour, fontsize=9)
        axes.text(-0.03, y, share.source, va="center", ha="right", color=look.INK)
    if data.luck and data.parts:
        axes.axhline(-len(data.parts) + 0.33, color=look.FAINT, linewidth=0.8)
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(shares) - 0.05 + (0.3 if not data.luck else 0), 0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    look.percent_axis(axes.xaxis)
    axes.set_xlabel("share of the variance between trials")
    return figure


def spread_section(account: Account) -> Section | LeftOut:
    """Give the figure with its sentences and numbers."""
    data = spread_data(account)
    if isinstance(data, LeftOut):
        return data
    shares = [*data.parts, *([data.luck] if data.luck else [])]
    rows = tuple((s.source, s.share, s.lower, s.upper, s.sd) for s in shares)
    headings = ("source", "share", "share_lower", "share_upper", "standard_deviation")
    text = shows(data, account)
    return Section(
        name="spread",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=(Drawing("spread", text, lambda: draw(data)),),
        tables=(("spread", Table(headings, rows)),),
    )
