"""A user's own files: what is read, what is guessed, which rows are sampled."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from seedbed.tasks.columns import LABELS
from tasks.own_files import GOOD_CSV, load, refusal


def test_three_formats_give_one_task(tmp_path: Path) -> None:
    rows = [("one, two", "no"), ("drei und vier", "ja"), ("Fünf – 六", "no")]
    csv = "sentence,label\n" + "".join(f'"{t}",{y}\n' for t, y in rows)
    tsv = "sentence\tlabel\r\n" + "".join(f"{t}\t{y}\r\n" for t, y in rows)
    jsonl = "\n".join(json.dumps({"sentence": t, "label": y}) for t, y in rows)
    tasks = [
        load(tmp_path, csv),
        load(tmp_path, tsv, ".tsv"),
        load(tmp_path, jsonl, ".jsonl"),
        load(tmp_path, b"\xef\xbb\xbf" + csv.encode()),
    ]
    assert len({task.fingerprint for task in tasks}) == 1
    assert tasks[0].train.first == tuple(t for t, _ in rows)
    assert tasks[0].label_names == ("ja", "no")
    assert tasks[0].train.labels == (1, 0, 1)


def test_quoted_csv_fields_may_hold_anything(tmp_path: Path) -> None:
    task = load(tmp_path, 'text,label\n"a ""b"", c\nd",0\nplain,1\n')
    assert task.train.first == ('a "b", c\nd', "plain")


def test_integer_labels_ascend_as_numbers_and_strings_sort(tmp_path: Path) -> None:
    csv = "text,label\n" + "".join(f"row,{y}\n" for y in (10, 9, -1, "+9", "010"))
    task = load(tmp_path, csv)
    assert task.label_names == ("-1", "9", "10")
    assert task.train.labels == (2, 1, 0, 1, 2)
    words = load(tmp_path, "text,label\nrow,10\nrow,9\nrow,x\n")
    assert words.label_names == ("10", "9", "x")


def test_labels_of_json_may_be_numbers_or_truth_values(tmp_path: Path) -> None:
    rows = '{"text": "a", "label": true}\n\n{"label": false, "text": "b", "extra": 3}\n'
    task = load(tmp_path, rows, ".jsonl")
    assert task.label_names == ("false", "true")
    assert task.train.first == ("a", "b")
    assert task.train.labels == (1, 0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("sentence1,sentence2,label", ("A", "B")),
        ("id,premise,hypothesis,gold_label", ("B", "C")),
        ("Quality,#1 ID,#2 ID,#1 String,#2 String", ("D", "E")),
        ("target,review", ("B", None)),
        ("label,author,text", ("C", None)),
        (",mail,subject,class", ("B", "C")),
        ("idx,anything,label", ("B", None)),
        ("question,sentence,label", ("A", "B")),
    ],
)
def test_guessed_columns(tmp_path: Path, header: str, expected: tuple[str, str | None]) -> None:
    names = header.split(",")
    place = next(i for i, n in enumerate(names) if n.lower() in LABELS)
    rows = []
    for label in "01":
        cells = list("ABCDE"[: len(names)])
        cells[place] = label
        rows.append(",".join(cells))
    task = load(tmp_path, "\n".join([header, *rows]))
    assert task.train.first[0] == expected[0]
    assert (task.train.second or (None,))[0] == expected[1]
    assert task.train.labels == (0, 1)


def test_named_columns_win_over_guesses(tmp_path: Path) -> None:
    csv = "text,label,a,b,mark\nno,9,A1,B1,x\nno,9,A2,B2,y\n"
    task = load(tmp_path, csv, text="a", text_pair="b", label="mark")
    assert task.train.first == ("A1", "A2")
    assert task.train.second == ("B1", "B2")
    assert task.label_names == ("x", "y")
    assert load(tmp_path, csv, text="a", label="mark").train.second is None


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("a,b", "which column holds the label"),
        ("label,class,text", "label or class"),
        ("a,b,c,label", "which column holds the text"),
        ("text,review,label", "text or review"),
        ("question,sentence,answer,label", "question + sentence or question + answer"),
        ("premise,hypothesis,text,label", "premise + hypothesis or text"),
        ("label", "which column holds the text"),
    ],
)
def test_ambiguous_columns_are_listed(tmp_path: Path, header: str, says: str) -> None:
    message = refusal(tmp_path, f"{header}\n{header}\n")
    assert says in message
    assert all(repr(name) in message for name in header.split(","))
    assert "name it" in message


def test_metrics(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD_CSV).metric == "accuracy"
    assert load(tmp_path, GOOD_CSV, metric="f1").metric == "f1"
    assert "did you mean 'matthews'" in refusal(tmp_path, GOOD_CSV, metric="mathews")
    three = "text,label\na,x\nb,y\nc,z\n"
    assert load(tmp_path, three, metric="macro_f1").metric == "macro_f1"
    assert "for two classes, the task has 3" in refusal(tmp_path, three, metric="f1")


def test_test_split(tmp_path: Path) -> None:
    task = load(tmp_path, GOOD_CSV, test="text,label\nthird,1\n")
    assert task.test is not None
    assert (task.test.first, task.test.labels) == (("third",), (1,))
    assert "has no labels" in refusal(tmp_path, GOOD_CSV, test="text,idx\nthird,1\n")


class TestTrainSamples:
    rows = "text,label\n" + "".join(f"row {i},{i % 2}\n" for i in range(200))

    def test_a_smaller_sample_begins_a_larger_one(self, tmp_path: Path) -> None:
        whole = load(tmp_path, self.rows, train_samples=200).train.first
        assert sorted(whole) == sorted(load(tmp_path, self.rows).train.first)
        assert whole != load(tmp_path, self.rows).train.first
        for size in (2, 50, 199):
            assert load(tmp_path, self.rows, train_samples=size).train.first == whole[:size]

    def test_the_shuffle_never_changes(self, tmp_path: Path) -> None:
        """A golden value: studies made by another version must see the same rows."""
        first = load(tmp_path, self.rows, train_samples=8).train.first
        numbers = [int(row.removeprefix("row ")) for row in first]
        assert numbers == [193, 90, 101, 176, 23, 170, 143, 142]

    def test_the_global_generator_plays_no_part(self, tmp_path: Path) -> None:
        random.seed(1)
        before = random.getstate()
        a = load(tmp_path, self.rows, train_samples=20).fingerprint
        assert random.getstate() == before
        random.seed(2)
        assert load(tmp_path, self.rows, train_samples=20).fingerprint == a

    @pytest.mark.parametrize("size", [0, -1, 201])
    def test_out_of_range(self, tmp_path: Path, size: int) -> None:
        message = refusal(tmp_path, self.rows, train_samples=size)
        assert f"train_samples = {size}" in message
        assert "1 to 200" in message

    def test_a_sample_of_one_class(self, tmp_path: Path) -> None:
        assert "a single class" in refusal(tmp_path, self.rows, train_samples=1)
