"""The best model leaves the study: a folder that Transformers opens, with its card."""

from __future__ import annotations

import shutil
from pathlib import Path

from seedbed.api.build import build_learner
from seedbed.api.study import Study
from seedbed.core.errors import StorageError, StudyError
from seedbed.core.work import Learner, Start
from seedbed.run.recover import recover
from seedbed.store.checkpoints import CheckpointFolder


def export_best(study: Study, to: Path | None = None) -> Path:
    """Write the winner's weights, tokenizer, configuration and card to the folder ``to``.

    ``to`` is the study's own ``best/`` if not given (replaced if there). Damaged or
    missing weights are trained again from the trial's seeds. Raises StudyError where no
    trial was evaluated yet.
    """
    winner = study.winner
    if winner is None:
        raise StudyError(f"{study.layout.root}: no trial was evaluated yet, nothing to export")
    target = study.layout.best if to is None else to
    learner = build_learner(study.layout.root)
    weights = _weights(study, learner, winner.curve.trial, winner.evaluation.step)
    aside = target.with_name(target.name + ".writing")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        learner.export(weights, aside)
        (aside / "README.md").write_text(card(study), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error}") from error
    return target


def _weights(study: Study, learner: Learner, trial: int, step: int) -> Path:
    """Find the weights of an evaluation, or train them again."""
    folder = CheckpointFolder(study.layout.checkpoints)
    wanted = (trial, step, "weights")
    for file in study.database.files():
        if (file.trial, file.step, file.kind) == wanted and folder.whole(file):
            return folder.path(file)
    return recover(learner, folder, Start(trial, study.curves[trial].seeds), step)


def card(study: Study) -> str:
    """Say in Markdown what the model is, best of how many, and how far to trust it."""
    status = study.status()
    best, spread, task = status["best"], status["finished_scores"], study.facts["task"]
    trials, seeds = status["trials"], status["best"]["seeds"]
    counts = " / ".join(str(trials[k]) for k in ("started", "stopped", "failed", "finished"))
    seeds_text = f"init {seeds['init']}, order {seeds['order']}, dropout {seeds['dropout']}"
    rows = {
        f"{status['metric']} on validation ({task['rows']['validation']} rows)": best["score"],
        "the same, always predicting the majority class": task["majority_score"],
        f"median of the {spread['count']} finished trials (each at its best)": spread["median"],
        "their standard deviation": spread["sd"],
        "trials started / stopped early / failed / finished": counts,
        "training spent, in full trials": status["spent"],
        "this trial's seeds": seeds_text,
        "taken at": f"step {best['step']}, {best['progress']:.0%} of training",
    }
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: text-classification",
            "tags: [seedbed]",
            "---",
            f"# {Path(study.spec.model.name).name} fine-tuned on {task['name']}",
            "",
            f"The best of {trials['started']} trials that differ in nothing but their seeds.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {_cell(value)} |" for name, value in rows.items()),
            "",
            "The same rows chose this trial and scored it, so its validation score is optimistic.",
            "",
        ]
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
