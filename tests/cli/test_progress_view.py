"""The progress view draws any study: none, one, hundreds of trials, failed ones."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from seedbed.api.study import Study
from seedbed.api.train import Estimate
from seedbed.cli import show
from seedbed.cli.progress import Progress, duration, sparkline
from seedbed.core.curves import Curve
from seedbed.core.work import Decision, Verdict
from toys import random_curves
from written_studies import write_study

ESTIMATE = Estimate(trials=10.0, seconds=100.0, disk_bytes=10**9, workers=2, learner="huggingface")


def terminal(*, live: bool) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=live,
        record=True,
        width=110,
        height=30,
        legacy_windows=False,
    )


def played(study: Path, console: Console, curves: list[Curve]) -> Progress:
    """Tell a view of everything that can happen to ``curves``."""
    with Progress(Study(study), console) as progress:
        progress.expect(ESTIMATE)
        for curve in curves:
            for k in range(1, len(curve.evaluations) + 1):
                part = replace(curve, evaluations=curve.evaluations[:k])
                decision = Decision.FINISH if part.finished else Decision.CONTINUE
                progress.evaluated(part, Verdict(decision, "as said"))
            kinds = list(Decision)
            progress.judged(curve.trial, Verdict(kinds[curve.trial % len(kinds)], "so [bold]"))
        progress.note("a [red]note[/] with \x1b[2J and [/nonsense]")
    return progress


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("trials", [0, 1, 300])
def test_any_number_of_trials_is_drawn(tmp_path: Path, trials: int, live: bool) -> None:
    console = terminal(live=live)
    curves = random_curves(trials, seed=1, evaluations=3)
    progress = played(write_study(tmp_path / "study"), console, curves)
    text = console.export_text()
    assert "a [red]note[/] with" in text
    assert "\x1b[2J" not in text
    assert "about 2 min on 2 worker(s)" in text
    if trials:
        best = max(e.score for c in curves for e in c.evaluations)
        assert f"best {best:.4f}" in text
        assert progress.best is not None
        assert progress.best[1].score == best
    if trials == 300 and live:
        last_view = text.rpartition("trial  seeds")[2]
        lines = [line for line in last_view.splitlines() if "init" in line]
        assert 0 < len(lines) <= 30, "the view fits the terminal"
        assert "more trials" in text


@pytest.mark.parametrize("live", [True, False])
def test_a_trial_that_fails_before_its_first_evaluation_is_told_of(
    tmp_path: Path, live: bool
) -> None:
    console = terminal(live=live)
    with Progress(Study(write_study(tmp_path / "study")), console) as progress:
        empty = replace(random_curves(1, seed=1)[0], evaluations=())
        progress.evaluated(empty, Verdict(Decision.FAIL, "the loss is nan [bold]"))
    text = console.export_text()
    assert "1 failed" in text
    if not live:
        assert "the loss is nan [bold]" in text


def test_the_best_of_failed_trials_is_not_the_best(tmp_path: Path) -> None:
    console = terminal(live=False)
    (curve,) = random_curves(1, seed=1)
    with Progress(Study(write_study(tmp_path / "study")), console) as progress:
        progress.evaluated(curve, Verdict(Decision.FAIL, "nan"))
    assert progress.best is None


def test_a_view_goes_on_from_where_the_study_stands(tmp_path: Path) -> None:
    curves = random_curves(3, seed=2)
    decisions = [Decision.FINISH, Decision.PAUSE, Decision.STOP]
    study = write_study(tmp_path / "study", curves, decisions)
    console = terminal(live=True)
    with Progress(Study(study), console) as progress:
        progress.expect(ESTIMATE)
    text = console.export_text()
    for word in ("1 finished", "1 paused", "1 stopped", f"best {progress.best[1].score:.4f}"):
        assert word in text


def test_the_plan_escapes_what_a_person_named(tmp_path: Path) -> None:
    console = terminal(live=False)
    show.plan(Study(write_study(tmp_path / "study", name="[red]task[/]")), console)
    text = console.export_text()
    assert "[red]" in text
    assert "task[/]" in text


def test_sparklines_span_their_own_extremes() -> None:
    (curve,) = random_curves(1, seed=1, evaluations=40)
    drawn = sparkline(curve)
    assert len(drawn) == 30
    assert {"▁", "█"} <= set(drawn)
    flat = replace(curve, evaluations=curve.evaluations[:1])
    assert sparkline(flat) == "▁"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2.0 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
