"""The four GLUE tasks: from GLUE's own folders, or from the hub.

GLUE's tsv files are not quoted; a quote is text. Its test files hold no labels, so these
tasks have no test split, except where the hub's is labelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seedbed.core.errors import InputError, clipped
from seedbed.tasks.columns import Columns
from seedbed.tasks.splits import numbered, take_rows
from seedbed.tasks.table import is_file, read_plain
from seedbed.tasks.task import Split, Task

HUB_NAME = "nyu-mll/glue"


@dataclass(frozen=True)
class Layout:
    """How GLUE lays out one task: folder, columns in files and on the hub, labels in order."""

    folder: str
    columns: Columns
    labels: tuple[str, ...]
    label_names: tuple[str, ...]
    metric: str
    header: tuple[str, ...] | None = None

    @property
    def hub_columns(self) -> tuple[str, ...]:
        """The text columns of the hub's version."""
        return ("sentence",) if self.columns.second is None else ("sentence1", "sentence2")


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "mrpc": Layout(
            folder="MRPC",
            columns=Columns("#1 String", "#2 String", "Quality"),
            labels=("0", "1"),
            label_names=("not_equivalent", "equivalent"),
            metric="acc_and_f1",
        ),
        "rte": Layout(
            folder="RTE",
            columns=Columns("sentence1", "sentence2", "label"),
            labels=("entailment", "not_entailment"),
            label_names=("entailment", "not_entailment"),
            metric="accuracy",
        ),
        "cola": Layout(
            folder="CoLA",
            columns=Columns("sentence", None, "label"),
            labels=("0", "1"),
            label_names=("unacceptable", "acceptable"),
            metric="matthews",
            header=("source", "label", "mark", "sentence"),
        ),
        "sst2": Layout(
            folder="SST-2",
            columns=Columns("sentence", None, "label"),
            labels=("0", "1"),
            label_names=("negative", "positive"),
            metric="accuracy",
        ),
    }
)


def read_folder(name: str, data: Path) -> Task:
    """Read the GLUE task ``name`` from its folder, or from the folder that holds it."""
    layout = LAYOUTS[name]
    folder = next((f for f in (data, data / layout.folder) if is_file(f / "train.tsv")), None)
    if folder is None or not is_file(folder / "dev.tsv"):
        raise InputError(
            f"no GLUE files of the task {name!r}",
            where="data",
            given=str(data),
            allowed=f"a folder with train.tsv and dev.tsv, or one that holds {layout.folder}/",
        )

    def read(file: str) -> Split:
        table = read_plain(folder / file, layout.header)
        return numbered(take_rows(table, layout.columns), layout.labels)

    return Task(
        name=name,
        train=read("train.tsv"),
        validation=read("dev.tsv"),
        test=None,
        label_names=layout.label_names,
        metric=layout.metric,
        source=f"GLUE {layout.folder}, files in {folder}",
    )


def read_hub(name: str) -> Task:
    """Read the GLUE task ``name`` from the hub, through the optional library datasets."""
    layout = LAYOUTS[name]
    ways_out = f"data = a folder with GLUE's {layout.folder} files"
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"reading {name!r} from the hub needs the library datasets",
            where="data",
            allowed=f"pip install 'seedbed[hub]', or {ways_out}",
        ) from None
    try:
        splits = datasets.load_dataset(HUB_NAME, name)
    except Exception as error:  # whatever network, proxy, cache and parser raise
        reason = clipped(f"{type(error).__name__}: {error}")
        raise InputError(
            f"{name!r} cannot be read from the hub ({reason})",
            where="data",
            allowed=f"a network, or {ways_out}",
        ) from error
    test = _hub_split(splits["test"], layout) if "test" in splits else None
    return Task(
        name=name,
        train=_hub_split(splits["train"], layout),
        validation=_hub_split(splits["validation"], layout),
        test=test if test is not None and min(test.labels) >= 0 else None,
        label_names=layout.label_names,
        metric=layout.metric,
        source=f"GLUE {layout.folder}, {HUB_NAME} on the hub",
    )


def _hub_split(rows: Any, layout: Layout) -> Split:
    """Take a split of the hub; where it has no labels they are -1."""
    texts = [tuple(rows[column]) for column in layout.hub_columns]
    return Split(
        first=texts[0],
        second=texts[1] if len(texts) == 2 else None,
        labels=tuple(int(label) for label in rows["label"]),
    )
