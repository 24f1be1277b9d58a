"""A part of the report: a figure with its two sentences and its numbers, or why it is left out."""

from __future__ import annotations

from dataclasses import dataclass

from seedbed.report.look import Drawing

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure: a heading for each column, rows of plain values."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A figure: what it shows here, when not to trust it, its panels and its numbers."""

    name: str
    title: str
    shows: str
    caution: str
    drawings: tuple[Drawing, ...]
    tables: tuple[tuple[str, Table], ...]


@dataclass(frozen=True)
class LeftOut:
    """A figure that these trials cannot support, and why."""

    name: str
    title: str
    why: str
