"""What stopping early saved, and which rule the planner would choose for other budgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.report import look, words
from seedbed.report.account import Account
from seedbed.report.look import Drawing
from seedbed.report.recording import Recording
from seedbed.report.rules import plan_rule
from seedbed.report.section import LeftOut, Section, Table
from seedbed.stopping.budget import Rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Stopping early"
BUDGETS = (1, 2, 3, 5, 10, 20, 30)
FEWEST_SHOWN = 2
MOST_PLANNED = 256
"""More finished trials are thinned out before planning: seconds, not minutes."""


@dataclass(frozen=True)
class Saved:
    """Training spent and not spent; ``alive``: (progress, trials that went further)."""

    spent: float
    full: float
    stopped: int
    alive: tuple[tuple[float, int], ...]

    @property
    def share(self) -> float:
        """Which share of the full cost was saved."""
        return 1 - self.spent / self.full


@dataclass(frozen=True)
class Promise:
    """What the planner's rule for a budget is expected to earn on fresh trials."""

    budget: float
    rule: Rule
    expected: float
    baseline: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Stopping:
    """What was saved (None: nothing was stopped), and the planner's promises by budget."""

    metric: str
    saved: Saved | None
    promises: tuple[Promise, ...]
    planned_on: int


def stopping_data(account: Account) -> Stopping | LeftOut:
    """Measure what was saved and ask the planner for each budget that the trials allow."""
    saved = _saved(account) if account.stopped else None
    few = _few(account.recording)
    promises = _promises(few, account)
    if saved is None and len(promises) < FEWEST_SHOWN:
        finished = words.count(len(account.recording.finished), "finished trial")
        why = f"no trial was stopped, and {finished} cannot tell which rule is good"
        return LeftOut("stopping", TITLE, why)
    return Stopping(account.recording.metric, saved, promises, len(few.finished))


def _saved(account: Account) -> Saved:
    reached = sorted(
        (c.progress, c.trial in account.going and not c.finished) for c in account.recording.curves
    )
    ends = np.array([progress for progress, going in reached if not going])
    places = [0.0, *sorted({float(p) for p in ends})]
    return Saved(
        spent=float(ends.sum()),
        full=float(len(ends)),
        stopped=account.stopped,
        alive=tuple((place, int((ends > place + 1e-9).sum())) for place in places),
    )


def _few(recording: Recording) -> Recording:
    """Give at most about MOST_PLANNED trials: the first seeds of each factor, a smaller grid."""
    finished = recording.finished
    share = (MOST_PLANNED / max(1, len(finished))) ** 0.5
    if share >= 1:
        return recording
    kept = []
    for seeds in (recording.inits, recording.orders):
        unique = np.unique(seeds)
        kept.append(set(unique[: max(2, round(share * len(unique)))].tolist()))
    few = [c for c in finished if c.seeds.init in kept[0] and c.seeds.order in kept[1]]
    # Seeds that never repeat make no grid: then the first trials are as good as any.
    return replace(
        recording, curves=tuple(few if len(few) > MOST_PLANNED / 2 else finished[:MOST_PLANNED])
    )


def _promises(recording: Recording, account: Account) -> tuple[Promise, ...]:
    found = []
    settings = account.analysis.settings
    for budget in BUDGETS:
        if len(recording.finished) < max(4, 2 * budget):
            break
        try:
            planned = plan_rule(
                recording, budget, confidence=settings.confidence, seed=settings.seed
            )
        except InputError:  # trials evaluated at different points cannot be replayed
            return ()
        promise = planned.promise
        if promise is not None:
            found.append(
                Promise(
                    budget,
                    planned.rule,
                    promise.expected,
                    promise.baseline,
                    promise.lower,
                    promise.upper,
                )
            )
    return tuple(found)


def describe(rule: Rule) -> str:
    """Say a rule in words."""
    if rule.start == rule.keep:
        return f"train {rule.start} to the end"
    return f"start {rule.start}, keep {rule.keep} at {words.percent(rule.at)}"


def shows(data: Stopping, account: Account) -> str:
    """Say what was saved and what the planner advises."""
    parts = []
    if data.saved is not None:
        was = "trial" if data.saved.stopped == 1 else "trials"
        parts.append(
            f"stopping {data.saved.stopped:,} {was} early cost {words.number(data.saved.spent)} "
            f"full trials instead of {words.number(data.saved.full)}, "
            f"{words.percent(data.saved.share)} less"
        )
    if data.promises:
        one = _middle(data.promises)
        gain = one.expected - one.baseline
        verb = "earns" if gain >= 0 else "loses"
        parts.append(
            f"for a budget of {words.number(one.budget)} the planner would {describe(one.rule)}, "
            f"which {verb} {account.score(abs(gain))} against {words.number(one.budget)} full "
            f"{'trial' if one.budget == 1 else 'trials'}"
        )
    return words.sentence("; ".join(parts))


def _middle(promises: tuple[Promise, ...]) -> Promise:
    return next((p for p in promises if p.budget == 5), promises[-1])


def caution(data: Stopping, account: Account) -> str:
    """Say what the promise rests on."""
    if data.saved is not None and not data.promises:
        return (
            f"What the stopped trials would have reached is unknown, and "
            f"{words.count(len(account.recording.finished), 'finished trial')} are too few to say "
            "which rule is good."
        )
    if data.saved is not None:
        return (
            "The planner sees the finished trials only, which the rule chose: what it promises "
            "for other budgets is too good."
        )
    sure = [p for p in data.promises if p.lower > p.baseline]
    finished = words.count(data.planned_on, "finished trial")
    if data.planned_on < len(account.recording.finished):
        finished += f" (of {len(account.recording.finished):,})"
    if not sure:
        return (
            f"At no budget is the gain larger than what {finished} can tell: every interval "
            "includes the score of full trials."
        )
    return (
        f"Rules are chosen and scored on different halves of {finished}; another recipe or task "
        "has other curves and another best rule."
    )


def draw_saved(data: Stopping) -> Figure:
    """Draw how many trials were still trained at each share of training."""
    figure, axes = look.panel((look.PANEL_INCHES[0], 3.3))
    saved = data.saved or Saved(0.0, 1.0, 0, ())
    x = [place for place, _ in saved.alive]
    y = [float(left) for _, left in saved.alive]
    x, y = ([*x, 1.0], [*y, y[-1]]) if x and x[-1] < 1 else (x, y)
    axes.fill_between(x, y, step="post", color=look.DONE, alpha=0.3, linewidth=0)
    axes.fill_between(x, y, saved.full, step="post", color=look.STOP, alpha=0.16, linewidth=0)
    axes.step(x, y, where="post", color=look.DONE, linewidth=1.8)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, saved.full * 1.02)
    last = next((left for place, left in reversed(saved.alive) if left), 0)
    axes.text(
        0.03,
        saved.full * 0.06,
        f"spent: {words.number(saved.spent)} full trials",
        color=look.DONE,
        fontsize=9.5,
    )
    axes.text(
        0.97,
        (saved.full + last) / 2,
        f"saved: {words.number(saved.full - saved.spent)}",
        color=look.MUTED,
        fontsize=9.5,
        ha="right",
        va="center",
    )
    look.percent_axis(axes.xaxis)
    axes.set_xlabel("share of training")
    axes.set_ylabel("trials still trained")
    return figure


def draw_promises(data: Stopping) -> Figure:
    """Draw what the planner's rule earns at each budget, against full trials."""
    figure, axes = look.panel((look.PANEL_INCHES[0], 3.3))
    look.grid(axes)
    budgets = [p.budget for p in data.promises]
    axes.fill_between(
        budgets,
        [p.lower for p in data.promises],
        [p.upper for p in data.promises],
        color=look.WIN,
        alpha=0.14,
        linewidth=0,
    )
    for values, colour, dash in (
        ([p.baseline for p in data.promises], look.MUTED, (0, (4, 2))),
        ([p.expected for p in data.promises], look.WIN, "-"),
    ):
        axes.plot(budgets, values, color=colour, linestyle=dash, marker="o", markersize=4)
    look.log_axis(axes, budgets, BUDGETS)
    if len(budgets) > 1 and axes.get_xscale() == "linear":
        axes.set_xticks(budgets, [words.number(b) for b in budgets])
    axes.set_xlabel("budget, in full trials")
    axes.set_ylabel(f"expected {data.metric}")
    look.key(
        axes,
        [
            ("the planner's rule", look.WIN, {}),
            ("full trials only", look.MUTED, {"linestyle": (0, (4, 2))}),
        ],
    )
    return figure


def stopping_section(account: Account) -> Section | LeftOut:
    """Give the figures with their sentences and numbers."""
    data = stopping_data(account)
    if isinstance(data, LeftOut):
        return data
    text, drawings, tables = shows(data, account), [], []
    if data.saved is not None:
        drawings.append(Drawing("saved", text, lambda: draw_saved(data)))
        tables.append(("saved", Table(("progress", "trials_going_further"), data.saved.alive)))
    if len(data.promises) >= FEWEST_SHOWN:
        drawings.append(Drawing("plans", text, lambda: draw_promises(data)))
    if data.promises:
        headings = ("budget", "start", "at", "keep", "expected", "lower", "upper", "full_trials")
        rows = tuple(
            (
                p.budget,
                p.rule.start,
                p.rule.at,
                p.rule.keep,
                p.expected,
                p.lower,
                p.upper,
                p.baseline,
            )
            for p in data.promises
        )
        tables.append(("plans", Table(headings, rows)))
    return Section(
        name="stopping",
        title=TITLE,
        shows=text,
        caution=caution(data, account),
        drawings=tuple(drawings),
        tables=tuple(tables),
    )
