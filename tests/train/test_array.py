"""The fast learner: the reference's curve, and the same bits in any company."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from seedbed.core.curves import Evaluation
from seedbed.core.errors import InputError
from seedbed.core.seeds import Seeds
from seedbed.core.work import Failure, Saved, Start
from seedbed.train.array import EncoderArray, EncoderLearner, cross_entropy
from seedbed.train.choose import build, choose
from seedbed.train.huggingface import HuggingFaceLearner
from seedbed.train.states import read_tensors
from seedbed.train.width import MOST, fitting
from train.small import FAMILIES, small_job

STEPS = 12
Bits = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> EncoderLearner:
    """A small BERT with dropout everywhere."""
    return EncoderLearner(small_job(tmp_path_factory.mktemp("bert"), dropout=0.3))


def start(trial: int, step: int = 0, saved: Saved | None = None) -> Start:
    return Start(trial, Seeds(trial, trial + 100, trial + 200), step=step, saved=saved)


def state(array: EncoderArray, trial: int, folder: Path) -> Bits:
    """Give all that is saved of a trial."""
    folder.mkdir(exist_ok=True)
    weights, moments = folder / f"w{trial}", folder / f"m{trial}"
    array.save(trial, weights, moments)
    found = read_tensors(weights, array.learner.base)
    return found | read_tensors(moments, array.groups[0].moments(0))


def same(ours: Bits, theirs: Bits) -> bool:
    return set(ours) == set(theirs) and all(torch.equal(ours[k], theirs[k]) for k in ours)


def bits(result: Evaluation | Failure) -> Evaluation:
    """Give what of an evaluation is a function of the seeds: everything but seconds."""
    assert isinstance(result, Evaluation)
    return dataclasses.replace(result, seconds=0.0)


@pytest.mark.parametrize(
    ("family", "corrected"), [*((family, True) for family in FAMILIES), ("bert", False)]
)
def test_fifty_steps_are_those_of_the_reference(
    family: str, corrected: bool, tmp_path: Path
) -> None:
    """Without dropout: the same losses, the same weights, rows outside the task included."""
    job = small_job(
        tmp_path / "model",
        family,
        dropout=0.0,
        adam_bias_correction=corrected,
        max_grad_norm=0.5,
        learning_rate=1e-3,
    )
    fast = EncoderLearner(job).array([start(1)])
    slow = HuggingFaceLearner(job).array([start(1)])
    for step in (5, 20, 50):
        ours, theirs = fast.advance(step)[1], slow.advance(step)[1]
        assert isinstance(ours, Evaluation)
        assert isinstance(theirs, Evaluation)
        assert ours.loss == pytest.approx(theirs.loss, abs=2e-4)
    assert ours.score > 0.6  # chance is 1/3: it has learned, so it was a curve
    fast.save(1, tmp_path / "fast", tmp_path / "fast.moments")
    slow.save(1, tmp_path / "slow", tmp_path / "slow.moments")
    expected = read_tensors(tmp_path / "slow", fast.learner.base)
    found = read_tensors(tmp_path / "fast", expected)
    for name, weight in expected.items():
        if name.endswith(("key.bias", "k_lin.bias")):
            continue  # its true gradient is 0: softmax does not feel it, only rounding moves it
        moved = (weight - fast.learner.base[name]).norm()
        assert (found[name] - weight).norm() <= 0.01 * moved + 1e-6, name


def test_the_same_bits_alone_and_in_any_array(learner: EncoderLearner, tmp_path: Path) -> None:
    alone = learner.array([start(3)])
    evaluated = bits(alone.advance(STEPS)[3])
    expected = state(alone, 3, tmp_path / "alone")
    for trials in ([3, 4], [4, 3], [1, 3, 2], [1, 2, 4, 5, 6, 7, 8, 3]):
        array = learner.array([start(trial) for trial in trials])
        assert bits(array.advance(STEPS)[3]) == evaluated, trials
        assert same(state(array, 3, tmp_path / str(trials)), expected), trials


def test_the_same_bits_paused_and_regrouped(learner: EncoderLearner, tmp_path: Path) -> None:
    """Evaluated more often, thinned out, saved, and taken up in other company."""
    alone = learner.array([start(3)])
    evaluated = bits(alone.advance(STEPS)[3])
    expected = state(alone, 3, tmp_path / "alone")

    array = learner.array([start(trial) for trial in (1, 2, 3)])
    array.advance(4)
    array.keep({2, 3})
    assert set(array.advance(7)) == {2, 3}
    saved = {}
    for trial in (3, 2):
        saved[trial] = Saved(tmp_path / f"{trial}.w", tmp_path / f"{trial}.m")
        array.save(trial, saved[trial].weights, saved[trial].optimizer)
    array = learner.array([start(trial, 7, saved[trial]) for trial in (2, 3)])
    array.advance(9)
    assert bits(array.advance(STEPS)[3]) == evaluated
    assert same(state(array, 3, tmp_path / "regrouped"), expected)


def test_each_seed_matters(learner: EncoderLearner) -> None:
    seeds = [Seeds(1, 1, 1), Seeds(2, 1, 1), Seeds(1, 2, 1), Seeds(1, 1, 2), Seeds(1, 1, 1)]
    array = learner.array([Start(trial, seed) for trial, seed in enumerate(seeds)])
    losses = [bits(result).loss for result in array.advance(3).values()]
    assert losses[0] == losses[4]
    assert len(set(losses)) == 4


def test_one_group_of_many_trials_gives_the_same_curves(learner: EncoderLearner) -> None:
    """The form that a GPU runs, on the CPU: equal within rounding, not bit for bit."""
    starts = [start(trial) for trial in (1, 2, 3)]
    one_by_one, together = learner.array(starts), learner.array(starts)
    together.groups = [learner.group(starts)]
    together.gradients = torch.zeros_like(together.groups[0].flat)
    for step in (2, 8):
        expected, found = one_by_one.advance(step), together.advance(step)
        for trial in (1, 2, 3):
            assert bits(found[trial]).loss == pytest.approx(bits(expected[trial]).loss, abs=1e-3)
    together.keep({1, 3})
    assert set(together.advance(9)) == {1, 3}


def test_a_group_too_large_for_memory_is_halved(
    learner: EncoderLearner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step is lost or taken twice by the trials of the group."""
    starts = [start(trial) for trial in range(1, 6)]
    expected = learner.array(starts).advance(3)
    array = learner.array(starts)
    array.groups = [learner.group(starts)]
    array.gradients = torch.zeros_like(array.groups[0].flat)
    train_step = array._train_step

    def limited(group: object) -> None:
        if len(group.starts) > 2:  # type: ignore[attr-defined]
            raise torch.cuda.OutOfMemoryError
        train_step(group)  # type: ignore[arg-type]

    monkeypatch.setattr(learner, "width", 5)
    monkeypatch.setattr(array, "_train_step", limited)
    found = array.advance(3)
    assert sorted(len(group.starts) for group in array.groups) == [1, 2, 2]
    assert learner.width < 5
    for trial, result in expected.items():
        assert bits(found[trial]).loss == pytest.approx(bits(result).loss, abs=1e-3)


def test_the_width_is_what_fits_beside_what_is_shared(learner: EncoderLearner) -> None:
    assert learner.width == 1  # one trial at a time on the CPU
    assert fitting(free=1000, one=150, two=250) == 9  # 50 shared, 100 each
    assert fitting(free=100, one=150, two=250) == 1
    assert fitting(free=10**12, one=0, two=0) == MOST


def test_a_trial_that_diverges_fails_alone(tmp_path: Path) -> None:
    learner = EncoderLearner(small_job(tmp_path, learning_rate=1e-3))
    array = learner.array([start(1), start(2)])
    array.groups[0].flat.fill_(float("nan"))
    results = array.advance(2)
    assert isinstance(results[1], Failure)
    assert results[1].step == 1
    assert isinstance(results[2], Evaluation)


def test_padding_tokens_in_the_text_are_not_trained(tmp_path: Path) -> None:
    """As in Transformers, the padding row gets no gradient, only weight decay."""
    job = small_job(tmp_path / "m", "roberta", dropout=0.0, learning_rate=5e-4)
    tokens = np.array(job.train.tokens)
    tokens[job.train.offsets[:-1][::3] + 0] = job.pad_token_id
    job = dataclasses.replace(job, train=dataclasses.replace(job.train, tokens=tokens))
    fast, slow = EncoderLearner(job).array([start(1)]), HuggingFaceLearner(job).array([start(1)])
    fast.advance(10), slow.advance(10)
    fast.save(1, tmp_path / "fast", tmp_path / "a")
    slow.save(1, tmp_path / "slow", tmp_path / "b")
    expected = read_tensors(tmp_path / "slow", fast.learner.base)
    found = read_tensors(tmp_path / "fast", expected)
    for name in ("word_embeddings", "position_embeddings"):
        key = f"roberta.embeddings.{name}.weight"
        torch.testing.assert_close(found[key], expected[key], rtol=1e-4, atol=1e-5)


def test_export_opens_with_transformers(learner: EncoderLearner, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    array = learner.array([start(1)])
    array.advance(2)
    array.save(1, tmp_path / "w", tmp_path / "m")
    weights = read_tensors(tmp_path / "w", learner.base)
    model = learner.reference.model(weights)
    model.save_pretrained(tmp_path / "best")
    opened = AutoModelForSequenceClassification.from_pretrained(tmp_path / "best")
    assert all(torch.equal(opened.state_dict()[name], weights[name]) for name in weights)


def test_probe_measures_what_saving_writes(learner: EncoderLearner, tmp_path: Path) -> None:
    found = learner.probe()
    array = learner.array([start(1)])
    array.save(1, tmp_path / "w", tmp_path / "m")
    assert found.weights_bytes <= (tmp_path / "w").stat().st_size < found.weights_bytes + 20_000
    assert found.state_bytes > 2 * found.weights_bytes * 0.5
    assert found.step_seconds > 0
    assert found.evaluation_seconds > 0


def test_cross_entropy_is_torchs() -> None:
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1)) * 4
    labels = torch.tensor([[0, 1, 2, 1, 0], [2, 2, 1, 0, 1]])
    losses, gradient = cross_entropy(logits, labels)
    for trial in range(2):
        leaf = logits[trial].clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(leaf, labels[trial])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(losses[trial], loss.detach())
        torch.testing.assert_close(gradient[trial], leaf.grad)


def test_the_choice_of_learner_is_explained(tmp_path: Path) -> None:
    job = small_job(tmp_path / "known")
    labels = job.label_names
    assert choose(job.source, labels, "auto")[0] == "encoder"
    assert choose(job.source, labels, "huggingface") == ("huggingface", "asked for")
    assert isinstance(build(job, "encoder"), EncoderLearner)
    assert isinstance(build(job, "huggingface"), HuggingFaceLearner)
    config = json.loads((tmp_path / "known" / "config.json").read_text())
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    name, why = choose(str(other), labels, "auto")
    assert name == "huggingface"
    assert "relu" in why
    with pytest.raises(InputError, match="relu"):
        choose(str(other), labels, "encoder")
