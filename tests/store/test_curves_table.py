"""Curves tables: what is read is what was written; what is wrong is named with its rows."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import InputError
from seedbed.core.seeds import SEED_LIMIT, Seeds, derived_dropout
from seedbed.store import table_files
from seedbed.store.curves_table import read_curves, write_curves
from small_studies import HEADER, grid_rows, random_scores, write_csv

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def any_curves(draw: st.DrawFn) -> list[Curve]:
    """Curves with any scores and seeds, in the order of trial numbers."""
    trials = draw(st.integers(1, 5))
    seed = st.integers(0, SEED_LIMIT - 1)
    names = draw(st.lists(st.builds(Seeds, seed, seed, seed), min_size=trials, unique=True))
    curves = []
    for trial, seeds in enumerate(names):
        steps = sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=5)))
        found = []
        for step in steps:
            score = draw(FINITE)
            every = {"accuracy": score, "f1": draw(FINITE)}
            loss, seconds = draw(FINITE), draw(st.floats(0, 1e9))
            found.append(
                Evaluation(
                    step=step,
                    progress=step / 40,
                    score=score,
                    loss=loss,
                    scores=every,
                    seconds=seconds,
                )
            )
        curves.append(Curve(trial, seeds, tuple(found)))
    return curves


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@settings(max_examples=25, deadline=None)
@given(curves=any_curves(), task=st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_is_written_is_read_back(suffix: str, curves: list[Curve], task: str) -> None:
    if not task.strip() or "\0" in task:
        task = "t"
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"curves{suffix}"
        write_curves(path, curves, task=task)
        table = read_curves(path, "accuracy")
    (found,) = table.tasks.values()
    assert table.metrics == ("accuracy", "f1")
    assert not found.diverged
    for before, after in zip(curves, found.curves, strict=True):
        assert (before.trial, before.seeds) == (after.trial, after.seeds)
        for a, b in zip(before.evaluations, after.evaluations, strict=True):
            assert (a.step, a.progress, a.score, a.loss, a.seconds) == (
                b.step,
                b.progress,
                b.score,
                b.loss,
                b.seconds,
            )


def test_a_trial_that_diverged_comes_back_as_such(tmp_path: Path) -> None:
    evaluations = (Evaluation(step=5, progress=0.5, score=0.6, loss=0.4, scores={"f1": 0.6}),)
    curves = [Curve(3, Seeds(1, 2, 3), evaluations), Curve(4, Seeds(1, 3, 3))]
    path = tmp_path / "curves.csv"
    write_curves(path, curves, task="t", failed={3: (10, 1.0), 4: (5, 0.5)})
    table = read_curves(path)
    assert table.tasks["t"].diverged == {3, 4}
    assert [len(c.evaluations) for c in table.tasks["t"].curves] == [1, 0]
    assert "lines 3, 4" in table.warnings[0]


def test_text_that_a_spreadsheet_would_run_is_made_harmless(tmp_path: Path) -> None:
    evaluations = (Evaluation(step=1, progress=1.0, score=-0.5, loss=0.0, scores={"f1": -0.5}),)
    path = tmp_path / "curves.csv"
    write_curves(path, [Curve(0, Seeds(1, 1, 1), evaluations)], task='=HYPERLINK("x")')
    with path.open(newline="") as file:
        row = next(iter(csv.DictReader(file)))
    assert row["task"] == '\'=HYPERLINK("x")'
    assert row["f1"] == "-0.5"  # a number stays one


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("task", ["a\rb", "a\nb", "a\r\nb", 'say "a", b', "'a", "ä\u2028b"])
def test_names_with_odd_characters_come_back(tmp_path: Path, task: str, suffix: str) -> None:
    evaluations = (Evaluation(step=1, progress=1.0, score=0.5, loss=0.0, scores={"f1": 0.5}),)
    path = tmp_path / f"curves{suffix}"
    write_curves(path, [Curve(0, Seeds(1, 1, 1), evaluations)], task=task)
    assert list(read_curves(path).tasks) == [task]


def test_optional_columns_may_be_missing(tmp_path: Path) -> None:
    header = ("note", "order_seed", "init_seed", "progress", "step", "eval_acc")
    rows = [("hi", 2, 1, 1, 20, 0.75), ("", "2.0", "1", 0.5, 10, 0.5)]
    table = read_curves(write_csv(tmp_path / "t.csv", rows, header))
    (curve,) = table.tasks[""].curves
    assert (table.metric, table.has_loss, table.has_seconds) == ("eval_acc", False, False)
    assert curve.seeds == Seeds(1, 2, derived_dropout(1, 2))
    assert [e.score for e in curve.evaluations] == [0.5, 0.75]
    assert curve.finished


def test_the_loss_as_metric_is_negated(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", grid_rows([[[0.2, 0.4]]]))
    (curve,) = read_curves(path, "loss").tasks[""].curves
    assert [e.score for e in curve.evaluations] == [-0.8, -0.6]


def test_progress_that_is_one_but_for_rounding_is_one(tmp_path: Path) -> None:
    rows = [(1, 1, 10, 1 - 1e-12, 0.5, 0.5), (1, 2, 10, 1 + 1e-12, 0.5, 0.5)]
    curves = read_curves(write_csv(tmp_path / "t.csv", rows)).tasks[""].curves
    assert all(curve.finished and curve.progress == 1.0 for curve in curves)


def test_no_number_in_score_or_loss_is_a_diverged_trial_and_named(tmp_path: Path) -> None:
    rows = [list(row) for row in grid_rows(random_scores(0, 2, 2, 3))]
    rows[1][4] = "nan"  # trial 0 at its second evaluation
    rows[11][5] = "inf"  # trial 3 at its last
    table = read_curves(write_csv(tmp_path / "t.csv", rows))
    found = table.tasks[""]
    assert found.diverged == {0, 3}
    assert [len(c.evaluations) for c in found.curves] == [1, 3, 3, 2]
    assert "lines 3, 13" in table.warnings[0]


GOOD = [(1, 1, 10, 0.5, 0.5, 0.6), (1, 1, 20, 1.0, 0.6, 0.5), (1, 2, 20, 1.0, 0.7, 0.4)]


def changed(row: int, column: int, value: object) -> list[list[object]]:
    rows: list[list[object]] = [list(r) for r in GOOD]
    rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (changed(1, 3, 1.5), ["line 3", "share of full training", "0 < progress <= 1"]),
        (changed(1, 3, 0), ["line 3", "share"]),
        (changed(1, 3, -0.1), ["line 3"]),
        (changed(1, 3, "nan"), ["line 3", "share"]),
        (changed(1, 3, 0.5), ["lines 2, 3", "same seeds at the same progress twice"]),
        (changed(1, 2, 5), ["lines 2, 3", "step does not"]),
        (changed(1, 2, 0), ["line 3", "step"]),
        (changed(0, 0, "a"), ["line 2", "init_seed is not a number"]),
        (changed(0, 0, -1), ["line 2", "init_seed"]),
        (changed(0, 0, 1.5), ["line 2", "init_seed"]),
        (changed(0, 0, 2**63), ["line 2", "init_seed"]),
        (changed(0, 0, "1_0"), ["line 2", "init_seed"]),
        (changed(2, 4, ""), ["line 4", "accuracy is empty"]),
        (changed(2, 4, "0,7"), ["line 4", "accuracy is not a number", "0,7"]),
        (changed(2, 5, "None"), ["line 4", "loss is not a number"]),
        ([r[:5] for r in GOOD], ["line 2", "does not fit the header", "5 fields"]),
        ([], ["no rows"]),
    ],
)
def test_wrong_cells_are_named_with_their_rows(
    tmp_path: Path, rows: list[list[object]], says: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        read_curves(write_csv(tmp_path / "t.csv", rows), "accuracy")
    for text in says:
        assert text in str(error.value)


@pytest.mark.parametrize(
    ("header", "metric", "says"),
    [
        (("initseed", *HEADER[1:]), None, ["no column 'init_seed'", "rename 'initseed'"]),
        ((*HEADER[:3], "frac", *HEADER[4:]), None, ["no column 'progress'"]),
        (HEADER, "acuracy", ["no such metric", "did you mean 'accuracy'"]),
        (HEADER, "step", ["no such metric"]),
        ((*HEADER[:4], "acc", "f1"), None, ["several metrics", "acc, f1"]),
        ((*HEADER[:4], "loss", "task"), None, ["no column with a metric", "loss"]),
        ((*HEADER[:4], "acc", "acc"), None, ["stands twice", "acc"]),
    ],
)
def test_wrong_headers_are_explained(
    tmp_path: Path, header: tuple[str, ...], metric: str | None, says: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        read_curves(write_csv(tmp_path / "t.csv", GOOD, header), metric)
    for text in says:
        assert text in str(error.value)


@pytest.mark.parametrize("names", [("a", "a", "b"), ("1", "2", "2"), ("", "1", "2")])
def test_trials_that_contradict_their_seeds_are_refused(tmp_path: Path, names: tuple[str]) -> None:
    rows = [(name, *row) for name, row in zip(names, GOOD, strict=True)]
    with pytest.raises(InputError, match=r"lines? [234]"):
        read_curves(write_csv(tmp_path / "t.csv", [*rows, ("b", *GOOD[2])], ("trial", *HEADER)))


def test_trial_numbers_of_the_table_are_kept(tmp_path: Path) -> None:
    rows = [(trial, *row) for trial, row in zip((7, 7, 3), GOOD, strict=True)]
    found = read_curves(write_csv(tmp_path / "t.csv", rows, ("trial", *HEADER))).tasks[""].curves
    assert [(c.trial, c.seeds.order) for c in found] == [(3, 2), (7, 1)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n\n", "empty"),
        (b"\xff\xfe" + "init_seed".encode("utf-16-le"), "not UTF-8"),
        (b"init_seed,order_seed\n1,\xe9\n", "line 2: not UTF-8"),
        (b"a,b\0\n1,2\n", "zero byte"),
        (b",".join(b"c%d" % k for k in range(100_000)) + b"\n1\n", "too many columns"),
        (b"a," * 1_000_000, "too long"),
        (b"x" * 2_000_000, "too long"),
        (b"a" * 200_000 + b",b\n", "not csv"),
        (b'a,"b\n', "not csv"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_curves(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "dir.csv").mkdir()
    for name in ("dir.csv", "missing.csv", "a\0b.csv", "x" * 5000 + ".csv"):
        with pytest.raises(InputError, match="no such file"):
            read_curves(tmp_path / name)
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        read_curves(tmp_path / "curves.xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
def test_arbitrary_bytes_never_end_in_a_traceback(suffix: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"t{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError):
            read_curves(path)


CELL = st.sampled_from(
    ["1", "2", "0.5", "1.0", "0", "-1", "nan", "inf", "-inf", "", "x", "1e999", "٣", "1.5", " 1 "]
)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(*[CELL] * 6), min_size=1, max_size=5))
def test_arbitrary_cells_give_curves_or_an_input_error(rows: list[tuple[str, ...]]) -> None:
    with TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "t.csv", rows)
        try:
            table = read_curves(path)
        except InputError as error:
            assert "t.csv" in str(error)
            return
    curves = [c for found in table.tasks.values() for c in found.curves]
    assert sum(len(c.evaluations) for c in curves) <= len(rows)
    for curve in curves:
        assert all(e.finite and 0 < e.progress <= 1 and e.step >= 1 for e in curve.evaluations)


def test_parquet_of_other_types_is_explained(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet

    columns = dict(zip(HEADER, zip(*GOOD, strict=True), strict=True))
    for name, cells in (("init_seed", [True] * 3), ("loss", [None] * 3), ("step", [[1]] * 3)):
        pyarrow.parquet.write_table(
            pyarrow.table({k: cells if k == name else list(v) for k, v in columns.items()}),
            tmp_path / "t.parquet",
        )
        with pytest.raises(InputError, match=f"row.*{name}"):
            read_curves(tmp_path / "t.parquet")


def test_without_pyarrow_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    real = builtins.__import__

    def no_pyarrow(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    with pytest.raises(InputError, match="pip install"):
        read_curves(tmp_path / "t.parquet")


def test_a_failed_write_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "out" / "t.csv"
    with pytest.raises(table_files.StorageError, match="cannot write"):
        table_files.write_columns(path, {"a": [1]})
    assert not path.exists()


def test_many_rows_are_named_a_few_at_a_time(tmp_path: Path) -> None:
    rows = [(k, 1, 10, 2.0, 0.5, 0.5) for k in range(100)]
    with pytest.raises(InputError, match=r"lines 2, 3, 4, 5, 6 and 95 more"):
        read_curves(write_csv(tmp_path / "t.csv", rows))


def test_numbers_keep_every_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    score_IOE = rng.random((3, 3, 4))
    curves = read_curves(write_csv(tmp_path / "t.csv", grid_rows(score_IOE))).tasks[""].curves
    read = np.array([[e.score for e in c.evaluations] for c in curves])
    assert (read == score_IOE.reshape(9, 4)).all()
    assert not math.isnan(read.sum())
