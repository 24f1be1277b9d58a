"""Curves as a table: a row for each evaluation of each trial, from any tracker.

Columns: ``task`` (optional), ``trial`` (optional), ``init_seed``, ``order_seed``,
``dropout_seed`` (optional), ``step``, ``progress`` (0 < progress <= 1, share of full
training), ``seconds`` (optional), then a column a metric (larger is better) and, optional,
``loss``. Reading and writing are exact: what a study writes is read back as it was.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seedbed.core.curves import PROGRESS_TOLERANCE, Curve, Evaluation
from seedbed.core.errors import InputError, clipped, nearest
from seedbed.core.seeds import SEED_LIMIT, Seeds, derived_dropout
from seedbed.store.cells import finite_numbers, numbers, texts, whole_numbers
from seedbed.store.table_files import Columns, Header, read_columns, read_header, write_columns

REQUIRED = ("init_seed", "order_seed", "step", "progress")
OPTIONAL = ("task", "trial", "dropout_seed", "seconds")
LOSS = "loss"
KNOWN = {*REQUIRED, *OPTIONAL, LOSS}
STEP_LIMIT = 2**53


@dataclass(frozen=True)
class TaskCurves:
    """The trials of one task in the order of their numbers.

    ``diverged`` are the numbers of trials with a score or loss that is no finite number;
    their curves end before it.
    """

    curves: tuple[Curve, ...]
    diverged: frozenset[int] = frozenset()


@dataclass(frozen=True)
class CurvesTable:
    """The curves of a file by task ("" where it has no such column), scored by ``metric``."""

    path: Path
    metric: str
    metrics: tuple[str, ...]
    has_loss: bool
    has_seconds: bool
    tasks: Mapping[str, TaskCurves]
    warnings: tuple[str, ...] = ()


def read_curves(path: Path, metric: str | None = None) -> CurvesTable:
    """Read a curves table, .csv or .parquet; trials are scored by ``metric``.

    Without ``metric`` the file must have one metric column only. The metric ``loss`` is
    negated, so that larger is better. Raises InputError, which names the rows, for whatever
    cannot be understood in one way only.
    """
    header = read_header(path)
    for name in REQUIRED:
        if name not in header.names:
            raise InputError(
                f"the table has no column {name!r}",
                where=str(path),
                given=clipped(", ".join(header.names)),
                allowed=f"columns {', '.join(REQUIRED)} and a metric{_meant(name, header)}",
            )
    if not header.first:
        raise InputError("the table has no rows", where=str(path), allowed="a row an evaluation")
    metrics = tuple(
        name for name in header.names if name and name not in KNOWN and _number_like(header, name)
    )
    chosen = _chosen(path, metric, metrics, header)
    has_loss = LOSS in header.names
    wanted = {*REQUIRED, chosen, *((LOSS,) if has_loss else ()), *(set(OPTIONAL) & {*header.names})}
    return _Reader(read_columns(path, sorted(wanted)), chosen, metrics).table()


def _meant(missing: str, header: Header) -> str:
    free = [name for name in header.names if name and name not in KNOWN]
    hint = nearest(missing, free).rpartition("(did you mean ")[2] if free else ""
    return f"; rename {hint.rstrip('?)')}?" if hint.endswith("?)") else ""


def _number_like(header: Header, name: str) -> bool:
    cell = header.first.get(name)
    if isinstance(cell, bool):
        return False
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _chosen(path: Path, metric: str | None, metrics: Sequence[str], header: Header) -> str:
    if metric is None and len(metrics) == 1:
        return metrics[0]
    valid = [*metrics, *((LOSS,) if LOSS in header.names else ())]
    if metric in valid:
        return str(metric)
    if metric is None:
        problem = "several metrics; say which" if metrics else "no column with a metric"
        given = None
    else:
        problem, given = "no such metric", metric
    allowed = clipped(nearest(metric or "", valid), 500) if valid else "a column of numbers"
    raise InputError(problem, where=f"{path}, --metric", given=given, allowed=allowed)


class _Reader:
    """Turns checked columns into curves."""

    def __init__(self, columns: Columns, metric: str, metrics: tuple[str, ...]) -> None:
        self.columns, self.metric, self.metrics = columns, metric, metrics
        rows = len(columns.numbers)
        self.init = whole_numbers(columns, "init_seed", 0, SEED_LIMIT - 1)
        self.order = whole_numbers(columns, "order_seed", 0, SEED_LIMIT - 1)
        self.step = whole_numbers(columns, "step", 1, STEP_LIMIT)
        self.progress = self._progress()
        self.score = numbers(columns, metric)
        self.has_loss = LOSS in columns.cells
        self.loss = numbers(columns, LOSS) if self.has_loss else [0.0] * rows
        self.seconds = [0.0] * rows
        if "seconds" in columns.cells:
            self.seconds = finite_numbers(columns, "seconds", 0.0, math.inf)
        self.task = texts(columns, "task") if "task" in columns.cells else [""] * rows
        self.given = texts(columns, "trial") if "trial" in columns.cells else None
        if "dropout_seed" in columns.cells:
            self.dropout = whole_numbers(columns, "dropout_seed", 0, SEED_LIMIT - 1)
        else:
            pairs = list(zip(self.init, self.order, strict=True))
            derived = {pair: derived_dropout(*pair) for pair in set(pairs)}
            self.dropout = [derived[pair] for pair in pairs]

    def _progress(self) -> list[float]:
        """Read progress; what is 1 but for rounding is 1."""
        found = numbers(self.columns, "progress")
        bad = [k for k, p in enumerate(found) if not 0 < p <= 1 + PROGRESS_TOLERANCE]
        if bad:
            self.columns.fail(
                "progress is a share of full training",
                bad,
                given=self.columns.cells["progress"][bad[0]],
                allowed="0 < progress <= 1",
            )
        return [1.0 if p >= 1 - PROGRESS_TOLERANCE else p for p in found]

    def table(self) -> CurvesTable:
        """Group the rows by task and seeds."""
        groups: dict[str, dict[Seeds, list[int]]] = {}
        for k, task in enumerate(self.task):
            seeds = Seeds(self.init[k], self.order[k], self.dropout[k])
            groups.setdefault(task, {}).setdefault(seeds, []).append(k)
        not_finite: list[int] = []
        tasks = {task: self._task(of_task, not_finite) for task, of_task in groups.items()}
        warnings: tuple[str, ...] = ()
        if not_finite:
            where = self.columns.named(not_finite)
            warnings = (
                f"{where}: the {self.metric} or loss is no finite number; these trials count as "
                "diverged (failed) and their curves end before it",
            )
        return CurvesTable(
            path=self.columns.path,
            metric=self.metric,
            metrics=self.metrics,
            has_loss=self.has_loss,
            has_seconds="seconds" in self.columns.cells,
            tasks=tasks,
            warnings=warnings,
        )

    def _task(self, groups: Mapping[Seeds, list[int]], not_finite: list[int]) -> TaskCurves:
        trials = self._trial_numbers(groups)
        curves, diverged = [], set()
        for seeds, rows in groups.items():
            trial = trials[seeds]
            ordered = self._ordered(rows)
            bad = [k for k in ordered if not self._finite(k)]
            if bad:
                diverged.add(trial)
                not_finite.append(bad[0])
                ordered = ordered[: ordered.index(bad[0])]
            curves.append(Curve(trial, seeds, tuple(self._evaluation(k) for k in ordered)))
        curves.sort(key=lambda curve: curve.trial)
        return TaskCurves(tuple(curves), frozenset(diverged))

    def _finite(self, k: int) -> bool:
        return math.isfinite(self.score[k]) and math.isfinite(self.loss[k])

    def _evaluation(self, k: int) -> Evaluation:
        score = -self.score[k] if self.metric == LOSS else self.score[k]
        return Evaluation(
            step=self.step[k],
            progress=self.progress[k],
            score=score,
            loss=self.loss[k],
            scores={self.metric: score},
            seconds=self.seconds[k],
        )

    def _ordered(self, rows: list[int]) -> list[int]:
        """Sort a trial's rows by progress; refuse duplicates and steps that go back."""
        ordered = sorted(rows, key=lambda k: (self.progress[k], k))
        for before, after in itertools.pairwise(ordered):
            if self.progress[after] - self.progress[before] <= PROGRESS_TOLERANCE:
                self.columns.fail(
                    "the same seeds at the same progress twice",
                    [before, after],
                    given=f"init_seed {self.init[after]}, order_seed {self.order[after]}, "
                    f"progress {self.progress[after]:g}",
                    allowed="one row an evaluation; trials with equal seeds of init and order "
                    "are told apart by dropout_seed",
                )
            if self.step[after] <= self.step[before]:
                self.columns.fail(
                    "progress goes on, but step does not",
                    [before, after],
                    given=f"steps {self.step[before]}, {self.step[after]}",
                    allowed="steps that rise with progress",
                )
        return ordered

    def _trial_numbers(self, groups: Mapping[Seeds, list[int]]) -> dict[Seeds, int]:
        """Number the trials as the table does, or, where it has no numbers, in its order."""
        order = {seeds: k for k, seeds in enumerate(groups)}
        if self.given is None:
            return order
        seeds_of: dict[str, tuple[Seeds, int]] = {}
        named: dict[Seeds, str] = {}
        for seeds, rows in groups.items():
            for k in rows:
                name = self.given[k]
                owner, first = seeds_of.setdefault(name, (seeds, k))
                if owner != seeds or named.setdefault(seeds, name) != name:
                    other = first if owner != seeds else rows[0]
                    self.columns.fail(
                        "trial and seeds do not agree",
                        [other, k],
                        given=f"trial {self.given[other]} and {name}",
                        allowed="one trial for each combination of seeds, in each task",
                    )
        plain = all(name.isascii() and name.isdigit() and len(name) < 18 for name in seeds_of)
        wanted = {seeds: int(name) for seeds, name in named.items()} if plain else order
        return wanted if len(set(wanted.values())) == len(wanted) else order


def write_curves(
    path: Path,
    curves: Sequence[Curve],
    *,
    task: str,
    failed: Mapping[int, tuple[int, float]] | None = None,
) -> None:
    """Write ``curves`` as a table, .csv or .parquet.

    ``failed`` gives (step, progress) at which a trial's scores were no numbers: it gets a row
    of NaN there. Raises InputError where nothing was evaluated yet.
    """
    metrics = list(dict.fromkeys(m for c in curves for e in c.evaluations for m in e.scores))
    fixed = ("task", "trial", "init_seed", "order_seed", "dropout_seed", "step", "progress")
    names = [*fixed, "seconds", *(m for m in metrics if m not in KNOWN), LOSS]
    cells: dict[str, list[object]] = {name: [] for name in names}
    for curve in curves:
        seeds = (curve.seeds.init, curve.seeds.order, curve.seeds.dropout)
        rows: list[tuple[int, float, float, Mapping[str, float]]] = [
            (e.step, e.progress, e.seconds, {**e.scores, LOSS: e.loss}) for e in curve.evaluations
        ]
        if failed and curve.trial in failed and failed[curve.trial][0] > curve.step:
            seconds = curve.last.seconds if curve.last else 0.0
            rows.append((*failed[curve.trial], seconds, {}))
        for step, progress, seconds, scores in rows:
            values = (task, curve.trial, *seeds, step, progress, seconds)
            for name, value in zip((*fixed, "seconds"), values, strict=True):
                cells[name].append(value)
            for name in names[len(values) :]:
                cells[name].append(scores.get(name, math.nan))
    if not cells["step"]:
        raise InputError("no trial was evaluated yet, so there are no curves to write")
    write_columns(path, cells)
