"""Every bad input of a user's files is refused with its place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from seedbed.core.errors import InputError
from seedbed.tasks import table as table_module
from seedbed.tasks.load import load_task
from tasks.own_files import GOOD_CSV, load, refusal


class TestRefused:
    """Each bad input of a file: named, with the line, what was given, what is allowed."""

    def test_unknown_task_names_the_valid_ones(self) -> None:
        with pytest.raises(
            InputError, match=r"cola, docmatch, mrpc, rte, sst2 \(did you mean 'mrpc"
        ):
            load_task(name="mprc")

    def test_one_file_only(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no validation file"):
            load_task(name="mine", train=tmp_path / "a.csv")

    def test_missing_file_folder_and_endless_name(self, tmp_path: Path) -> None:
        for path, says in (
            (tmp_path / "none.csv", "no such file"),
            (tmp_path, "unknown kind of file"),
            (tmp_path / "x.parquet", "unknown kind of file"),
            (tmp_path / ("x" * 5000 + ".csv"), "cannot be read"),
        ):
            with pytest.raises(InputError, match=says):
                load_task(name="mine", train=path, validation=path)
        (tmp_path / "folder.csv").mkdir()
        with pytest.raises(InputError, match="not a file"):
            load_task(name="mine", train=tmp_path / "folder.csv", validation=tmp_path / "v.csv")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(InputError, match="not a file"):
            load_task(name="m", train=tmp_path / "pipe.csv", validation=tmp_path / "pipe.csv")

    @pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
    def test_empty_file(self, tmp_path: Path, suffix: str, content: str) -> None:
        assert "the file is empty" in refusal(tmp_path, content, suffix)

    def test_header_only(self, tmp_path: Path) -> None:
        assert "no rows" in refusal(tmp_path, "text,label\n")

    def test_missing_column(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, GOOD_CSV, text="texd")
        assert "label, text (did you mean 'text'?)" in message
        message = refusal(tmp_path, GOOD_CSV, validation="txt,label\na,0\nb,1\n")
        assert "validation.csv" in message
        assert "'txt'" in message

    def test_missing_value_in_json(self, tmp_path: Path) -> None:
        rows = '{"text": "a", "label": 0}\n{"text": "b"}\n'
        assert "line 2: the row has no 'label'" in refusal(tmp_path, rows, ".jsonl")

    def test_single_class(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, "text,label\na,yes\nb,yes\n")
        assert "a single class" in message
        assert "2 rows, all labelled 'yes'" in message
        one = refusal(tmp_path, GOOD_CSV, validation="text,label\na,1\nb,1\n")
        assert "validation.csv: a single class" in one

    def test_label_that_training_lacks(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, GOOD_CSV, validation="text,label\na,0\nb,1\nc,2\n")
        assert "validation.csv, line 4: a label that training lacks" in message
        assert "allowed: 0, 1" in message

    def test_bytes_that_are_not_utf8(self, tmp_path: Path) -> None:
        for suffix, content in (
            (".csv", b"text,label\nfine,0\nca\xe9,1\n"),
            (".tsv", b"text\tlabel\nfine\t0\nca\xe9\t1\n"),
        ):
            message = refusal(tmp_path, content, suffix)
            assert "line 3: not UTF-8, from byte 3 of the line" in message
        assert "not UTF-8" in refusal(tmp_path, GOOD_CSV.encode("utf-16"))
        assert "zero byte" in refusal(tmp_path, GOOD_CSV.encode("utf-16-le"))

    @pytest.mark.parametrize(
        "bad",
        [
            '"never closed,1\nnext,0\n',
            'text "with quote,1\nnext,0\n',
            '"closed" too early,1\nnext,0\n',
            '"quote "inside" it",1\nnext,0\n',
            '"never closed,1\n' + "next,0\n" * 50_000,
        ],
    )
    def test_unbalanced_quotes_in_csv(self, tmp_path: Path, bad: str) -> None:
        message = refusal(tmp_path, 'text,label\n"two\nlines",0\n' + bad)
        assert "train.csv, line 4: unbalanced quotes" in message

    def test_wrong_number_of_fields(self, tmp_path: Path) -> None:
        tsv = "text\tlabel\nfine\t0\nan extra\ttab\t1\n"
        message = refusal(tmp_path, tsv, ".tsv")
        assert "line 3: a row with more fields than columns (a tab inside a text?)" in message
        assert "3 fields" in message
        assert "line 3: a row with fewer fields" in refusal(
            tmp_path, "text\tlabel\na\t0\nb\n", ".tsv"
        )
        assert "line 2: a row with more fields" in refusal(tmp_path, "text,label\na, b,0\n")

    @pytest.mark.parametrize("cell", ['"an open quote', '"a ""doubled"" one"', '"'])
    def test_quoting_in_tsv(self, tmp_path: Path, cell: str) -> None:
        message = refusal(tmp_path, f"text\tlabel\nfine\t0\n{cell}\t1\n", ".tsv")
        assert "train.tsv, line 3: a field" in message

    def test_harmless_quotes_in_tsv_are_text(self, tmp_path: Path) -> None:
        task = load(tmp_path, 'text\tlabel\n"Yes," he said\t0\n5" pipe\t1\n', ".tsv")
        assert task.train.first == ('"Yes," he said', '5" pipe')

    @pytest.mark.parametrize("empty", ["", " ", "\u00a0 "])
    def test_empty_text_or_label(self, tmp_path: Path, empty: str) -> None:
        message = refusal(tmp_path, f"text,label\nfine,0\n{empty},1\n")
        assert "train.csv, line 3: the text 'text' is empty" in message
        message = refusal(tmp_path, f"text,label\nfine,0\nfine,{empty}\n")
        assert "train.csv, line 3: the label 'label' is empty" in message

    def test_duplicate_columns(self, tmp_path: Path) -> None:
        assert "two columns of the same name" in refusal(tmp_path, "text,label, text\na,0,b\n")
        message = refusal(tmp_path, '{"text": "a", "label": 0, "label": 1}\n', ".jsonl")
        assert "a key stands twice" in message

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("{", "not JSON"),
            ("[1, 2]", "not an object"),
            ("3", "not an object"),
            ("[" * 100_000, "nested too deeply"),
            ('{"text": 3, "label": 0}', "not text"),
            ('{"text": null, "label": 0}', "not text"),
            ('{"text": "a", "label": null}', "no label"),
            ('{"text": "a", "label": 0.5}', "no label"),
            ('{"text": "a", "label": NaN}', "no label"),
            ('{"text": "a", "label": [1]}', "no label"),
            ('{"text": "a", "label": ' + "9" * 30 + "}", "no label"),
            ('{"text": "a", "label": ' + "9" * 5000 + "}", "no"),
            ('{"text": "\\ud800", "label": 1}', "surrogate"),
            ('{"text": "a", "label": "\\ud800"}', "surrogate"),
        ],
    )
    def test_bad_json(self, tmp_path: Path, line: str, says: str) -> None:
        message = refusal(tmp_path, '{"text": "a", "label": 0}\n' + line + "\n", ".jsonl")
        assert "train.jsonl, line 2: " in message
        assert says in message
        assert len(message) < 2000

    def test_surrogate_in_a_column_name(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, '{"\\ud800": "a", "label": 0}\n', ".jsonl")
        message.encode()
        assert "column's name" in message

    def test_too_long_a_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table_module, "LINE_LIMIT", 1000)
        for suffix in (".csv", ".tsv", ".jsonl"):
            message = refusal(tmp_path, b"x" * 1001, suffix)
            assert "line 1: the line is too long" in message

    @pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
    def test_too_many_columns(self, tmp_path: Path, suffix: str) -> None:
        names = [f"c{i}" for i in range(10_001)]
        header = {
            ".csv": ",".join(names),
            ".tsv": "\t".join(names),
            ".jsonl": json.dumps(dict.fromkeys(names, "x")),
        }
        message = refusal(tmp_path, header[suffix] + "\n", suffix)
        assert "too many columns" in message
        assert "10001" in message

    def test_many_columns_are_not_all_listed(self, tmp_path: Path) -> None:
        names = [f"c{i}" for i in range(5000)]
        rows = "\n".join(",".join(["x"] * 5000) for _ in range(2))
        message = refusal(tmp_path, ",".join(names) + "\n" + rows, text="c77777")
        assert "one of 5000, such as" in message
        assert len(message) < 2000

    def test_pair_without_first_and_one_column_twice(self, tmp_path: Path) -> None:
        assert "the first is not" in refusal(tmp_path, GOOD_CSV, text_pair="text")
        assert "named twice" in refusal(tmp_path, GOOD_CSV, text="text", text_pair="text")

    def test_data_beside_files(self, tmp_path: Path) -> None:
        assert "data is for built-in tasks" in refusal(tmp_path, GOOD_CSV, data=tmp_path)
