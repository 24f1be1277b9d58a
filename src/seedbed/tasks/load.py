"""One door to every task: built in, from files, or from the hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seedbed.core.errors import InputError, nearest
from seedbed.tasks import docmatch, glue
from seedbed.tasks.columns import Columns, find_columns
from seedbed.tasks.metrics import check_metric
from seedbed.tasks.splits import check_classes, number_labels, numbered, take_rows
from seedbed.tasks.table import Table, read_table
from seedbed.tasks.task import Task, sample

BUILT_IN = (*glue.LAYOUTS, "docmatch")
_ALIASES = {"sst-2": "sst2"}


def load_task(
    *,
    name: str,
    data: Path | None = None,
    train: Path | None = None,
    validation: Path | None = None,
    test: Path | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    train_samples: int | None = None,
    metric: str | None = None,
) -> Task:
    """Read the task ``name``, or raise InputError that says what is wrong and where.

    Built-in names: ``mrpc``, ``rte``, ``cola``, ``sst2`` (``data``: GLUE's own folder of
    the task or the folder that holds it; without it, the hub) and ``docmatch``. Any other
    name needs the files ``train`` and ``validation`` (.csv, .tsv, .jsonl); ``test`` is
    optional, and labelled like them. ``text``, ``text_pair`` and ``label`` name columns;
    what is not named is guessed from the header of ``train``.

    ``train_samples`` keeps the first so many rows of a fixed shuffle that no seed changes
    (docmatch: 1,000 unless given). ``metric`` replaces the task's default metric.
    """
    key = _ALIASES.get(name.lower(), name.lower())
    if key in BUILT_IN:
        files = {"train": train, "validation": validation, "test": test}
        names = {"text": text, "text_pair": text_pair, "label": label}
        _refuse(key, [k for k, v in (files | names).items() if v is not None])
        task = _built_in(key, data)
        if key == "docmatch" and train_samples is None:
            train_samples = min(docmatch.TRAIN_DEFAULT, len(task.train))
    else:
        own = _files(name, data, train, validation, test)
        task = _from_files(name, own, text=text, text_pair=text_pair, label=label)
    if train_samples is not None:
        task = replace(task, train=sample(task.train, train_samples, where="[task] train_samples"))
    check_classes(task.train, task.label_names, where=f"training rows of {name!r}")
    check_classes(task.validation, task.label_names, where=f"validation rows of {name!r}")
    chosen = task.metric if metric is None else metric
    check_metric(chosen, task.classes, where="[evaluation] metric")
    return replace(task, metric=chosen)


def _built_in(key: str, data: Path | None) -> Task:
    if key == "docmatch":
        if data is not None:
            raise InputError(
                "docmatch reads Python's own library and takes no folder",
                where="data",
                given=str(data),
                allowed="leave data out",
            )
        return docmatch.docmatch()
    return glue.read_hub(key) if data is None else glue.read_folder(key, data)


def _refuse(key: str, options: list[str]) -> None:
    if options:
        raise InputError(
            f"{key!r} is a built-in task with files and columns of its own",
            where="[task]",
            given=", ".join(options),
            allowed="only data, train_samples and metric; for your own files choose another name",
        )


def _files(
    name: str, data: Path | None, train: Path | None, validation: Path | None, test: Path | None
) -> dict[str, Path]:
    """Give the files by split; InputError where the needed ones are not both given."""
    if train is None or validation is None or data is not None:
        missing = [k for k, v in (("train", train), ("validation", validation)) if v is None]
        problem = "unknown task"
        if data is not None and not missing:
            problem = "data is for built-in tasks, not beside files of your own"
        elif len(missing) == 1:
            problem = f"the task has no {missing[0]} file"
        raise InputError(
            problem,
            where="[task]",
            given=name,
            allowed=f"{nearest(name.lower(), BUILT_IN)}; or any name with train and validation",
        )
    files = {"train": train, "validation": validation}
    return files if test is None else files | {"test": test}


def _from_files(
    name: str,
    files: dict[str, Path],
    *,
    text: str | None,
    text_pair: str | None,
    label: str | None,
) -> Task:
    tables = {split: read_table(path) for split, path in files.items()}
    columns = find_columns(tables["train"], text=text, text_pair=text_pair, label=label)
    if "test" in tables:
        _check_labelled(tables["test"], columns)
    rows = {split: take_rows(table, columns) for split, table in tables.items()}
    _, names = number_labels([value for _, value in rows["train"].labels])
    splits = {split: numbered(found, names) for split, found in rows.items()}
    check_classes(splits["train"], names, where=str(files["train"]))
    check_classes(splits["validation"], names, where=str(files["validation"]))
    return Task(
        name=name,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        label_names=names,
        metric="accuracy",
        source=", ".join(f"{split}: {path}" for split, path in files.items()),
    )


def _check_labelled(table: Table, columns: Columns) -> None:
    if columns.label not in table.columns:
        raise InputError(
            f"the test file has no labels (no column {columns.label!r})",
            where=str(table.path),
            given="columns " + ", ".join(repr(column) for column in table.columns),
            allowed="labelled rows; leave test out if there are no labels",
        )
