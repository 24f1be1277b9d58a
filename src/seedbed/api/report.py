"""The report, wired: open studies and tables, analyse, draw, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seedbed.api.analyze import Analyses, analyze
from seedbed.api.recordings import Source
from seedbed.api.study import Study
from seedbed.core.errors import InputError
from seedbed.report.account import Account
from seedbed.report.across_tasks import AcrossTasks, across_tasks
from seedbed.report.analysis import Settings
from seedbed.report.files import KINDS, check_free, write_files
from seedbed.report.page import report_of
from seedbed.store.layout import Layout

Given = Source | str | Path


def write_report(
    sources: Given | Sequence[Given],
    to: Path | None = None,
    *,
    epochs: float | None = None,
    settings: Settings | None = None,
    kinds: Sequence[str] = KINDS,
) -> Path:
    """Write the report of studies and curves tables (paths or sources); give its page's path.

    ``to`` is, if not given, ``report/`` in the study's folder, or a folder beside the table.
    ``epochs`` of full training, for tables, which do not say. ``kinds``: of which files each
    figure is written (svg, png, pdf). Raises InputError for what
    is neither study nor table, or a folder ``to`` that holds something else.
    """
    listed = [sources] if isinstance(sources, Source | str | Path) else sources
    given = [one if isinstance(one, Source) else Source(path=Path(one)) for one in listed]
    if not given:
        raise InputError("nothing to report on", allowed="a study's folder or a curves table")
    if epochs is not None and not 0 < epochs < float("inf"):
        raise InputError("no number of epochs", where="--epochs", given=epochs, allowed="above 0")
    folder = _folder(given) if to is None else to
    check_free(folder)
    settings = settings or Settings()
    found = [(source, analyze(source, settings=settings)) for source in given]
    accounts = [
        account for source, analyses in found for account in _accounts(source, analyses, epochs)
    ]
    across = _across(accounts, found, settings)
    about = f"Written by seedbed from {', '.join(str(source.path) for source in given)}."
    return write_files(report_of(_told_apart(accounts), across, about), folder, kinds)


def _folder(given: Sequence[Source]) -> Path:
    if len(given) > 1:
        raise InputError(
            "where should the report of several go?", where="--to", allowed="a new folder"
        )
    path, layout = given[0].path, Layout(given[0].path)
    return layout.report if layout.is_study else path.parent / f"{path.stem}-report"


def _across(
    accounts: Sequence[Account], found: Sequence[tuple[Source, Analyses]], settings: Settings
) -> AcrossTasks | None:
    if len(accounts) < 2:
        return None
    if len(found) == 1:
        return found[0][1].across
    return across_tasks([(a.title, a.recording) for a in accounts], seed=settings.seed)


def _accounts(source: Source, analyses: Analyses, epochs: float | None) -> list[Account]:
    if Layout(source.path).is_study:
        ((task, analysis),) = analyses.by_task.items()
        study = Study(source.path)
        try:
            open_trials = {t for t, v in study.verdicts.items() if not v.decision.final}
            return [
                Account(
                    title=task,
                    analysis=analysis,
                    epochs=float(study.spec.recipe.num_train_epochs),
                    going=frozenset(open_trials),
                    facts=_facts(study),
                )
            ]
        finally:
            study.close()
    return [
        Account(
            title=task or source.path.stem,
            analysis=analysis,
            epochs=epochs,
            facts={"curves": str(source.path)},
        )
        for task, analysis in analyses.by_task.items()
    ]


def _facts(study: Study) -> dict[str, str]:
    """Say what all trials of a study have in common."""
    recipe, task, how = study.spec.recipe, study.facts["task"], study.facts["how"]
    rows = ", ".join(f"{count:,} {name}" for name, count in task["rows"].items())
    known = {
        "model": study.spec.model.name,
        "task": f"{task['name']} ({rows} rows)",
        "epochs, batch size": f"{recipe.num_train_epochs:g}, {recipe.batch_size}",
        "learning rate": f"{recipe.learning_rate:g}",
        "policy": how.get("policy"),
        "trained on": how.get("device"),
        "precision": how.get("precision"),
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def _told_apart(accounts: Sequence[Account]) -> list[Account]:
    """Add the folder or file to titles that several accounts share."""
    titles = [account.title for account in accounts]
    return [
        replace(account, title=f"{account.title} ({account.recording.name})")
        if titles.count(account.title) > 1
        else account
        for account in accounts
    ]
