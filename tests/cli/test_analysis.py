"""The commands that read curves: the JSON contract, exit codes, what a person sees."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.cli.main import main
from small_studies import (
    HEADER,
    grid_rows,
    labels_and_curves,
    make_study,
    random_scores,
    write_csv,
)

Number = (int, float)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study folder of nine trials with predictions, one of them collapsed."""
    labels_M, curves = labels_and_curves(9, seed=1, collapsed=frozenset({4}))
    return make_study(tmp_path_factory.mktemp("studies") / "study", labels_M, curves)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv of 36 trials in a full grid."""
    return write_csv(
        tmp_path_factory.mktemp("tables") / "curves.csv", grid_rows(random_scores(1, 6, 6, 8))
    )


class Ran:
    """What a command printed and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...]) -> None:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        self.code = stop.value.code or 0
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that was printed; NaN and infinity are no JSON."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} in JSON")

        return dict(json.loads(self.out, parse_constant=refuse))


@pytest.fixture
def seedbed(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *arguments: Ran(capsys, arguments)


def check_analysis(found: dict[str, Any], *, predictions: bool) -> None:
    """Hold an analysis against the contract: keys and types."""
    assert set(found["trials"]) >= {"started", "finished", "failed", "collapsed"}
    assert isinstance(found["metric"], str)
    for one in found["expected_best"]:
        assert isinstance(one["n"], int)
        assert all(isinstance(one[key], Number) for key in ("estimate", "lower", "upper"))
        assert one["lower"] <= one["estimate"] <= one["upper"]
    variance = found["variance"]
    assert isinstance(variance["total"], float)
    for part in ("init", "order", "rest"):
        assert set(variance[part]) >= {"variance", "share", "lower", "upper"}
        assert variance[part]["lower"] <= variance[part]["upper"]
    shares = [variance[part]["share"] for part in ("init", "order", "rest")]
    assert math.isclose(sum(shares), 1.0)
    assert isinstance(variance["validation_noise"], float if predictions else type(None))
    for factor in ("init", "order"):
        test = found["tests"][factor]
        assert set(test) >= {"f", "df_between", "df_error", "p_f", "p_permutation"}
        assert 0 < test["p_permutation"] <= 1
        assert set(test["best_vs_worst"]) >= {"best", "worst", "p_classical", "p_corrected"}
    early_late = found["early_late"]
    points = len(early_late["progress"])
    assert np.array(early_late["spearman"], dtype=float).shape == (points, points)
    for one in early_late["winner_kept"]:
        assert set(one) == {"progress", "keep", "probability"}
        assert 0 <= one["probability"] <= 1
    assert all(isinstance(text, str) for text in found["warnings"])


def test_analyze_a_study_keeps_the_contract(seedbed: Any, study: Path) -> None:
    ran = seedbed("analyze", study, "--json", "--resamples", 100, "--permutations", 50)
    assert ran.code == 0
    check_analysis(ran.json, predictions=True)
    assert ran.json["trials"]["failed"] == ran.json["trials"]["collapsed"] == 1
    assert set(ran.json["optimism"]) >= {"score", "honest", "lower", "upper"}


def test_analyze_a_table_keeps_the_contract(seedbed: Any, table: Path) -> None:
    ran = seedbed("analyze", table, "--json", "--resamples", 100, "--permutations", 50)
    assert ran.code == 0
    check_analysis(ran.json, predictions=False)
    assert ran.json["trials"]["failed"] is None
    again = seedbed("analyze", table, "--json", "--resamples", 100, "--permutations", 50)
    assert again.out == ran.out


def test_replay_and_plan_keep_the_contract(seedbed: Any, table: Path) -> None:
    ran = seedbed("replay", table, "--start", 8, "--at", 0.25, "--keep", 2, "--json")
    keys = ("expected", "cost", "baseline", "gain", "lower", "upper")
    assert all(isinstance(ran.json[key], float) for key in keys)
    assert ran.json["cost"] == pytest.approx(8 * 0.25 + 2 * 0.75)
    drawn = seedbed(
        "replay", table, "--start", 40, "--at", 0.25, "--keep", 2, "--with-replacement", "--json"
    )
    assert drawn.code == 0
    ran = seedbed("plan", table, "--budget", 3, "--json")
    keys = ("at", "cost", "expected", "baseline", "lower", "upper")
    assert all(isinstance(ran.json[key], float) for key in keys)
    assert isinstance(ran.json["start"], int)
    assert isinstance(ran.json["keep"], int)
    assert ran.json["cost"] <= 3
    for other in ran.json["alternatives"]:
        assert set(other) >= {"start", "at", "keep", "cost", "expected"}
    few = seedbed("plan", table, "--budget", 25, "--json")
    assert few.json["expected"] is None
    assert few.json["start"] > few.json["keep"] >= 1


def test_compare_and_power(seedbed: Any, study: Path, table: Path) -> None:
    ran = seedbed("compare", study, table, "--json")
    assert ran.json["pairs"] == 9
    assert set(ran.json["difference"]) == {"value", "lower", "upper"}
    numbers = ("--init", 0, "--order", 0, "--rest", 1e-4)
    ran = seedbed("power", "--difference", 0.01, *numbers, "--json")
    assert (ran.json["unpaired"], ran.json["paired"]) == (17, 18)
    assert seedbed("power", table, "--difference", 0.01, "--json").json["unpaired"] >= 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_curves_go_out_and_come_in(seedbed: Any, study: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"curves{suffix}"
    assert seedbed("curves", study, "--to", path).code == 0
    quick = ("--resamples", 100, "--permutations", 50, "--json")
    inside = seedbed("analyze", study, *quick).json
    outside = seedbed("analyze", path, "--metric", "accuracy", *quick).json
    assert outside["expected_best"] == inside["expected_best"]
    several = seedbed("analyze", path)
    assert several.code == 2
    assert "several metrics" in several.err


def test_a_person_gets_lines_and_notes(seedbed: Any, study: Path, table: Path) -> None:
    ran = seedbed("analyze", study, "--resamples", 100, "--permutations", 50)
    assert ran.code == 0
    for text in ("9 started", "expected best", "honest estimate", "do seeds matter", "note "):
        assert text in ran.out
    assert "trial 4 (init" in ran.out
    rule = ("--start", 8, "--at", 0.25, "--keep", 2)
    assert "gain" in seedbed("replay", table, *rule).out
    assert "patience 2" in seedbed("replay", table, *rule, "--patience", 2).out
    assert "budget 3" in seedbed("plan", table, "--budget", 3).out
    assert "default rule" in seedbed("plan", table, "--budget", 25).out
    assert "A beats B" in seedbed("compare", table, table).out
    assert "paired by seeds" in seedbed("power", table, "--difference", 0.01).out


def test_names_from_a_table_are_not_taken_for_markup(seedbed: Any, tmp_path: Path) -> None:
    rows = [("[red]x[/red]\x1b[31m", *row) for row in grid_rows(random_scores(1, 2, 2, 2))]
    rows += [("b", *row) for row in grid_rows(random_scores(2, 2, 2, 2))]
    path = write_csv(tmp_path / "t.csv", rows, ("task", *HEADER[:4], "[bold]m", "loss"))
    ran = seedbed("analyze", path)
    assert ran.code == 0
    assert "[bold]m" in ran.out
    assert "[red]x[/red]" in ran.out
    assert "\x1b" not in ran.out
    assert "across_tasks" in seedbed("analyze", path, "--json").json


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("analyze", "MISSING"), "no such file"),
        (("analyze", "FOLDER"), "holds no study"),
        (("analyze", "TABLE", "--metric", "f2"), "no such metric"),
        (("analyze", "TABLE", "--confidence", "2"), "--confidence"),
        (("analyze", "TABLE", "--range", "1", "0"), "--range"),
        (("analyze", "TABLE", "--task", "x"), "no such task"),
        (("replay", "TABLE", "--start", "99", "--at", "0.5", "--keep", "1"), "start"),
        (("replay", "TABLE", "--start", "5", "--at", "nan", "--keep", "1"), "at"),
        (("replay", "TABLE", "--start", "5"), "--at"),
        (("plan", "TABLE", "--budget", "0"), "budget"),
        (("plan", "TABLE", "--budget", "many"), "--budget"),
        (("compare", "TABLE", "MISSING"), "no such file"),
        (("power", "--difference", "0.1"), "either from recorded trials or from numbers"),
        (("power", "--difference", "0.1", "--init", "0", "--order", "0"), "all of --init"),
        (("power", "TABLE", "--difference", "0"), "difference"),
        (("power", "TABLE", "--difference", "0.1", "--power", "1"), "power"),
        (("curves", "FOLDER", "--to", "x.csv"), "no study"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(
    seedbed: Any, table: Path, tmp_path: Path, command: tuple[str, ...], says: str
) -> None:
    places = {"TABLE": table, "FOLDER": tmp_path, "MISSING": tmp_path / "none.csv"}
    ran = seedbed(*(places.get(word, word) for word in command))
    assert ran.code == 2
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
