"""How good is the best of n trials, and does validating more often find better ones?

Legend: K values of n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.curves import PROGRESS_TOLERANCE
from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.recording import Floats
from seedbed.report.section import LeftOut, Section, Table
from seedbed.stats.best_intervals import BestOfN, best_of_compute, best_of_n

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "The best of n trials"
EVERY, EPOCH, END = "at every evaluation", "once an epoch", "only at the end"
SPOKEN_N = 10
MOST_RESAMPLES = 200
"""For the lines whose band is not drawn: they know a standard deviation to 5 %."""
COLOURS = {EVERY: look.FIRST, EPOCH: look.SECOND, END: look.THIRD}
DASHES = {EVERY: "-", EPOCH: (0, (5, 1.5)), END: (0, (1, 1.2))}


@dataclass(frozen=True, eq=False)
class Validated:
    """The expected best of n where trials are validated ``how``."""

    how: str
    best: BestOfN


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedBest:
    """Expected best by how often trials are validated; ``seconds_K``: what n trials take."""

    metric: str
    lines: tuple[Validated, ...]
    seconds_K: Floats | None
    missing: tuple[str, ...]

    @property
    def every(self) -> BestOfN:
        """Validated at every evaluation."""
        return self.lines[0].best

    @property
    def trusted_n(self) -> int:
        """Up to which n the intervals keep their promise."""
        return int(self.every.ns[self.every.trusted].max(initial=1))

    def estimate(self, how: str, n: int) -> float | None:
        """Give one expected best, or None where there is no such line."""
        for line in self.lines:
            if line.how == how:
                return float(line.best.estimate[line.best.ns.tolist().index(n)])
        return None


def expected_best_data(account: Account) -> ExpectedBest | LeftOut:
    """Estimate the expected best as it would be with fewer validations."""
    every, recording = account.analysis.best, account.recording
    if every is None:
        return LeftOut("expected_best", TITLE, "no trial was trained to the end")
    if every.trials < 2:
        return LeftOut("expected_best", TITLE, "one finished trial has no best of several")
    lines, missing = [Validated(EVERY, every)], []
    longest = max(len(curve.evaluations) for curve in recording.finished)
    if account.epochs is None:
        if longest > 1:
            missing.append("once an epoch (the number of epochs is not known)")
    elif account.epochs > 1:
        ends = [k / account.epochs for k in range(1, int(account.epochs) + 1)]
        per_epoch = _finals(account, lambda progress: _at_any(progress, ends))
        if not np.array_equal(per_epoch, recording.finals) or longest > len(ends):
            lines.append(Validated(EPOCH, _best_of(account, per_epoch)))
    if longest > 1:
        last = _finals(account, lambda progress: progress >= 1 - PROGRESS_TOLERANCE)
        lines.append(Validated(END, _best_of(account, last)))
    seconds_T = recording.seconds
    known = bool((seconds_T > 0).all())
    return ExpectedBest(
        metric=recording.metric,
        lines=tuple(lines),
        seconds_K=best_of_compute(every, seconds_T).costs if known else None,
        missing=tuple(missing),
    )


def _at_any(progress: float, places: list[float]) -> bool:
    last = progress >= 1 - PROGRESS_TOLERANCE
    return last or any(abs(progress - place) < 1e-6 for place in places)


def _finals(account: Account, kept: Callable[[float], bool]) -> Floats:
    """Give each finished trial's best score among the evaluations that are ``kept``."""
    return np.array(
        [
            max(e.score for e in curve.evaluations if kept(e.progress))
            for curve in account.recording.finished
        ]
    )


def _best_of(account: Account, finals_T: Floats) -> BestOfN:
    """Estimate as the analysis does, from other final scores of the same trials."""
    recording, settings = account.recording, account.analysis.settings
    every = account.analysis.best
    low, high = recording.score_range
    if not low <= finals_T.min() <= finals_T.max() <= high:
        low, high = -np.inf, np.inf
    return best_of_n(
        finals_T,
        np.arange(1, len(finals_T) + 1) if every is None else every.ns,
        init=recording.inits,
        order=recording.orders,
        support=(low, high),
        confidence=settings.confidence,
        resamples=min(settings.resamples, MOST_RESAMPLES),
        seed=settings.seed,
    )


def shows(data: ExpectedBest, account: Account) -> str:
    """Compare one trial with several, and validating often with validating once."""
    n = min(SPOKEN_N, int(data.every.ns[-1]))
    one, best, last = (data.estimate(*a) for a in ((EVERY, 1), (EVERY, n), (END, n)))
    text = f"a single trial is expected to reach {account.score(one)}, the best of {n} "
    text += account.score(best)
    if last is not None and best is not None:
        gain = best - last
        shown = account.score(gain)
        worth = "nothing here" if shown == account.score(0.0) else f"{shown} of that"
        text += f"; validating more often than at the end is worth {worth}"
    return words.sentence(text)


def caution(data: ExpectedBest, account: Account) -> str:
    """Say where the bands stop holding and what they leave out."""
    if account.stopped:
        said = (
            f"only the {data.every.trials:,} finished trials count, and where a rule chose them "
            "the whole curve lies too high"
        )
    elif data.trusted_n < int(data.every.ns[-1]):
        said = (
            f"beyond n = {data.trusted_n} (pale) these trials say too little about the best of so "
            "many, and the band is only a hint"
        )
    else:
        said = (
            f"these are validation scores: the best of many flatters itself there, and the band "
            f"({words.percent(data.every.confidence)}) does not count that"
        )
    if data.missing:
        said += f"; not drawn: {', '.join(data.missing)}"
    return words.sentence(said)


def draw_against_n(data: ExpectedBest) -> Figure:
    """Draw the expected best against the number of trials."""
    figure, axes = look.panel()
    _lines(axes, data, data.every.ns.astype(float))
    axes.set_xlabel("number of trials, n (each a full training)")
    axes.set_ylabel(f"expected best {data.metric}")
    return figure


def draw_against_compute(data: ExpectedBest) -> Figure:
    """Draw the expected best against the computing time of n trials, evaluations included."""
    figure, axes = look.panel()
    seconds_K = np.zeros(0) if data.seconds_K is None else data.seconds_K
    size, unit = _unit(float(seconds_K.max()))
    _lines(axes, data, seconds_K / size)
    axes.set_xlabel(f"computing time, {unit} (evaluations included)")
    axes.set_ylabel(f"expected best {data.metric}")
    return figure


def _unit(seconds: float) -> tuple[float, str]:
    if seconds > 2 * 3600:
        return 3600.0, "hours"
    return (60.0, "minutes") if seconds > 120 else (1.0, "seconds")


def _lines(axes: Axes, data: ExpectedBest, x_K: Floats) -> None:
    look.grid(axes)
    for line in reversed(data.lines):
        best, colour = line.best, COLOURS[line.how]
        sure = best.trusted
        hint_K = ~sure | (np.arange(len(x_K)) == np.flatnonzero(sure).max(initial=0))
        for kept_K, opacity in ((sure, 0.16), (hint_K, 0.06)):
            lower_K = np.where(np.isfinite(best.lower), best.lower, best.estimate)
            upper_K = np.where(np.isfinite(best.upper), best.upper, best.estimate)
            if line.how == EVERY and kept_K.sum() > 1:
                axes.fill_between(
                    x_K[kept_K],
                    lower_K[kept_K],
                    upper_K[kept_K],
                    color=colour,
                    alpha=opacity,
                    linewidth=0,
                )
        axes.plot(x_K[hint_K], best.estimate[hint_K], color=colour, alpha=0.4, ls=DASHES[line.how])
        axes.plot(x_K[sure], best.estimate[sure], color=colour, linewidth=2, ls=DASHES[line.how])
    look.log_axis(axes, x_K.tolist())
    axes.set_xlim(float(x_K.min()), float(x_K.max()))
    entries = [(line.how, COLOURS[line.how], {"ls": DASHES[line.how]}) for line in data.lines]
    look.key(axes, entries if len(entries) > 1 else [])


def expected_best_section(account: Account) -> Section | LeftOut:
    """Give the figure with its sentences and numbers."""
    data = expected_best_data(account)
    if isinstance(data, LeftOut):
        return data
    text = shows(data, account)
    drawings = [Drawing("expected_best_n", text, lambda: draw_against_n(data))]
    if data.seconds_K is not None:
        drawings.append(Drawing("expected_best_compute", text, lambda: draw_against_compute(data)))
    seconds = [None] * len(data.every.ns) if data.seconds_K is None else data.seconds_K.tolist()
    rows = tuple(
        (line.how, int(n), float(e), _known(low), _known(high), bool(sure), cost)
        for line in data.lines
        for n, e, low, high, sure, cost in zip(
            line.best.ns,
            line.best.estimate,
            line.best.lower,
            line.best.upper,
            line.best.trusted,
            seconds,
            strict=True,
        )
    )
    headings = ("validated", "n", "expected_best", "lower", "upper", "trusted", "seconds")
    return Section(
        name="expected_best",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=tuple(drawings),
        tables=(("expected_best", Table(headings, rows)),),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
