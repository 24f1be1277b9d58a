"""Whole studies on a tiny model: train, stop, continue, interrupt, resume, extend, export."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.api.export import export_best
from seedbed.api.prepare import extend, prepare
from seedbed.api.study import Study
from seedbed.api.train import train
from seedbed.core.curves import Curve, rank
from seedbed.core.errors import BusyError, InputError, InterruptedStudyError
from seedbed.core.spec import make_spec
from seedbed.core.work import Decision, Verdict
from seedbed.run.runner import Observer
from seedbed.store.lock import writing
from tiny import tiny_values

START_MANY = {"name": "start-many", "start": 6, "at": 0.5, "keep": 2}


def finished_study(folder: Path, out: str, **sections: dict[str, Any]) -> Study:
    spec = make_spec(tiny_values(folder, **sections), where="test")
    prepare(spec, folder / out)
    return train(folder / out)


def bits(study: Study) -> dict[int, Curve]:
    """Give the curves with logits, without what is measured by a clock."""
    return {
        trial: replace(curve, evaluations=tuple(replace(e, seconds=0.0) for e in curve.evaluations))
        for trial, curve in study.database.curves(logits=True).items()
    }


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """All six trials, trained to the end by the encoder."""
    return finished_study(tmp_path_factory.mktemp("all"), "out")


@pytest.fixture(scope="module")
def thinned(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same trials under start-many: six started, two kept."""
    return finished_study(tmp_path_factory.mktemp("some"), "out", policy=START_MANY)


def test_all_trials_are_trained_and_learn(everything: Study) -> None:
    assert everything.facts["how"]["learner"] == "encoder"
    assert all(v.decision is Decision.FINISH for v in everything.verdicts.values())
    steps = everything.schedule.evaluation_steps
    assert all(
        tuple(e.step for e in curve.evaluations) == steps for curve in everything.curves.values()
    )
    winner = everything.winner
    assert winner is not None
    assert winner.evaluation.score > everything.facts["task"]["majority_score"] + 0.1


def test_stopping_leaves_the_first_parts_of_the_same_curves(
    everything: Study, thinned: Study
) -> None:
    """What is stopped or continued has, bit for bit, the curve of full training."""
    full, part = bits(everything), bits(thinned)
    pause = 0.5
    kept = {c.trial for c in rank(list(full.values()), pause)[:2]}
    for trial, curve in part.items():
        whole = full[trial].evaluations
        length = len(whole) if trial in kept else sum(e.progress <= pause for e in whole)
        assert curve.evaluations == whole[:length]
    decisions = {t: v.decision for t, v in thinned.verdicts.items()}
    assert {t for t, d in decisions.items() if d is Decision.FINISH} == kept
    assert {d for t, d in decisions.items() if t not in kept} == {Decision.STOP}


def test_the_winner_opens_in_transformers_and_scores_what_was_recorded(thinned: Study) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from seedbed.core.spec import Spec
    from seedbed.tasks.load import load_task
    from seedbed.tasks.metrics import scores

    assert thinned.winner is not None
    spec: Spec = thinned.spec
    task = load_task(
        name="turns", train=Path(spec.task.train or ""), validation=Path(spec.task.validation or "")
    )
    model = AutoModelForSequenceClassification.from_pretrained(thinned.layout.best).eval()
    tokenizer = AutoTokenizer.from_pretrained(thinned.layout.best)
    assert [model.config.id2label[k] for k in range(3)] == list(task.label_names)
    inputs = tokenizer(list(task.validation.first), padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits.numpy()
    found = scores(np.asarray(task.validation.labels), logits.argmax(axis=1), 3)
    assert found == thinned.winner.evaluation.scores
    stored = thinned.database.curves(logits=True)[thinned.winner.curve.trial]
    half = next(e.logits for e in stored.evaluations if e.step == thinned.winner.evaluation.step)
    assert half is not None
    recorded = np.frombuffer(half, np.float16).reshape(logits.shape)
    np.testing.assert_allclose(logits, recorded, rtol=2e-3, atol=2e-3)
    assert "best of 6 trials" in (thinned.layout.best / "README.md").read_text()


def test_only_what_may_be_needed_stays_on_disk(thinned: Study) -> None:
    files = thinned.database.files()
    on_disk = {path.name for path in thinned.layout.checkpoints.iterdir()}
    assert on_disk == {file.file for file in files}
    assert {file.kind for file in files} == {"weights"}
    sound = rank(list(thinned.curves.values()))[: thinned.spec.run.keep_best]
    best = {(c.trial, e.step) for c in sound if (e := c.best())}
    assert {(file.trial, file.step) for file in files} == best


def test_missing_weights_are_trained_again(thinned: Study, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    before = load_file(thinned.layout.best / "model.safetensors")
    for path in thinned.layout.checkpoints.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    export_best(thinned, tmp_path / "again")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)


class InterruptAfter(Observer):
    """Sends this process an interrupt after some evaluations, as Ctrl-C would."""

    def __init__(self, evaluations: int) -> None:
        self.left = evaluations

    def evaluated(self, curve: Curve, verdict: Verdict) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("evaluations", [1, 30])
def test_an_interrupted_study_goes_on_as_if_nothing_had_been(
    thinned: Study, tmp_path: Path, evaluations: int
) -> None:
    one = {"processes": 1}  # the other study has two, and that changes nothing
    spec = make_spec(tiny_values(tmp_path, policy=START_MANY, run=one), where="test")
    prepare(spec, tmp_path / "out")
    with pytest.raises(InterruptedStudyError) as caught:
        train(tmp_path / "out", InterruptAfter(evaluations))
    assert caught.value.exit_code == 130
    assert Study(tmp_path / "out").status()["state"] == "interrupted"
    resumed = train(tmp_path / "out")
    assert bits(resumed) == bits(thinned)
    assert resumed.verdicts == thinned.verdicts
    assert (resumed.layout.best / "model.safetensors").read_bytes() == (
        thinned.layout.best / "model.safetensors"
    ).read_bytes()


def test_the_reference_learner_runs_a_study(tmp_path: Path) -> None:
    sections: dict[str, dict[str, Any]] = {
        "model": {"learner": "huggingface"},
        "seeds": {"init": 2, "order": 1},
        "recipe": {"num_train_epochs": 1.0},
        "run": {"processes": 1},
    }
    values = tiny_values(tmp_path)
    for section, keys in sections.items():
        values[section] = {**values[section], **keys}
    study = prepare(make_spec(values, where="test"), tmp_path / "out")
    study = train(tmp_path / "out")
    assert study.facts["how"]["learner"] == "huggingface"
    assert study.status()["trials"]["finished"] == 2
    assert (study.layout.best / "model.safetensors").is_file()


def test_more_trials_and_a_larger_budget_redo_nothing(
    everything: Study, thinned: Study, tmp_path: Path
) -> None:
    few = {"name": "start-many", "start": 4, "at": 0.5, "keep": 1}
    one = {"processes": 1}
    small = finished_study(tmp_path, "out", policy=few, seeds={"init": 2, "order": 2}, run=one)
    before = bits(small)
    spec = make_spec(
        {**tiny_values(tmp_path, policy=START_MANY, run=one), "seeds": {"init": 2, "order": 3}},
        where="test",
    )
    extend(small, spec)
    extended = train(tmp_path / "out")
    after = bits(extended)
    assert len(after) == 6
    for trial, curve in before.items():
        assert after[trial].evaluations[: len(curve.evaluations)] == curve.evaluations
    by_seeds = {c.seeds: c for c in bits(everything).values()}
    for curve in after.values():
        assert curve.evaluations == by_seeds[curve.seeds].evaluations[: len(curve.evaluations)]
    assert sum(c.finished for c in after.values()) == 2


def test_another_recipe_is_another_study(thinned: Study) -> None:
    values = thinned.spec.model_dump(mode="json", exclude_none=True)
    values["recipe"]["learning_rate"] = 1e-3
    with pytest.raises(InputError, match="learning_rate") as caught:
        extend(thinned, make_spec(values, where="test"))
    assert "0.01" in str(caught.value)


def test_a_folder_in_use_is_refused(thinned: Study) -> None:
    with pytest.raises(InputError, match="holds a study already"):
        prepare(thinned.spec, thinned.layout.root)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with writing(thinned.layout):
            held.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(30)
        with pytest.raises(BusyError, match=f"process {os.getpid()}"):
            train(thinned.layout.root)
    finally:
        release.set()
        holder.join()


def test_patience_stops_and_says_why(tmp_path: Path) -> None:
    study = finished_study(
        tmp_path,
        "out",
        policy={"patience": 2},
        recipe={"learning_rate": 0.0},
        seeds={"init": 1, "order": 1},
    )
    (verdict,) = study.verdicts.values()
    assert verdict.decision is Decision.STOP
    assert "not better for 2 evaluations" in verdict.reason
    assert len(study.curves[0].evaluations) == 3


def test_a_diverging_trial_fails_alone(tmp_path: Path) -> None:
    """An enormous rate without clipping overflows; the study still ends."""
    study = finished_study(
        tmp_path,
        "out",
        recipe={
            "learning_rate": 1.0,
            "max_grad_norm": 0.0,
            "warmup_ratio": 0.0,
            "weight_decay": 1.0,
        },
        seeds={"init": 1, "order": 2},
        run={"processes": 1},
    )
    assert study.status()["state"] == "finished"
    assert all(v.decision.final for v in study.verdicts.values())


def test_status_while_nothing_runs_yet(tmp_path: Path) -> None:
    study = prepare(make_spec(tiny_values(tmp_path), where="test"), tmp_path / "out")
    status = study.status()
    assert status["state"] == "prepared"
    assert status["best"] is None
    assert status["trials"]["started"] == 0
