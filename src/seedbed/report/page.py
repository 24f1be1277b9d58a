"""The page: every account's sections in one HTML file that needs nothing else.

Account ─▶ sections (figure, two sentences, numbers) ─▶ drawings ─▶ index.html
                                                    ├▶ figures/*.svg, png, pdf
                                                    └▶ tables/*.csv, tex
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.core.errors import clipped, printable
from seedbed.core.units import duration
from seedbed.report import look, words
from seedbed.report.account import Account, Fate
from seedbed.report.across_tasks import AcrossTasks
from seedbed.report.figures.curves import curves_section
from seedbed.report.figures.early_late import early_late_section
from seedbed.report.figures.expected_best import expected_best_section
from seedbed.report.figures.extremes import extremes_section
from seedbed.report.figures.honest import honest_section
from seedbed.report.figures.seed_grid import seed_grid_section
from seedbed.report.figures.spread import spread_section
from seedbed.report.figures.stopping import stopping_section
from seedbed.report.figures.tasks import tasks_section
from seedbed.report.section import Cell, LeftOut, Section, Table

GENERATOR = "seedbed report"
"""How a page says that it may be written anew."""

SECTIONS = (
    curves_section,
    honest_section,
    expected_best_section,
    stopping_section,
    early_late_section,
    spread_section,
    seed_grid_section,
    extremes_section,
)
"""In the order of the page: first what happened and what to trust, then why."""

MOST_ROWS, MOST_COLUMNS = 60, 12
"""Larger tables are files only."""


@dataclass(frozen=True)
class Part:
    """One task's part of the page; ``slug`` names it in addresses and folders ("": alone)."""

    slug: str
    account: Account | None
    sections: tuple[Section, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Report:
    """All of a page; ``about`` says where it comes from."""

    title: str
    about: str
    parts: tuple[Part, ...]


def report_of(accounts: Sequence[Account], across: AcrossTasks | None, about: str) -> Report:
    """Compute every figure that the accounts can support."""
    several = len(accounts) > 1
    parts = []
    slugs: set[str] = set()
    if several:
        parts.append(_part("all-tasks", None, [tasks_section(across, accounts)]))
        slugs.add("all-tasks")
    for account in accounts:
        slug = _slug(account.title, slugs) if several else ""
        slugs.add(slug)
        parts.append(_part(slug, account, [section(account) for section in SECTIONS]))
    title = "Luck and its account" if several else accounts[0].title
    return Report(title, about, tuple(parts))


def _part(slug: str, account: Account | None, found: Sequence[Section | LeftOut]) -> Part:
    return Part(
        slug,
        account,
        tuple(one for one in found if isinstance(one, Section)),
        tuple(one for one in found if isinstance(one, LeftOut)),
    )


def _slug(text: str, taken: set[str]) -> str:
    """Make a name for addresses and folders: a-z, 0-9 and -, unique."""
    base = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "task"
    name, k = base, 1
    while name in taken:
        k += 1
        name = f"{base}-{k}"
    return name


def render(report: Report, drawn: dict[tuple[str, str], bytes]) -> str:
    """Fill the page; ``drawn`` holds each panel's SVG by (slug, name)."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seedbed.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = shown_cell

    def svg(part: Part, name: str, alt: str) -> str:
        prefix = f"{part.slug}-{name}" if part.slug else name
        return look.inline(drawn[part.slug, name], prefix, readable(alt))

    return environment.get_template("page.html").render(
        report=report,
        generator=GENERATOR,
        roles=look.ROLES,
        svg=svg,
        tiles=tiles,
        headline=headline,
        facts=facts,
        small=_small,
        readable=readable,
        unbroken=unbroken,
    )


def unbroken(text: str) -> str:
    """Keep a number and its unit on one line."""
    return readable(text).replace(" %", "\N{NO-BREAK SPACE}%").replace("= ", "=\N{NO-BREAK SPACE}")


def readable(text: str) -> str:
    """Make text safe to show: what a terminal or a parser would act upon is escaped."""
    return printable(text).encode("utf-8", "replace").decode("utf-8")


def headline(account: Account) -> str:
    """Say in one sentence what came out."""
    started = account.recording.started
    if account.winner is None:
        return f"No score yet: {words.count(started, 'trial')} started."
    best = account.winner.best()
    seeds = account.winner.seeds
    of = "the only trial" if started == 1 else f"the best of {started:,} trials"
    text = f"{account.score(best.score if best else None)} {account.recording.metric}, {of}: "
    return f"{text}init seed {seeds.init}, order seed {seeds.order}."


def tiles(account: Account) -> list[tuple[str, str, str]]:
    """Give the numbers to look at first: name, value, what to know about it."""
    recording, honest = account.recording, account.analysis.optimism
    best = account.winner.best() if account.winner else None
    found = [("Winner", account.score(best.score if best else None), "on the split that chose it")]
    if honest is not None:
        interval = words.between(honest.lower, honest.upper, account.digits)
        found.append(("Honest estimate", account.score(honest.honest), f"{interval} on new data"))
    if len(recording.finals):
        ordered = sorted(recording.finals.tolist())
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        said = f"of {words.count(len(ordered), 'finished trial')}"
        found.append(("Median", account.score(middle), said))
    found.append(("Trials started", f"{recording.started:,}", _ends(account)))
    found.append(("Training spent", words.number(recording.spent), _spent(account)))
    return found


def _ends(account: Account) -> str:
    failed = "diverged" if account.analysis.failed is None else "failed"
    sound = sum(curve.trial not in account.failed for curve in account.recording.finished)
    ends = {
        "trained to the end": sound,
        "stopped early": account.stopped,
        failed: len(account.failed),
        "not ended yet": account.with_fate(Fate.GOING),
    }
    return ", ".join(f"{number:,} {end}" for end, number in ends.items() if number)


def _spent(account: Account) -> str:
    seconds = sum(c.evaluations[-1].seconds for c in account.recording.curves if c.evaluations)
    if seconds <= 0:
        return "full trials"
    return f"full trials, {duration(seconds)} of computing"


def facts(account: Account) -> list[tuple[str, str]]:
    """Give what the trials have in common, by name."""
    majority = account.recording.majority
    known = {"metric": account.recording.metric, **account.facts}
    if majority is not None:
        known["majority class scores"] = account.score(majority)
    return [(name, clipped(value)) for name, value in known.items()]


def _small(table: Table) -> bool:
    return len(table.rows) <= MOST_ROWS and len(table.headings) <= MOST_COLUMNS


def shown_cell(value: Cell) -> str:
    """Show a number of a table as a person reads it."""
    if value is None:
        return words.DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return words.score(value, 4) if abs(value) < 100 else f"{value:,.0f}"
    return readable(str(value))
