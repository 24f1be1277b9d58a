"""Cells of a table become numbers; one that is none is an InputError that names its row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from seedbed.core.errors import clipped
from seedbed.store.table_files import Columns

Value = TypeVar("Value")


def whole_numbers(columns: Columns, name: str, low: int, high: int) -> list[int]:
    """Read a column of integers between ``low`` and ``high``, ends included."""
    allowed = f"whole numbers from {low}" + ("" if high >= 2**53 else f" to {high}")
    found: list[int] = []
    cells = columns.cells[name]
    for k, value in enumerate(_parsed(cells, _whole)):
        if value is None or not low <= value <= high:
            cell = cells[k]
            problem = f"the {name} is no such number" if value is not None else _problem(name, cell)
            columns.fail(problem, _alike(columns, name, k), given=_shown(cell), allowed=allowed)
        found.append(value)
    return found


def numbers(columns: Columns, name: str) -> list[float]:
    """Read a column of numbers; NaN and infinity are let through, an empty cell is not."""
    found: list[float] = []
    cells = columns.cells[name]
    for k, value in enumerate(_parsed(cells, _number)):
        if value is None:
            cell = cells[k]
            columns.fail(
                _problem(name, cell),
                _alike(columns, name, k),
                given=_shown(cell),
                allowed="a number in every row (nan where training diverged); leave out rows "
                "without an evaluation",
            )
        found.append(value)
    return found


def finite_numbers(columns: Columns, name: str, low: float, high: float) -> list[float]:
    """Read a column of finite numbers between ``low`` and ``high``."""
    found = numbers(columns, name)
    bad = [
        k for k, value in enumerate(found) if not (math.isfinite(value) and low <= value <= high)
    ]
    if bad:
        columns.fail(
            f"the {name} is no such number",
            bad,
            given=_shown(columns.cells[name][bad[0]]),
            allowed=f"finite numbers from {low:g}",
        )
    return found


def texts(columns: Columns, name: str) -> list[str]:
    """Read a column of names (numbers are names too); none may be empty."""
    found: list[str] = []
    for k, cell in enumerate(columns.cells[name]):
        text = "" if cell is None else str(cell).strip()
        if not text:
            columns.fail(f"the {name} is empty", [k], allowed="a name in every row, or no column")
        found.append(text)
    return found


def _parsed(cells: Sequence[Any], parse: Callable[[Any], Value | None]) -> list[Value | None]:
    """Parse every cell, equal ones once: seeds and steps repeat in each row."""
    try:
        known = {cell: parse(cell) for cell in set(cells)}
    except TypeError:  # lists and the like
        return [parse(cell) for cell in cells]
    return [known[cell] for cell in cells]


def _alike(columns: Columns, name: str, first: int) -> list[int]:
    """Give the rows from ``first`` on that hold the very same cell."""
    cells = columns.cells[name]
    return [k for k in range(first, len(cells)) if cells[k] == cells[first]] or [first]


def _problem(name: str, cell: Any) -> str:
    empty = cell is None or (isinstance(cell, str) and not cell.strip())
    return f"the {name} is empty" if empty else f"the {name} is not a number"


def _shown(cell: Any) -> str | None:
    return None if cell is None or cell == "" else clipped(str(cell), 60)


def _whole(cell: Any) -> int | None:
    """Give an integer, also one written with a point and zeros, or None."""
    if isinstance(cell, str):
        text = cell.strip()
        if text.isascii() and text.lstrip("+-").isdigit() and len(text) < 30:
            return int(text)
    elif isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    value = _number(cell)
    # Beyond 2**53 a float no longer says which integer it was.
    exact = value is not None and abs(value) < 2**53 and value == math.floor(value)
    return int(value) if exact and value is not None else None


def _number(cell: Any) -> float | None:
    if isinstance(cell, str):
        if "_" in cell or not cell.isascii():
            return None
        try:
            return float(cell)
        except ValueError:
            return None
    if isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool):
        try:
            return float(cell)
        except OverflowError:
            return math.inf
    return None
