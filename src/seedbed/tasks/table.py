"""Files of rows (csv, tsv, jsonl) become tables; every problem is named with its line.

Files are read as bytes, a line at a time and never longer than ``LINE_LIMIT``, so that a
file that is no table at all is refused without reading it whole.
"""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from seedbed.core.errors import InputError, clipped, nearest

LINE_LIMIT = 10_000_000
"""Bytes in a line, its end included."""

COLUMN_LIMIT = 10_000

_BOM = "\ufeff"
_MISSING = object()

Row = tuple[int, tuple[Any, ...]]
"""The number of the line a row starts at (from 1), and its cells."""


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns. Cells of csv and tsv are text, of jsonl any JSON."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def column(self, name: str) -> list[tuple[int, Any]]:
        """Give (line, cell) of every row of the column ``name``; InputError if missing."""
        if name not in self.columns:
            raise InputError(
                "no such column",
                where=str(self.path),
                given=name,
                allowed=some_of(name, self.columns),
            )
        place = self.columns.index(name)
        cells = [(line, row[place]) for line, row in self.rows]
        for line, cell in cells:
            if cell is _MISSING:
                fail(self.path, line, f"the row has no {name!r}", allowed="a value in every row")
        return cells


def encodable(text: str) -> bool:
    """Whether ``text`` is whole Unicode; JSON's escapes can name half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fail(
    path: Path, line: int | None, problem: str, *, given: object = None, allowed: str | None = None
) -> NoReturn:
    """Raise an InputError that names the file and, unless None, the line (from 1)."""
    where = str(path) if line is None else f"{path}, line {line}"
    raise InputError(problem, where=where, given=given, allowed=allowed)


def some_of(word: str, valid: Iterable[str]) -> str:
    """List the ``valid`` words and the one nearest to ``word``; of very many, a few near ones."""
    words = [clipped(name, 60) for name in valid if name]
    if len(words) <= 40:
        return nearest(word, words)
    near = difflib.get_close_matches(word, words, n=5, cutoff=0.0)
    return f"one of {len(words)}, such as {', '.join(near)}"


def is_file(path: Path) -> bool:
    """Whether ``path`` is a file; False too where the system cannot even look."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_table(path: Path, columns: tuple[str, ...] | None = None) -> Table:
    """Read a file whose name ends in .csv, .tsv or .jsonl.

    csv: RFC 4180, with a header. tsv: never quoted, with a header. jsonl: one object a
    line; its columns are the keys of the first. ``columns`` names the columns of a file
    without a header. Blank lines are skipped, a byte-order mark too.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        fail(path, None, "unknown kind of file", given=path.suffix, allowed=", ".join(_READERS))
    return _checked(path, reader(path), columns)


def read_plain(path: Path, columns: tuple[str, ...] | None = None) -> Table:
    """Read a tsv file in GLUE's layout: a quote is text like any other character."""
    return _checked(path, _plain_rows(path), columns)


def _checked(path: Path, rows: Iterator[Row], columns: tuple[str, ...] | None) -> Table:
    """Take the header from ``rows`` unless ``columns`` are given; hold every row against it."""
    if columns is None:
        line, header = next(rows, (0, ()))
        if not line:
            fail(path, None, "the file is empty", allowed="a header and rows")
        columns = _header(path, line, header)
    kept = []
    for line, cells in rows:
        if len(cells) != len(columns):
            _wrong_width(path, line, cells, columns)
        kept.append((line, cells))
    if not kept:
        fail(path, None, "the file has no rows", allowed="at least one row of each class")
    return Table(path, columns, tuple(kept))


def _header(path: Path, line: int, cells: tuple[Any, ...]) -> tuple[str, ...]:
    if len(cells) > COLUMN_LIMIT:
        fail(path, line, "too many columns", given=len(cells), allowed=f"at most {COLUMN_LIMIT}")
    columns = tuple(str(cell).strip() for cell in cells)
    seen: set[str] = set()
    for column in columns:
        if not encodable(column):
            fail(path, line, "half a surrogate pair in a column's name", given=column)
        if column in seen:
            fail(path, line, "two columns of the same name", given=column, allowed="distinct names")
        seen.add(column)
    return columns


def _wrong_width(
    path: Path, line: int, cells: tuple[Any, ...], columns: tuple[str, ...]
) -> NoReturn:
    tsv = path.suffix.lower() != ".csv"
    problem = (
        "a row with more fields than columns"
        if len(cells) > len(columns)
        else ("a row with fewer fields than columns")
    )
    hint = "a tab inside a text" if tsv else "a text with a comma that is not in quotes"
    if len(cells) > len(columns):
        problem += f" ({hint}?)"
    names = clipped(", ".join(columns))
    fail(path, line, problem, given=f"{len(cells)} fields", allowed=f"{len(columns)}: {names}")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of every line, with its end, decoded strictly as UTF-8."""
    try:
        if not path.exists():
            fail(path, None, "no such file")
        if not path.is_file():
            fail(path, None, "not a file")
        with path.open("rb") as file:
            number = 0
            while data := file.readline(LINE_LIMIT + 1):
                number += 1
                yield number, _decoded(path, number, data)
    except OSError as error:
        fail(path, None, f"the file cannot be read ({error.strerror or error})")


def _decoded(path: Path, number: int, data: bytes) -> str:
    if len(data) > LINE_LIMIT:
        fail(path, number, "the line is too long", allowed=f"at most {LINE_LIMIT} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = data[error.start : error.start + 8].hex(" ")
        problem = f"not UTF-8, from byte {error.start + 1} of the line"
        fail(path, number, problem, given=f"bytes {shown}", allowed="UTF-8 text")
    if "\0" in text:
        fail(path, number, "a zero byte in text", allowed="UTF-8 text (not UTF-16, not binary)")
    return text.removeprefix(_BOM) if number == 1 else text


def _plain_rows(path: Path) -> Iterator[Row]:
    for number, line in _lines(path):
        text = line.removesuffix("\n").removesuffix("\r")
        if text:
            yield number, tuple(text.split("\t"))


def _tsv_rows(path: Path) -> Iterator[Row]:
    """Yield unquoted rows, but refuse what a quoting writer must have written.

    Read as text, such a field would silently keep the writer's quotes; read as quoted, an
    opening quote that is never closed would silently swallow the rows after it.
    """
    ways_out = "quotes closed within their field; for other text, rows as .csv or .jsonl"
    for number, cells in _plain_rows(path):
        for cell in cells:
            if not cell.startswith('"'):
                continue
            if cell.count('"') % 2:
                problem = "a field starts with a quote that is not closed in it"
                fail(path, number, problem, given=cell, allowed=ways_out)
            if cell.endswith('"') and '""' in cell[1:-1]:
                problem = "a field in quotes with doubled quotes in it"
                fail(path, number, problem, given=cell, allowed=ways_out)
        yield number, cells


def _csv_rows(path: Path) -> Iterator[Row]:
    start, quotes = 1, 0

    def feed() -> Iterator[str]:
        nonlocal quotes
        for _, line in _lines(path):
            quotes += line.count('"')
            yield line

    reader = csv.reader(feed(), strict=True)
    unbalanced = "unbalanced quotes in the row that starts here"
    allowed = 'quotes around a whole field, each quote inside it doubled ("")'
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if quotes % 2 or "delimiter expected" in str(error) or "expected after" in str(error):
                fail(path, start, f"{unbalanced} ({error})", allowed=allowed)
            reason = str(error).partition(" - ")[0]
            fail(path, start, f"not csv: {reason}", allowed="RFC 4180, fields under 128 KiB")
        if quotes % 2:
            fail(path, start, unbalanced, given=",".join(cells), allowed=allowed)
        if cells:
            yield start, tuple(cells)
        start, quotes = reader.line_num + 1, 0


def _jsonl_rows(path: Path) -> Iterator[Row]:
    """Yield the keys of the first object as header, then the values under them."""
    columns: tuple[str, ...] | None = None
    for number, line in _lines(path):
        if not line.strip():
            continue
        row = _object(path, number, line)
        if columns is None:
            columns = tuple(row)
            yield number, columns
        stripped = {key.strip(): value for key, value in row.items()}
        yield number, tuple(stripped.get(column.strip(), _MISSING) for column in columns)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) != len(pairs):
            raise ValueError("a key stands twice")
        return row

    try:
        row = json.loads(line, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        fail(path, number, f"not JSON: {reason}", given=line, allowed="one JSON object a line")
    if not isinstance(row, dict):
        fail(path, number, "not an object", given=line, allowed='one JSON object ("{...}") a line')
    if len(row) > COLUMN_LIMIT:
        fail(path, number, "too many columns", given=len(row), allowed=f"at most {COLUMN_LIMIT}")
    return row


_READERS: MappingProxyType[str, Callable[[Path], Iterator[Row]]] = MappingProxyType(
    {".csv": _csv_rows, ".tsv": _tsv_rows, ".jsonl": _jsonl_rows}
)
