"""What a person can get wrong on the command line: exit code 2 and a message that helps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seedbed
from seedbed.core.work import Decision
from toys import counter_curve, grid, random_curves
from written_studies import write_study

Run = Callable[..., tuple[int, str, str]]


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"seedbed {seedbed.__version__}\n", "")


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for command in ("run", "resume", "status", "export", "demo"):
        assert command in out


def start_many(start: int, at: float, keep: int) -> list[str]:
    rule = {"name": "start-many", "start": start, "at": at, "keep": keep}
    return ["run", *(part for k, v in rule.items() for part in ("--set", f"policy.{k}={v}"))]


WRONG: dict[str, tuple[list[str], list[str]]] = {
    "option": (["status", ".", "--jsn"], ["--jsn"]),
    "command": (["trian"], ["trian"]),
    "missing argument": (["status"], ["DIR"]),
    "number": (["run", "--budget", "much"], ["--budget", "number"]),
    "task": (["run", "--task", "mprc"], ["mprc", "mrpc"]),
    "key": (
        ["run", "--set", "recipe.learning_rte=1e-5"],
        ["learning_rte", "did you mean 'learning_rate'?"],
    ),
    "hyphen": (["run", "--set", "recipe.learning-rate=1e-5"], ["did you mean 'learning_rate'?"]),
    "section": (
        ["run", "--set", "recipes.x=1"],
        ["unknown section 'recipes'", "did you mean 'recipe'?"],
    ),
    "no section": (["run", "--set", "learning_rate=1"], ["--set", "section.key"]),
    "no value": (["run", "--set", "recipe.learning_rate"], ["--set", "section.key=value"]),
    "type": (["run", "--set", "recipe.batch_size=many"], ["[recipe] batch_size", "many"]),
    "deep": (["run", "--set", "recipe.batch_size=" + "[" * 20_000], ["[recipe] batch_size"]),
    "long": (["run", "--set", "recipe.batch_size=" + "9" * 5000], ["[recipe] batch_size"]),
    "two values": (["run", "--set", "seeds.init=1\nx=2"], ["[seeds] init"]),
    "range": (["run", "--set", "policy.budget=0"], ["[policy] budget", "1 or more"]),
    "budget": (["run", "--budget", "0.5"], ["budget", "1 or more"]),
    "share": (
        start_many(4, 1.5, 1),
        ["at", "0 < at < 1"],
    ),
    "keep": (
        start_many(4, 0.5, 5),
        ["start = 4, keep = 5", "0 <= keep <= 4"],
    ),
    "more than the design": (
        start_many(26, 0.5, 5),
        ["26", "1..25"],
    ),
    "study file": (["run", "missing.toml"], ["no such study file", "missing.toml"]),
    "no study": (["status", "nowhere"], ["nowhere holds no study"]),
    "nothing to resume": (["resume", "nowhere"], ["nowhere holds no study"]),
    "nothing to export": (["export", "nowhere", "--to", "model"], ["nowhere holds no study"]),
    "metric": (["run", "--metric", "acuracy"], ["acuracy", "accuracy"]),
    "data": (["run", "--task", "mrpc", "--data", "missing"], ["missing"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_code_2_with_a_message(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = WRONG[case]
    code, out, err = run(*arguments)
    assert code == 2, err
    assert out == ""
    for word in words:
        assert word in err
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_a_folder_that_is_no_study_is_said_so(run: Run, tmp_path: Path) -> None:
    code, _, err = run("status", tmp_path)
    assert code == 2
    assert "holds no study" in err
    with sqlite3.connect(tmp_path / "study.db") as raw:
        raw.execute("create table songs (title text)")
    code, _, err = run("status", tmp_path)
    assert code == 1
    assert "no study" in err


def test_an_output_folder_that_holds_anything_is_refused(run: Run, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    before = sorted(p.name for p in study.iterdir())
    code, _, err = run("run", "--out", study)
    assert (code, "holds a study already" in err, "resume" in err) == (2, True, True)
    other = tmp_path / "notes"
    other.mkdir()
    (other / "precious.txt").write_text("x")
    code, _, err = run("run", "--out", other)
    assert (code, "not empty" in err) == (2, True)
    code, _, err = run("run", "--out", other / "precious.txt")
    assert code == 2
    assert sorted(p.name for p in study.iterdir()) == before
    assert (other / "precious.txt").read_text() == "x"


def test_a_study_is_not_gone_on_with_as_another(run: Run, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    code, _, err = run("run", "--out", study, "--resume", "--set", "recipe.batch_size=8")
    assert code == 2
    assert "[recipe] batch_size" in err
    code, _, err = run("run", "--out", study, "--resume", "--set", "seeds.init=[7]")
    assert (code, "lacks" in err) == (2, True)


def test_export_into_a_used_folder_is_refused(run: Run, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    code, _, err = run("export", study, "--to", study)
    assert (code, "not empty" in err) == (2, True)
    code, _, err = run("export", study, "--to", tmp_path / "model")
    assert (code, "nothing to export" in err) == (1, True)
    assert not (tmp_path / "model").exists()


def test_status_as_json_is_one_object_with_the_counts(run: Run, tmp_path: Path) -> None:
    curves = [counter_curve(t, s) for t, s in enumerate(grid(25)[:3])]
    decisions = [Decision.FINISH, Decision.FAIL, Decision.FINISH]
    study = write_study(tmp_path / "study", curves, decisions)
    code, out, err = run("status", study, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["trials"] == {
        "designed": 25,
        "started": 3,
        "going_on": 0,
        "paused": 0,
        "stopped": 0,
        "failed": 1,
        "finished": 2,
    }
    assert found["spent"] == pytest.approx(3.0)
    winner = max((curves[0], curves[2]), key=lambda c: c.best().score)
    assert found["best"]["trial"] == winner.trial
    assert found["best"]["score"] == winner.best().score
    assert found["finished_scores"]["count"] == 2


def test_status_of_a_study_that_has_not_begun(run: Run, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    code, out, _ = run("status", study)
    assert code == 0
    assert "25 designed" in out
    assert json.loads(run("status", study, "--json")[1])["best"] is None


def test_hostile_names_are_shown_and_not_obeyed(run: Run, tmp_path: Path) -> None:
    curves = random_curves(2, seed=1)
    study = write_study(
        tmp_path / "[red]a\x1b[2Jb\nc[", curves, [Decision.FINISH, Decision.STOP], name="[bold]x[/]"
    )
    code, out, _ = run("status", study)
    assert code == 0
    assert "\x1b" not in out
    assert "[red]a" in out
    missing = tmp_path / "no\x1b[31m[bold]study"
    code, _, err = run("status", missing)
    assert code == 2
    assert "\x1b" not in err
    assert "[bold]study" in err
    code, _, err = run("run", "--task", "\x1b[2J[bold]x")
    assert code == 2
    assert "\x1b" not in err


def test_ctrl_c_while_preparing_is_130(run: Run, monkeypatch: Any, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seedbed.api.prepare.prepare", interrupted)
    assert run("run", "--out", tmp_path / "study")[0] == 130
