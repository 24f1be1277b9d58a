"""A study folder written without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seedbed.api.prepare import vars_of, write_spec
from seedbed.core.curves import Curve
from seedbed.core.schedule import Schedule
from seedbed.core.spec import make_spec
from seedbed.core.work import Decision, Verdict
from seedbed.store.database import Database, Judged
from seedbed.store.layout import Layout
from toys import grid


def write_study(
    folder: Path,
    curves: Sequence[Curve] = (),
    decisions: Sequence[Decision] = (),
    *,
    name: str = "docmatch",
) -> Path:
    """Write the folder of a study whose first trials have ``curves`` and ``decisions``."""
    folder.mkdir(parents=True)
    layout = Layout(folder)
    spec = make_spec({"task": {"name": name}}, where="test")
    write_spec(layout, spec)
    database = Database(layout.database, create=True)
    facts = {
        "task": {
            "name": name,
            "source": "nowhere",
            "fingerprint": "0",
            "metric": "accuracy",
            "label_names": ["no", "yes"],
            "rows": {"train": 48, "validation": 20},
            "majority_score": 0.5,
        },
        "schedule": vars_of(Schedule(64, 8, 3.0, 8)),
        "model": {"source": "nowhere", "pad_token_id": 0, "uses_token_types": True},
        "how": {
            "learner": "huggingface",
            "learner_reason": "the only one",
            "device": "cpu",
            "precision": "float32",
            "policy": "train all",
        },
        "spec": spec.model_dump(mode="json", exclude_none=True),
    }
    for key, value in facts.items():
        database.add_fact(key, value)
    database.add_trials(grid(max(25, len(curves))))
    for curve, decision in zip(curves, decisions, strict=True):
        judged = Judged(curve.trial, curve.step, Verdict(decision, "so"))
        database.record(evaluated=[(curve.trial, e) for e in curve.evaluations], judged=[judged])
    database.close()
    return folder
