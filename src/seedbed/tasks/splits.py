"""Tables become splits: texts are checked, labels are numbered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seedbed.core.errors import InputError
from seedbed.tasks.columns import Columns
from seedbed.tasks.table import Table, encodable, fail, some_of
from seedbed.tasks.task import Split

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Rows:
    """The texts of a table, and its labels as they stand there with the line of each."""

    table: Table
    first: tuple[str, ...]
    second: tuple[str, ...] | None
    labels: tuple[tuple[int, str], ...]


def take_rows(table: Table, columns: Columns) -> Rows:
    """Take the texts and labels out of ``table``; InputError for an empty one."""
    return Rows(
        table,
        _texts(table, columns.first),
        None if columns.second is None else _texts(table, columns.second),
        tuple(
            (line, _label(table, line, columns.label, cell))
            for line, cell in table.column(columns.label)
        ),
    )


def _texts(table: Table, name: str) -> tuple[str, ...]:
    texts = []
    for line, cell in table.column(name):
        if not isinstance(cell, str):
            fail(table.path, line, f"{name!r} is not text", given=cell, allowed="a string")
        if not cell.strip():
            fail(table.path, line, f"the text {name!r} is empty", allowed="text in every row")
        _check_unicode(table, line, name, cell)
        texts.append(cell)
    return tuple(texts)


def _check_unicode(table: Table, line: int, name: str, cell: str) -> None:
    if not encodable(cell):
        fail(table.path, line, f"half a surrogate pair in {name!r}", given=cell, allowed="Unicode")


def _label(table: Table, line: int, name: str, cell: Any) -> str:
    """Give a label as text; whole numbers and truth values of JSON are labels too."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int) and _INTEGER.fullmatch(str(cell)):
        return str(cell)
    if not isinstance(cell, str):
        fail(table.path, line, f"{name!r} is no label", given=cell, allowed="a string or integer")
    if not cell.strip():
        fail(table.path, line, f"the label {name!r} is empty", allowed="a label in every row")
    _check_unicode(table, line, name, cell)
    return cell.strip()


def number_labels(labels: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Number the classes: integers ascending if all are integers, else strings sorted.

    Gives the number of each label as written, and the names of the classes. Integers are
    compared as numbers: "1", "01" and "+1" are one class, named "1".
    """
    distinct = sorted(set(labels))
    if all(_INTEGER.fullmatch(label) for label in distinct):
        values = sorted({int(label) for label in distinct})
        place = {value: k for k, value in enumerate(values)}
        return {label: place[int(label)] for label in distinct}, tuple(map(str, values))
    return {label: k for k, label in enumerate(distinct)}, tuple(distinct)


def numbered(rows: Rows, names: Sequence[str]) -> Split:
    """Give the split with its labels as places in ``names``; InputError for another label."""
    place = {name: k for k, name in enumerate(names)}
    whole = all(_INTEGER.fullmatch(name) for name in names)
    numbers = []
    for line, label in rows.labels:
        key = str(int(label)) if whole and _INTEGER.fullmatch(label) else label
        if key not in place:
            allowed = some_of(label, names)
            fail(rows.table.path, line, "a label that training lacks", given=label, allowed=allowed)
        numbers.append(place[key])
    return Split(first=rows.first, second=rows.second, labels=tuple(numbers))


def check_classes(split: Split, names: Sequence[str], *, where: str) -> None:
    """Raise InputError where every row has the same label: there is nothing to tell apart."""
    present = Counter(split.labels)
    if len(present) < 2:
        label = names[next(iter(present))]
        raise InputError(
            "a single class",
            where=where,
            given=f"{len(split)} rows, all labelled {label!r}",
            allowed="at least two different labels",
        )
