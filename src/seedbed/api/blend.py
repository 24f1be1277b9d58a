"""Models made of several of the best trials: a greedy soup, an ensemble of logits.

Axes: M validation examples, C classes.
"""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.api.build import build_learner, job_of
from seedbed.api.card import card
from seedbed.api.export import best_trials, export_best, weights_of, winner_of, write_folder
from seedbed.api.study import Study
from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import InputError, StudyError
from seedbed.core.streams import derive
from seedbed.tasks.metrics import scores

HELD_SHARE = 0.5
"""Of the validation split judges the soup; whole classes are split alike."""


@dataclass(frozen=True)
class Exported:
    """Where the model is, which trials are in it, its validation score, what to know."""

    folder: Path
    kind: str
    trials: tuple[int, ...]
    score: float
    note: str = ""


def export(study: Study, to: Path, kind: str = "best") -> Exported:
    """Write a model to the folder ``to``: ``best``, ``soup`` or ``ensemble``.

    Raises InputError for another kind, StudyError where no trial was evaluated yet.
    """
    if kind == "best":
        winner = winner_of(study)
        folder = export_best(study, to)
        return Exported(folder, kind, (winner.curve.trial,), winner.evaluation.score)
    if kind == "soup":
        return export_soup(study, to)
    if kind == "ensemble":
        return export_ensemble(study, to)
    raise InputError(
        "no such kind of model", where="--kind", given=kind, allowed="best, soup, ensemble"
    )


def export_soup(study: Study, to: Path) -> Exported:
    """Average the best trials' weights as long as a held part of the validation split gains.

    Falls back to the best trial, and says so, where no average is better.
    """
    from seedbed.train.soup import greedy_soup

    winner, best = winner_of(study), best_trials(study)
    learner, job = build_learner(study.layout.root), job_of(study)
    files = [weights_of(study, learner, curve.trial, e.step) for curve, e in best]
    held_M = held_part(np.asarray(job.validation.labels))
    with TemporaryDirectory(prefix="seedbed-") as temporary:
        weights = Path(temporary) / "soup.safetensors"
        soup = greedy_soup(job, files, held_M, weights)
        if len(soup.members) == 1:
            folder = export_best(study, to)
            note = "the study keeps one trial's weights only: exported that"
            if len(best) > 1:
                note = f"no mean of the {len(best)} best trials beat the best alone: exported that"
            return Exported(folder, "best", (winner.curve.trial,), winner.evaluation.score, note)
        members = [best[place][0] for place in soup.members]
        rows: dict[str, object] = {
            "made as": f"mean of the weights of {len(members)} trials (greedy soup)",
            "its trials": _seeds(members),
            f"its {study.metric} on all of validation": soup.evaluation.score,
            f"on the {int(held_M.sum())} rows that judged it": soup.held,
            "the best trial alone on those rows": soup.held_alone,
        }

        def fill(folder: Path) -> None:
            learner.export(weights, folder)
            (folder / "README.md").write_text(card(study, rows), encoding="utf-8")

        written = write_folder(to, fill)
    trials = tuple(curve.trial for curve in members)
    return Exported(written, "soup", trials, soup.evaluation.score)


def export_ensemble(study: Study, to: Path) -> Exported:
    """Write the best trials' models, and a loader that gives the mean of their logits."""
    from seedbed.train import ensemble

    winner_of(study)
    best = best_trials(study)
    if len(best) < 2:
        raise StudyError(
            f"{study.layout.root}: an ensemble needs two trials, this study keeps {len(best)}"
        )
    learner = build_learner(study.layout.root)
    files = [weights_of(study, learner, curve.trial, e.step) for curve, e in best]
    score = _ensemble_score(study, best)
    names = [f"trial-{curve.trial:05d}" for curve, _ in best]
    rows: dict[str, object] = {
        "made as": f"mean of the logits of {len(best)} trials (ensemble.py opens it)",
        "its trials": _seeds([curve for curve, _ in best]),
        f"its {study.metric} on validation": score,
    }

    def fill(folder: Path) -> None:
        for name, file in zip(names, files, strict=True):
            learner.export(file, folder / name)
        for path in (folder / names[0]).iterdir():  # the tokenizer, for the folder as a whole
            if path.name.startswith(("tokenizer", "vocab", "special_tokens", "merges", "spiece")):
                shutil.copy2(path, folder / path.name)
        (folder / ensemble.MEMBERS).write_text(json.dumps({"members": names}), encoding="utf-8")
        (folder / "ensemble.py").write_text(inspect.getsource(ensemble), encoding="utf-8")
        (folder / "README.md").write_text(card(study, rows), encoding="utf-8")

    written = write_folder(to, fill)
    return Exported(written, "ensemble", tuple(c.trial for c, _ in best), score)


def held_part(labels_M: NDArray[Any], seed: int = 0) -> NDArray[np.bool_]:
    """Choose half of each class at random, from ``seed``: a boolean for each example."""
    generator = np.random.default_rng(derive(seed, "held part"))
    held_M = np.zeros(len(labels_M), dtype=np.bool_)
    for label in np.unique(labels_M):
        own = generator.permutation(np.flatnonzero(labels_M == label))
        held_M[own[: max(1, round(HELD_SHARE * len(own)))]] = True
    return held_M


def _ensemble_score(study: Study, best: Sequence[tuple[Curve, Evaluation]]) -> float:
    """Score the mean of the recorded logits."""
    labels_M = np.asarray(job_of(study).validation.labels)
    classes = len(study.facts["task"]["label_names"])
    stored = study.database.curves(logits=True)
    sums_MC = np.zeros((len(labels_M), classes))
    for curve, chosen in best:
        logits = next(e.logits for e in stored[curve.trial].evaluations if e.step == chosen.step)
        if logits is None:
            raise StudyError(f"{study.layout.root}: trial {curve.trial} has no recorded logits")
        sums_MC += np.frombuffer(logits, dtype=np.float16).reshape(-1, classes)
    return scores(labels_M, sums_MC.argmax(axis=1), classes)[study.metric]


def _seeds(curves: Sequence[Curve]) -> str:
    return "; ".join(str(curve.seeds) for curve in curves)
