"""Everything that is checked and written before the first step of training."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from seedbed.api.rules import describe, make_policy
from seedbed.api.study import Study
from seedbed.core.errors import InputError, StorageError
from seedbed.core.schedule import Schedule
from seedbed.core.spec import Spec, TaskSection
from seedbed.core.work import Decision, Verdict
from seedbed.store.database import Database, Judged
from seedbed.store.layout import Layout
from seedbed.tasks.encode import Encoded, encode
from seedbed.tasks.load import load_task
from seedbed.tasks.metrics import majority_score
from seedbed.tasks.task import Task

SPLITS = ("train", "validation", "test")


def prepare(spec: Spec, folder: Path) -> Study:
    """Check a study in full and write its folder; nothing is trained.

    Raises InputError for whatever in ``spec``, data or model is wrong, and where
    ``folder`` holds a study already.
    """
    from seedbed.train.choose import choose
    from seedbed.train.hardware import resolve_device, resolve_precision
    from seedbed.train.pretrained import load_tokenizer, resolve

    layout = Layout(folder)
    check_free(layout)
    seeds = spec.seeds.seeds()
    device = resolve_device(spec.run.device)
    source = resolve(spec.model.name)
    task = _task(spec.task, spec.evaluation.metric)
    recipe = spec.recipe
    schedule = Schedule(
        len(task.train), recipe.batch_size, recipe.num_train_epochs, spec.evaluation.per_epoch
    )
    policy = make_policy(spec.policy, schedule, len(seeds))
    tokenizer = load_tokenizer(source)
    learner, why = choose(source, task.label_names, spec.model.learner)
    facts = {
        "task": _task_facts(task),
        "schedule": vars_of(schedule),
        "model": {
            "source": source,
            "pad_token_id": int(tokenizer.pad_token_id or 0),
            "uses_token_types": "token_type_ids" in tokenizer.model_input_names,
        },
        "how": {
            "learner": learner,
            "learner_reason": why,
            "device": device,
            "precision": resolve_precision(recipe.precision, device),
            "policy": describe(policy, len(seeds)),
        },
        "spec": spec.model_dump(mode="json", exclude_none=True),
    }
    splits = _splits(task).items()
    encoded = {name: encode(split, tokenizer, recipe.max_length) for name, split in splits}
    _write(layout, spec, facts, encoded)
    return Study(folder)


def check_free(layout: Layout) -> None:
    """Refuse a folder that holds a study, or anything else."""
    if layout.is_study:
        raise InputError(
            "the folder holds a study already",
            where=f"--out {layout.root}",
            allowed=f"another folder, `seedbed resume {layout.root}`, or --resume to add to it",
        )
    if layout.root.exists() and (not layout.root.is_dir() or any(layout.root.iterdir())):
        raise InputError(
            "the output folder is not empty",
            where=f"--out {layout.root}",
            allowed="a new or an empty folder",
        )


def _task(section: TaskSection, metric: str | None) -> Task:
    def path(text: str | None) -> Path | None:
        return None if text is None else Path(text).expanduser()

    return load_task(
        name=section.name,
        data=path(section.data),
        train=path(section.train),
        validation=path(section.validation),
        test=path(section.test),
        text=section.text,
        text_pair=section.text_pair,
        label=section.label,
        train_samples=section.train_samples,
        metric=metric,
    )


def _task_facts(task: Task) -> dict[str, Any]:
    labels = np.asarray(task.validation.labels)
    return {
        "name": task.name,
        "source": task.source,
        "fingerprint": task.fingerprint,
        "metric": task.metric,
        "label_names": list(task.label_names),
        "rows": {name: len(split) for name, split in _splits(task).items()},
        "majority_score": majority_score(labels, task.metric, task.classes),
    }


def _splits(task: Task) -> dict[str, Any]:
    splits = {name: getattr(task, name) for name in SPLITS}
    return {name: split for name, split in splits.items() if split is not None}


def vars_of(schedule: Schedule) -> dict[str, Any]:
    """Give the four numbers that define a schedule."""
    return {k: getattr(schedule, k) for k in ("examples", "batch_size", "epochs", "per_epoch")}


def _write(layout: Layout, spec: Spec, facts: dict[str, Any], encoded: dict[str, Encoded]) -> None:
    """Write the folder; on an error take back what was written."""
    new = not layout.root.exists()
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        for name, split in encoded.items():
            split.save(layout.task / name)
        write_spec(layout, spec)
        aside = layout.database.with_name(layout.database.name + ".writing")
        database = Database(aside, create=True)
        for key, value in facts.items():
            database.add_fact(key, value)
        database.add_trials(spec.seeds.seeds())
        database.add_event("prepared", at=time.time())
        database.close()
        aside.rename(layout.database)  # from here on it is a study
    except (OSError, StorageError) as error:
        if new:
            shutil.rmtree(layout.root, ignore_errors=True)
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"cannot write the study folder {layout.root}: {error}") from error


def write_spec(layout: Layout, spec: Spec) -> None:
    """Write the resolved study file."""
    text = tomli_w.dumps(spec.model_dump(mode="json", exclude_none=True))
    layout.spec.write_text(text, encoding="utf-8")


def extend(study: Study, spec: Spec) -> Study:
    """Give a study more trials, or another budget; what is done stays done.

    Model, task, recipe and evaluation must be the same (InputError shows what differs).
    Trials stopped under the old policy are judged again under the new one.
    """
    _check_same(study.spec, spec, str(study.layout.root))
    study.database.add_trials(spec.seeds.seeds())
    trials = study.database.trials()
    gone = sorted(set(trials.values()) - set(spec.seeds.seeds()))
    if gone:
        raise InputError(
            "the study has trials that the new design lacks",
            where="[seeds]",
            given=f"without {gone[0]}",
            allowed="the old seeds and more",
        )
    policy = make_policy(spec.policy, study.schedule, len(trials))
    again = []
    for trial, verdict in study.verdicts.items():
        if verdict.decision is Decision.STOP and study.curves[trial].evaluations:
            fresh = policy.judge(study.curves[trial])
            if fresh.decision is not Decision.STOP:
                reason = f"reconsidered under the new policy; {fresh.reason}"
                step = study.curves[trial].step
                again.append(Judged(trial, step, Verdict(fresh.decision, reason)))
    study.database.record(judged=again)
    study.database.add_fact("spec", spec.model_dump(mode="json", exclude_none=True))
    how = {**study.facts["how"], "policy": describe(policy, len(trials))}
    study.database.add_fact("how", how)
    study.database.add_event("extended", trials=len(trials), policy=how["policy"])
    write_spec(study.layout, spec)
    return Study(study.layout.root)


def _check_same(old: Spec, new: Spec, where: str) -> None:
    for section, values in old.identity().items():
        for key, before in values.items():
            after = new.identity()[section][key]
            if before != after:
                raise InputError(
                    f"the study was begun with another [{section}] {key}",
                    where=where,
                    given=str(after),
                    allowed=f"{before!r} (another recipe is another study: choose a new folder)",
                )
