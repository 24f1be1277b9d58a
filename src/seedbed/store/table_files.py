"""Columns of cells in a csv or Parquet file; every problem is named with its row.

A csv file is read as bytes, a line at a time and never longer than ``LINE_LIMIT``, so that
a file that is no table at all is refused without reading it whole. Parquet needs pyarrow.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from seedbed.core.errors import InputError, StorageError, clipped

LINE_LIMIT = 1_000_000
"""Bytes in a line of csv, its end included."""

COLUMN_LIMIT = 10_000
KINDS = (".csv", ".parquet")
ROWS_SHOWN = 5


@dataclass(frozen=True)
class Header:
    """The columns' names and the first row's cells (empty where there is no row)."""

    path: Path
    names: tuple[str, ...]
    first: Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Some columns of a file: ``cells[name][k]`` stands in row ``numbers[k]``.

    Cells of csv are text, of Parquet Python values, None where there is none. ``unit``
    says what a row's number counts: lines of the file, or rows.
    """

    path: Path
    unit: str
    numbers: Sequence[int]
    cells: Mapping[str, Sequence[Any]]

    def fail(
        self,
        problem: str,
        rows: Sequence[int],
        *,
        given: object = None,
        allowed: str | None = None,
    ) -> NoReturn:
        """Raise an InputError that names the ``rows`` (places in ``numbers``)."""
        where = f"{self.path}, {self.named(rows)}"
        raise InputError(problem, where=where, given=given, allowed=allowed)

    def named(self, rows: Sequence[int]) -> str:
        """Name the ``rows`` (places in ``numbers``) as a person finds them in the file."""
        shown = ", ".join(str(self.numbers[row]) for row in rows[:ROWS_SHOWN])
        more = f" and {len(rows) - ROWS_SHOWN} more" if len(rows) > ROWS_SHOWN else ""
        return f"{self.unit}{'s' if len(rows) > 1 else ''} {shown}{more}"


def read_header(path: Path) -> Header:
    """Read the names of the columns and the first row of a .csv or .parquet file."""
    _check_file(path)
    if path.suffix.lower() == ".parquet":
        return _parquet_header(path)
    rows = _csv_rows(path)
    names = _csv_names(path, rows)
    number, cells = next(rows, (0, []))
    _check_width(path, number, cells, names)
    return Header(path, names, dict(zip(names, cells, strict=False)))


def read_columns(path: Path, names: Iterable[str]) -> Columns:
    """Read the columns ``names``, which the header must have."""
    if path.suffix.lower() == ".parquet":
        return _parquet_columns(path, list(names))
    rows = _csv_rows(path)
    header = _csv_names(path, rows)
    wanted = list(names)
    places = [header.index(name) for name in wanted]
    numbers: list[int] = []
    picked: list[list[str]] = []
    for number, row in rows:
        if len(row) != len(header):
            _check_width(path, number, row, header)
        numbers.append(number)
        picked.append([row[place] for place in places])
    columns = zip(*picked, strict=True) if picked else [()] * len(wanted)
    return Columns(path, "line", numbers, dict(zip(wanted, columns, strict=True)))


def write_columns(path: Path, cells: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of equal length as .csv or .parquet; the file appears whole or not.

    In csv numbers keep all their digits, and text that a spreadsheet would run as a formula
    gets a leading apostrophe.
    """
    _check_kind(path)
    aside = path.with_name(path.name + ".writing")
    try:
        if path.suffix.lower() == ".parquet":
            _write_parquet(aside, cells)
        else:
            with aside.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([_safe(name) for name in cells])
                writer.writerows(
                    [_safe(cell) for cell in row] for row in zip(*cells.values(), strict=True)
                )
        aside.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def _safe(cell: Any) -> Any:
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + cell
    return repr(cell) if isinstance(cell, float) else cell


def _check_kind(path: Path) -> None:
    if path.suffix.lower() not in KINDS:
        raise InputError(
            "unknown kind of table", where=clipped(str(path)), allowed=" or ".join(KINDS)
        )


def _check_file(path: Path) -> None:
    _check_kind(path)
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise InputError("no such file", where=clipped(str(path)))


def _fail(path: Path, line: int | None, problem: str, **said: Any) -> NoReturn:
    where = str(path) if line is None else f"{path}, line {line}"
    raise InputError(problem, where=where, **said)


def _csv_names(path: Path, rows: Iterator[tuple[int, list[str]]]) -> tuple[str, ...]:
    line, cells = next(rows, (0, []))
    if not line:
        _fail(path, None, "the file is empty", allowed="a header and a row an evaluation")
    return _checked_names(path, [cell.strip() for cell in cells])


def _checked_names(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > COLUMN_LIMIT:
        _fail(path, None, "too many columns", given=len(names), allowed=f"at most {COLUMN_LIMIT}")
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            _fail(path, None, "a column stands twice", given=name, allowed="different names")
        seen.add(name)
    return tuple(names)


def _check_width(path: Path, line: int, cells: Sequence[str], names: Sequence[str]) -> None:
    if line and len(cells) != len(names):
        given = f"{len(cells)} fields"
        _fail(path, line, "the row does not fit the header", given=given, allowed=str(len(names)))


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line it starts at, cells) of every row that is not blank, the header included."""
    reader = csv.reader(_lines(path), strict=True)
    start = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            _fail(path, start, f"not csv: {error}", allowed="RFC 4180, fields under 128 KiB")
        if cells:
            yield start, cells
        start = reader.line_num + 1


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(LINE_LIMIT + 1):
                number += 1
                yield _decoded(path, number, data)
    except OSError as error:
        _fail(path, None, f"the file cannot be read ({error.strerror or error})")


def _decoded(path: Path, number: int, data: bytes) -> str:
    if len(data) > LINE_LIMIT:
        _fail(path, number, "the line is too long", allowed=f"at most {LINE_LIMIT} bytes")
    try:
        text = data.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        shown = data[error.start : error.start + 8].hex(" ")
        _fail(path, number, "not UTF-8", given=f"bytes {shown}", allowed="UTF-8 text")
    if "\0" in text:
        _fail(path, number, "a zero byte in text", allowed="UTF-8 text (not UTF-16, not binary)")
    return text


def _parquet(path: Path | None = None) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "Parquet needs the package pyarrow",
            where=None if path is None else str(path),
            allowed='.csv, or: pip install "seedbed[parquet]"',
        ) from error
    return pyarrow.parquet


def _parquet_errors() -> tuple[type[Exception], ...]:
    import pyarrow

    return (pyarrow.ArrowException, OSError, ValueError, KeyError)


def _parquet_header(path: Path) -> Header:
    parquet = _parquet(path)
    try:
        with parquet.ParquetFile(path) as file:
            names = _checked_names(path, list(file.schema_arrow.names))
            first = next(file.iter_batches(batch_size=1), None)
            rows = [] if first is None else first.to_pylist()
    except InputError:
        raise
    except _parquet_errors() as error:
        _fail(path, None, f"cannot be read as Parquet ({clipped(str(error), 100)})")
    return Header(path, names, rows[0] if rows else {})


def _parquet_columns(path: Path, names: list[str]) -> Columns:
    parquet = _parquet(path)
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read(columns=names)
            cells = {name: table.column(name).to_pylist() for name in names}
    except _parquet_errors() as error:
        _fail(path, None, f"cannot be read as Parquet ({clipped(str(error), 100)})")
    return Columns(path, "row", range(1, table.num_rows + 1), cells)


def _write_parquet(path: Path, cells: Mapping[str, Sequence[Any]]) -> None:
    parquet = _parquet()
    import pyarrow

    parquet.write_table(pyarrow.table({name: list(column) for name, column in cells.items()}), path)
