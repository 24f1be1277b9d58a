"""From a study folder or a curves table to recordings, the analyses' input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.api.study import Study
from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import InputError, StudyError, clipped, nearest
from seedbed.core.work import Decision
from seedbed.report.recording import SCORE_RANGES, Predictions, Recording
from seedbed.store.curves_table import LOSS, read_curves
from seedbed.store.layout import Layout
from seedbed.tasks.encode import Encoded
from seedbed.tasks.metrics import METRICS, majority_score

LOGIT_BYTES = 2


@dataclass(frozen=True, kw_only=True)
class Source:
    """What to analyse: a study folder or a curves table, and what the user adds to it."""

    path: Path
    metric: str | None = None
    majority: float | None = None
    score_range: tuple[float, float] | None = None


def recordings(source: Source) -> dict[str, Recording]:
    """Open a study folder or a curves table: a recording for each task.

    Raises InputError for what is neither, or holds no such metric.
    """
    _check_numbers(source)
    if Layout(source.path).is_study:
        study = Study(source.path)
        try:
            return {str(study.facts["task"]["name"]): _of_study(study, source)}
        finally:
            study.close()
    if source.path.is_dir():
        raise InputError(
            "the folder holds no study",
            where=clipped(str(source.path)),
            allowed="a study's folder, or a curves table (.csv, .parquet)",
        )
    return _of_table(source)


def recording(source: Source, task: str | None = None) -> Recording:
    """Open one task's recording; of several, ``task`` must say which."""
    found = recordings(source)
    if task is None and len(found) == 1:
        return next(iter(found.values()))
    if task in found:
        return found[task]
    raise InputError(
        "several tasks; say which" if task is None else "no such task",
        where=f"{clipped(str(source.path))}, --task",
        given=task,
        allowed=clipped(nearest(task or "", [name or '""' for name in found]), 500),
    )


def _check_numbers(source: Source) -> None:
    if source.majority is not None and not math.isfinite(source.majority):
        raise InputError("no finite number", where="--majority", given=source.majority)
    if source.score_range is not None and not source.score_range[0] < source.score_range[1]:
        raise InputError(
            "the least score comes before the largest",
            where="--range",
            given=f"{source.score_range[0]:g} {source.score_range[1]:g}",
            allowed="two numbers, for example 0 1",
        )


def _range(source: Source, metric: str) -> tuple[float, float]:
    if source.score_range is not None:
        return source.score_range
    return SCORE_RANGES.get(metric, (-math.inf, math.inf))


def _of_table(source: Source) -> dict[str, Recording]:
    table = read_curves(source.path, source.metric)
    single = len(table.tasks) == 1
    return {
        task: Recording(
            name=str(source.path) if single else f"{source.path}, task {clipped(task, 60)}",
            metric=table.metric,
            curves=found.curves,
            diverged=found.diverged,
            has_loss=table.has_loss,
            has_seconds=table.has_seconds,
            majority=source.majority,
            score_range=_range(source, table.metric),
            warnings=table.warnings if found.diverged else (),
        )
        for task, found in table.tasks.items()
    }


def _of_study(study: Study, source: Source) -> Recording:
    metric = source.metric or study.metric
    verdicts = study.verdicts
    all_curves = study.database.curves(logits=True)
    started = {t: c for t, c in all_curves.items() if c.evaluations or t in verdicts}
    labels, warnings = _labels(study)
    predictions = None
    if labels is not None:
        predictions = _predictions(started, labels, len(study.facts["task"]["label_names"]))
    curves = tuple(_scored(curve, metric, study.metric) for curve in started.values())
    return Recording(
        name=str(source.path),
        metric=metric,
        curves=curves,
        diverged=_diverged(study, started),
        chosen=any(v.decision in {Decision.STOP, Decision.PAUSE} for v in verdicts.values()),
        majority=_majority(study, metric, labels, source.majority),
        score_range=_range(source, metric),
        predictions=predictions,
        warnings=warnings,
    )


def _diverged(study: Study, started: Mapping[int, Curve]) -> frozenset[int]:
    """Give the trials whose loss was no number: failed at a step that has no evaluation."""
    return frozenset(
        judged.trial
        for judged in study.database.verdicts()
        if judged.verdict.decision is Decision.FAIL and judged.step > started[judged.trial].step
    )


def _labels(study: Study) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Load the validation split's labels; a warning where they are gone."""
    try:
        return np.array(Encoded.load(study.layout.task / "validation").labels), ()
    except StudyError as error:
        return None, (f"no labels, so predictions are not looked at: {error}",)


def _scored(curve: Curve, metric: str, own: str) -> Curve:
    """Give the curve scored by ``metric``, without the logits."""
    found = []
    for evaluation in curve.evaluations:
        score = evaluation.score
        if metric == LOSS:
            score = -evaluation.loss
        elif metric != own:
            score = _score(evaluation, metric, own)
        found.append(replace(evaluation, score=score, logits=None))
    return replace(curve, evaluations=tuple(found))


def _score(evaluation: Evaluation, metric: str, own: str) -> float:
    if metric not in evaluation.scores:
        raise InputError(
            "no such metric",
            where="--metric",
            given=metric,
            allowed=nearest(metric, {own, LOSS, *evaluation.scores}),
        )
    return evaluation.scores[metric]


def _predictions(started: Mapping[int, Curve], labels: Any, classes: int) -> Predictions | None:
    """Turn stored logits into predicted classes; None where there are none."""
    predicted = {}
    for trial, curve in started.items():
        for evaluation in curve.evaluations:
            logits = evaluation.logits
            if logits is not None and len(logits) == len(labels) * classes * LOGIT_BYTES:
                logits_MC = np.frombuffer(logits, dtype=np.float16).reshape(-1, classes)
                predicted[trial, evaluation.step] = logits_MC.argmax(axis=1).astype(np.int16)
    return Predictions(labels.astype(np.int64), classes, predicted) if predicted else None


def _majority(study: Study, metric: str, labels: Any, given: float | None) -> float | None:
    if given is not None:
        return given
    if metric == study.metric:
        return float(study.facts["task"]["majority_score"])
    classes = len(study.facts["task"]["label_names"])
    known = METRICS.get(metric)
    if labels is None or known is None or not known.applies(classes):
        return None
    return majority_score(labels, metric, classes)
