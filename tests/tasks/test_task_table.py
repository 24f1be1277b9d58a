"""What is written is read back; whatever the bytes, the end is a task or a clear refusal."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.tasks.load import load_task
from seedbed.tasks.table import read_plain, read_table
from seedbed.tasks.task import Task

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
ONE_LINE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\r\n"), max_size=30
)
NAMES = ("a", "b", "label")


def rows_of(cell: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=8)


def read_back(suffix: str, data: bytes) -> list[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        path.write_bytes(data)
        table = read_plain(path) if suffix == ".tsv" else read_table(path)
        assert table.columns == NAMES
        return [cells for _, cells in table.rows]


@given(rows_of(ANY_TEXT), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_csv(rows: list[tuple[str, ...]], end: str, quote_all: bool) -> None:
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    if not quote_all:  # a lone "\r" is what this writer should quote and does not
        rows = [tuple(cell.replace("\r", "") for cell in row) for row in rows]
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator=end, quoting=quoting).writerows([NAMES, *rows])
        file.seek(0)
        data = file.read().encode()
    assert read_back(".csv", data) == rows


@given(rows_of(ONE_LINE), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_tsv_in_glue_layout(rows: list[tuple[str, ...]], end: str, last_end: bool) -> None:
    lines = ["\t".join(row) for row in [NAMES, *rows]]
    data = end.join(lines) + (end if last_end else "")
    assert read_back(".tsv", data.encode()) == rows


@given(rows_of(ANY_TEXT), st.booleans())
def test_jsonl(rows: list[tuple[str, ...]], ascii_only: bool) -> None:
    lines = [
        json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=ascii_only) for row in rows
    ]
    assert read_back(".jsonl", "\n".join(lines).encode()) == rows


@given(rows_of(ANY_TEXT))
def test_rows_know_their_lines(rows: list[tuple[str, ...]]) -> None:
    """The line of a row is where its bytes begin, also after fields of many lines."""
    parts = [
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n"
        for row in [NAMES, *rows]
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes("".join(parts).encode())
        table = read_table(path)
    starts = [1 + "".join(parts[:k]).count("\n") for k in range(1, len(parts))]
    assert [line for line, _ in table.rows] == starts


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                b"text",
                b"label",
                b",",
                b"\t",
                b'"',
                b"\n",
                b"\r\n",
                b"\r",
                b"0",
                b"1",
                b"a b",
                b" ",
            ),
            *(b"{", b"}", b":", b'"text":', b'"label":', b"[", b"null", b"\\ud800", b"\\"),
            *(b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\0", "ü".encode(), "\u2028".encode()),
            *(b"text,label\n", b"text\tlabel\n", b"a,0\n", b"b,1\n", b"a\t0\n", b"b\t1\n"),
            *(b'{"text": "a", "label": 0}\n', b'{"text": "b", "label": "x"}\n'),
        ]
    ),
    max_size=25,
).map(b"".join)

FILE = st.one_of(st.binary(max_size=200), PIECES)


@settings(max_examples=400)
@given(FILE, FILE, st.booleans(), st.sampled_from([".csv", ".tsv", ".jsonl"]), st.integers(0, 5))
@example(b"text,label\na,0\nb,1\n", b"", True, ".csv", 2)
@example(b'text,label\n"a', b"", True, ".csv", 1)
def test_any_bytes_end_in_a_task_or_a_refusal(
    train: bytes, validation: bytes, same: bool, suffix: str, samples: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}{suffix}" for name in ("train", "validation")]
        paths[0].write_bytes(train)
        paths[1].write_bytes(train if same else validation)
        try:
            task = load_task(
                name="any", train=paths[0], validation=paths[1], train_samples=samples or None
            )
        except InputError as error:
            assert error.where
            str(error).encode()
            return
    check(task)


def check(task: Task) -> None:
    """What everything after this relies on."""
    for split in (task.train, task.validation):
        assert len(split) == len(split.first) == len(split.labels) > 0
        assert all(0 <= label < task.classes for label in split.labels)
        assert all(text.strip() for text in (*split.first, *(split.second or ())))
        assert len(set(split.labels)) > 1
    assert (task.train.second is None) is (task.validation.second is None)
    assert len(set(task.label_names)) == task.classes
