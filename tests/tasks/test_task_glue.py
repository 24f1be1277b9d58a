"""GLUE's own folders are read whole; the hub's version gives the same kind of task."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from seedbed.core.errors import InputError
from seedbed.tasks.load import load_task
from seedbed.tasks.metrics import majority_score

# name, training rows, validation rows, pairs, default metric, majority score (3 digits)
FACTS = [
    ("mrpc", 3667, 408, True, "acc_and_f1", 0.748),
    ("rte", 2490, 277, True, "accuracy", 0.527),
    ("cola", 8551, 1043, False, "matthews", 0.0),
    ("sst2", 67349, 872, False, "accuracy", 0.509),
]


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts[0])
def test_every_row_is_read(glue: Path, facts: tuple[str, int, int, bool, str, float]) -> None:
    name, train, dev, pairs, metric, majority = facts
    task = load_task(name=name, data=glue)
    assert (len(task.train), len(task.validation), task.test) == (train, dev, None)
    assert task.pairs is pairs
    assert task.metric == metric
    assert task.classes == 2
    assert set(task.train.labels) == set(task.validation.labels) == {0, 1}
    assert round(majority_score(task.validation.labels, metric, 2), 3) == majority


def test_mrpc_majority_has_the_known_parts(glue: Path) -> None:
    labels = load_task(name="mrpc", data=glue).validation.labels
    assert round(majority_score(labels, "accuracy", 2), 3) == 0.684
    assert round(majority_score(labels, "f1", 2), 3) == 0.812


def test_texts_are_the_fields_between_tabs(glue: Path) -> None:
    """Against a reading of the raw bytes that shares no code with the reader."""
    raw = (glue / "MRPC" / "train.tsv").read_bytes().decode("utf-8-sig").split("\n")
    fields = [line.split("\t") for line in raw[1:] if line]
    train = load_task(name="mrpc", data=glue).train
    assert list(train.first) == [f[3] for f in fields]
    assert train.second is not None
    assert list(train.second) == [f[4] for f in fields]
    assert list(train.labels) == [int(f[0]) for f in fields]
    assert sum(text.count('"') for text in train.first) > 100  # quotes are text here


def test_labels_of_rte_are_numbered_as_on_the_hub(glue: Path) -> None:
    task = load_task(name="rte", data=glue)
    assert task.label_names == ("entailment", "not_entailment")
    assert task.validation.labels.count(0) == 146


def test_own_folder_parent_folder_and_alias_are_the_same(glue: Path) -> None:
    tasks = [
        load_task(name="sst2", data=glue),
        load_task(name="SST-2", data=glue / "SST-2"),
    ]
    assert tasks[0].fingerprint == tasks[1].fingerprint
    assert tasks[0].name == tasks[1].name == "sst2"


def test_last_line_without_newline_is_a_row(glue: Path) -> None:
    raw = (glue / "CoLA" / "dev.tsv").read_bytes()
    assert not raw.endswith(b"\n")
    last = load_task(name="cola", data=glue).validation.first[-1]
    assert raw.decode().endswith("\t" + last)


def test_folder_without_files_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.tsv and dev\.tsv, or one that holds MRPC/"):
        load_task(name="mrpc", data=tmp_path)


def test_damaged_glue_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("sentence\tlabel\nfine\t1\ntoo\tmany\t0\n")
    (tmp_path / "dev.tsv").write_text("sentence\tlabel\nfine\t1\nbad\t0\n")
    with pytest.raises(InputError, match=r"train\.tsv, line 3: a row with more fields"):
        load_task(name="sst2", data=tmp_path)


def test_files_beside_a_built_in_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="built-in task"):
        load_task(name="mrpc", train=tmp_path / "a.csv", validation=tmp_path / "b.csv")


class TestHub:
    """What is asked of ``datasets``, and what is made of its answer (a stand-in for it)."""

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(InputError, match=r"pip install 'seedbed\[hub\]'") as caught:
            load_task(name="mrpc")
        assert caught.value.exit_code == 2

    def test_without_a_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load_dataset(*_: str) -> None:
            raise ConnectionError("no route to host")

        monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
        with pytest.raises(InputError, match="no route to host"):
            load_task(name="rte")

    @pytest.mark.parametrize("test_labels", [[0, 1], [-1, -1]])
    def test_rows_and_labelled_test(
        self, monkeypatch: pytest.MonkeyPatch, test_labels: list[int]
    ) -> None:
        rows = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]}
        asked = []

        def load_dataset(path: str, name: str) -> dict[str, dict[str, list[object]]]:
            asked.append((path, name))
            return {"train": rows, "validation": rows, "test": rows | {"label": test_labels}}  # type: ignore[dict-item]

        monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
        task = load_task(name="mrpc")
        assert asked == [("nyu-mll/glue", "mrpc")]
        assert task.train.first == ("a", "b")
        assert task.train.second == ("c", "d")
        assert task.label_names == ("not_equivalent", "equivalent")
        assert (task.test is not None) is (test_labels == [0, 1])
