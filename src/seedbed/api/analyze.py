"""The analyses of a study folder or a curves table, wired: open, compute, hand back.

Every function takes a ``Source`` and gives a frozen result whose ``json()`` is what the
command of the same name prints with ``--json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.api.recordings import Source, recording, recordings
from seedbed.api.study import Study
from seedbed.core.errors import InputError, clipped
from seedbed.core.work import Decision
from seedbed.report.across_tasks import AcrossTasks, across_tasks
from seedbed.report.analysis import Analysis, Settings
from seedbed.report.analysis import analyze as analyze_recording
from seedbed.report.analysis_json import analysis_json
from seedbed.report.recipes import Compared, Power, power_of_numbers, power_of_recording
from seedbed.report.recipes import compare as compare_recordings
from seedbed.report.rules import Planned, Replayed, plan_rule, replay_rule
from seedbed.stopping.budget import Rule
from seedbed.store.curves_table import write_curves
from seedbed.store.layout import Layout

__all__ = [
    "Analyses",
    "Rule",
    "Settings",
    "Source",
    "analyze",
    "compare",
    "export_curves",
    "plan",
    "power",
    "replay",
]

MOST_RESAMPLES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Analyses:
    """An analysis for each task asked for, and, where there are several, what they share."""

    by_task: Mapping[str, Analysis]
    across: AcrossTasks | None = None

    def json(self) -> dict[str, Any]:
        """Give one task's analysis itself; of several, each under ``tasks``."""
        parts = {task: analysis_json(analysis) for task, analysis in self.by_task.items()}
        found: dict[str, Any] = (
            {"tasks": parts} if len(parts) > 1 else {**next(iter(parts.values()))}
        )
        if self.across is not None:
            found["across_tasks"] = self.across.json()
        return found


def analyze(
    source: Source, *, task: str | None = None, settings: Settings | None = None
) -> Analyses:
    """Account for the luck in a study's or a table's trials.

    A table of several tasks is analysed task by task (or only ``task``), and whether the
    tasks agree about good init seeds is tested.
    """
    settings = settings or Settings()
    _check(settings.confidence, settings.resamples, settings.seed)
    _whole("--permutations", settings.permutations, 1)
    found = recordings(source)
    chosen = {task: recording(source, task)} if task is not None else found
    with _as_input_error(source):
        across = None
        if len(found) > 1:
            across = across_tasks(sorted(found.items()), seed=settings.seed)
        return Analyses(
            by_task={name: analyze_recording(one, settings) for name, one in chosen.items()},
            across=across,
        )


def replay(
    source: Source,
    rule: Rule,
    *,
    task: str | None = None,
    patience: int | None = None,
    replacement: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
) -> Replayed:
    """Say what starting ``rule.start`` and keeping ``rule.keep`` would have earned."""
    _check(confidence, 2, seed)
    return replay_rule(
        recording(source, task),
        rule,
        patience=patience,
        replacement=replacement,
        confidence=confidence,
        seed=seed,
    )


def plan(
    source: Source,
    budget: float,
    *,
    task: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Planned:
    """Choose a rule for ``budget`` full-trial equivalents."""
    _check(confidence, 2, seed)
    return plan_rule(recording(source, task), budget, confidence=confidence, seed=seed)


def compare(
    a: Source,
    b: Source,
    *,
    task: str | None = None,
    confidence: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> Compared:
    """Compare the recipes of two studies or tables by trials with the same seeds."""
    _check(confidence, resamples, seed)
    first, second = recording(a, task), recording(b, task)
    with _as_input_error(a):
        return compare_recordings(
            first, second, confidence=confidence, resamples=resamples, seed=seed
        )


def power(
    source: Source | None,
    difference: float,
    *,
    variances: tuple[float, float, float] | None = None,
    task: str | None = None,
    power: float = 0.8,
    level: float = 0.05,
) -> Power:
    """Say how many trials two recipes need so that ``difference`` is found.

    The spread is measured in ``source``, or given as the ``variances`` of init, order and
    the rest.
    """
    try:
        if source is not None and variances is None:
            found = recording(source, task)
            return power_of_recording(found, difference, power=power, level=level)
        if source is None and variances is not None:
            init, order, rest = variances
            return power_of_numbers(
                difference, init=init, order=order, rest=rest, power=power, level=level
            )
    except ValueError as error:
        raise InputError(str(error), where="power") from error
    raise InputError(
        "the spread comes either from recorded trials or from numbers",
        where="power",
        allowed="a study's folder or a curves table, or all of --init, --order and --rest",
    )


def export_curves(folder: Path, to: Path) -> None:
    """Write a study's curves as a table, .csv or .parquet, that any tool can read."""
    if not Layout(folder).is_study:
        raise InputError("the folder holds no study", where=clipped(str(folder)))
    study = Study(folder)
    try:
        failed = {
            judged.trial: (judged.step, study.schedule.progress(judged.step))
            for judged in study.database.verdicts()
            if judged.verdict.decision is Decision.FAIL
        }
        write_curves(
            to,
            list(study.curves.values()),
            task=str(study.facts["task"]["name"]),
            failed=failed,
        )
    finally:
        study.close()


def _check(confidence: float, resamples: int, seed: int) -> None:
    if not 0 < confidence < 1:
        raise InputError(
            "no probability", where="--confidence", given=confidence, allowed="between 0 and 1"
        )
    _whole("--resamples", resamples, 2)
    if seed < 0:
        raise InputError("no seed", where="--seed", given=seed, allowed="0, 1, 2, ...")


def _whole(where: str, value: int, low: int) -> None:
    if not low <= value <= MOST_RESAMPLES:
        raise InputError(
            "no such number", where=where, given=value, allowed=f"{low} to {MOST_RESAMPLES}"
        )


@contextmanager
def _as_input_error(source: Source) -> Iterator[None]:
    """What the estimators refuse is the user's input, said as such."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error), where=str(source.path)) from error
