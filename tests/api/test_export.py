"""Soups, ensembles and the card: what is exported predicts what was recorded.

Axes: M examples, C classes.
"""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.api.blend import export, held_part
from seedbed.api.build import job_of
from seedbed.api.card import command
from seedbed.api.export import best_trials
from seedbed.api.prepare import prepare
from seedbed.api.study import Study
from seedbed.api.train import train
from seedbed.cli.options import spec_from
from seedbed.core.errors import InputError
from seedbed.core.seeds import Seeds
from seedbed.core.spec import make_spec
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.tasks.load import load_task
from seedbed.tasks.metrics import scores
from tiny import tiny_values


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("export")
    values = tiny_values(folder, seeds={"init": 2, "order": 2}, run={"processes": 1})
    values["task"]["name"] = "turns | *left*"
    prepare(make_spec(values, where="test"), folder / "out")
    return train(folder / "out")


def inputs_and_labels(study: Study, tokenizer: Any) -> tuple[Any, np.ndarray]:
    section = study.spec.task
    task = load_task(
        name="turns", train=Path(section.train or ""), validation=Path(section.validation or "")
    )
    texts = list(task.validation.first)
    return tokenizer(texts, padding=True, return_tensors="pt"), np.asarray(task.validation.labels)


def recorded_logits(study: Study) -> list[np.ndarray]:
    """Give the stored logits [M, C] of the best trials at their best evaluations."""
    stored = study.database.curves(logits=True)
    found = []
    for curve, best in best_trials(study):
        (one,) = [e.logits for e in stored[curve.trial].evaluations if e.step == best.step]
        found.append(np.frombuffer(one or b"", np.float16).reshape(-1, 3).astype(np.float64))
    return found


def test_an_ensemble_opens_by_its_own_loader_and_predicts_what_was_recorded(
    study: Study, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    made = export(study, tmp_path / "ensemble", "ensemble")
    spec = importlib.util.spec_from_file_location("loader", made.folder / "ensemble.py")
    assert spec is not None
    assert spec.loader is not None
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    inputs, labels_M = inputs_and_labels(study, tokenizer)
    logits_MC = loader.Ensemble.from_pretrained(made.folder)(**inputs).numpy()
    np.testing.assert_allclose(logits_MC, np.mean(recorded_logits(study), axis=0), atol=5e-3)
    assert len(made.trials) == 3
    assert scores(labels_M, logits_MC.argmax(axis=1), 3)["accuracy"] == pytest.approx(made.score)
    assert f"{made.score:.4f}" in (made.folder / "README.md").read_text()


def test_a_soup_or_what_it_falls_back_to_predicts_what_was_recorded(
    study: Study, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    made = export(study, tmp_path / "soup", "soup")
    model = AutoModelForSequenceClassification.from_pretrained(made.folder).eval()
    inputs, labels_M = inputs_and_labels(study, AutoTokenizer.from_pretrained(made.folder))
    with torch.no_grad():
        predicted_M = model(**inputs).logits.argmax(dim=1).numpy()
    assert scores(labels_M, predicted_M, 3)["accuracy"] == pytest.approx(made.score)
    assert (made.kind == "best") == bool(made.note)
    assert (made.kind == "soup") == (len(made.trials) > 1)


def test_a_soup_takes_only_members_that_help(study: Study, tmp_path: Path) -> None:
    """Two files that predict one class each, whose mean is a trained trial; a third spoils it."""
    from safetensors.torch import load_file, save_file

    from seedbed.train.soup import greedy_soup

    job = job_of(study)
    curve, best = best_trials(study)[0]
    folder = CheckpointFolder(study.layout.checkpoints)
    (own,) = [f for f in study.database.files() if (f.trial, f.step) == (curve.trial, best.step)]
    good = load_file(folder.path(own))
    files = []
    for k, shift in enumerate((100.0, -100.0, 1000.0)):
        shifted = {name: tensor.clone() for name, tensor in good.items()}
        shifted["classifier.bias"][0] += shift
        files.append(tmp_path / f"{k}.safetensors")
        save_file(shifted, files[-1])
    held_M = held_part(np.asarray(job.validation.labels))
    soup = greedy_soup(job, files, held_M, tmp_path / "soup.safetensors")
    assert soup.members == (0, 1)
    assert soup.held > soup.held_alone
    assert soup.evaluation.score == pytest.approx(best.score)
    mixed = load_file(tmp_path / "soup.safetensors")
    for name, tensor in good.items():
        np.testing.assert_allclose(mixed[name], tensor, atol=1e-4)
    alone = greedy_soup(job, [folder.path(own), files[2]], held_M, tmp_path / "alone.safetensors")
    assert alone.members == (0,)
    assert alone.held == alone.held_alone


def test_the_held_part_is_half_of_each_class() -> None:
    labels_M = np.repeat([0, 1, 2], [40, 10, 1])
    held_M = held_part(labels_M)
    assert [int(held_M[labels_M == c].sum()) for c in range(3)] == [20, 5, 1]
    assert (held_part(labels_M) == held_M).all()
    assert (held_part(labels_M, seed=1) != held_M).any()


def test_the_card_tells_how_far_to_trust_the_model(study: Study) -> None:
    text = (study.layout.best / "README.md").read_text()
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert "library_name: transformers" in front
    assert "honest estimate" in front
    assert "# model fine-tuned on turns \\| \\*left\\*" in body
    assert "The best of 4 trials" in body
    assert "honest estimate of the same on new data" in body
    assert "| trials started / stopped early / diverged / finished | 4 / 0 / 0 / 4 |" in body
    assert "| learning\\_rate | 0.01 |" in body
    assert "seedbed run" in body


def test_the_card_s_command_trains_the_same_trial() -> None:
    spec = make_spec(
        {
            "model": {"name": "a/b"},
            "task": {"name": 'it\'s "x"', "train": "/a b/t.csv", "validation": "/v.csv"},
            "recipe": {"learning_rate": 1e-5, "num_train_epochs": 2.0},
            "policy": {"budget": 4.0},
        },
        where="test",
    )
    words = shlex.split(command(spec, Seeds(3, 5, 7)))
    settings = [words[k + 1] for k, word in enumerate(words) if word == "--set"]
    again = spec_from(None, {}, settings)
    assert again.identity() == spec.identity()
    assert again.seeds.seeds() == (Seeds(3, 5, 7),)
    assert again.policy.name == "auto"
    assert again.policy.budget is None


def test_another_kind_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such kind"):
        export(study, tmp_path / "x", "stew")
