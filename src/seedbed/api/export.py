"""The model leaves the study: a folder that Transformers opens, with its card."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from seedbed.api.build import build_learner
from seedbed.api.study import Study, Winner
from seedbed.core.curves import Curve, Evaluation, rank
from seedbed.core.errors import StorageError, StudyError
from seedbed.core.work import Decision, Learner, Start
from seedbed.run.recover import recover
from seedbed.store.checkpoints import CheckpointFolder


def export_best(study: Study, to: Path | None = None) -> Path:
    """Write the winner's weights, tokenizer, configuration and card to the folder ``to``.

    ``to`` is the study's own ``best/`` if not given (replaced if there). Damaged or
    missing weights are trained again from the trial's seeds. Raises StudyError where no
    trial was evaluated yet.
    """
    from seedbed.api.card import card

    winner = winner_of(study)
    learner = build_learner(study.layout.root)
    weights = weights_of(study, learner, winner.curve.trial, winner.evaluation.step)

    def fill(folder: Path) -> None:
        learner.export(weights, folder)
        (folder / "README.md").write_text(card(study), encoding="utf-8")

    return write_folder(study.layout.best if to is None else to, fill)


def winner_of(study: Study) -> Winner:
    """Give the best evaluation of the study; StudyError before the first."""
    if study.winner is None:
        raise StudyError(f"{study.layout.root}: no trial was evaluated yet, nothing to export")
    return study.winner


def best_trials(study: Study) -> list[tuple[Curve, Evaluation]]:
    """Give the trials whose weights stay on disk, each with its best evaluation, best first.

    Trials that diverged are not among them.
    """
    diverged = {t for t, v in study.verdicts.items() if v.decision is Decision.FAIL}
    sound = [curve for trial, curve in study.curves.items() if trial not in diverged]
    found = [(curve, best) for curve in rank(sound) if (best := curve.best()) is not None]
    return found[: study.spec.run.keep_best]


def weights_of(study: Study, learner: Learner, trial: int, step: int) -> Path:
    """Find the weights of an evaluation, or train them again."""
    folder = CheckpointFolder(study.layout.checkpoints)
    wanted = (trial, step, "weights")
    for file in study.database.files():
        if (file.trial, file.step, file.kind) == wanted and folder.whole(file):
            return folder.path(file)
    return recover(learner, folder, Start(trial, study.curves[trial].seeds), step)


def write_folder(target: Path, fill: Callable[[Path], None]) -> Path:
    """Fill a folder aside and put it at ``target`` in one step, in place of what was there."""
    aside = target.with_name(target.name + ".writing")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        fill(aside)
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target
