"""The encoder against Transformers' own modules, and its backward against autograd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seedbed.train import encoder
from seedbed.train.array import cross_entropy
from seedbed.train.dropout import Masks
from seedbed.train.families import Shape, shape_of, supported
from seedbed.train.packing import Batch, pack
from seedbed.train.vocabulary import Vocabulary
from seedbed.train.weights import Layout, unknown_tensors
from train.small import FAMILIES, small_model, small_task

CPU = torch.device("cpu")
SPLIT = small_task(40, seed=3)


@dataclass
class Case:
    """A small model in both implementations."""

    model: Any
    shape: Shape
    vocabulary: Vocabulary
    layout: Layout

    @staticmethod
    def of(family: str, **changes: Any) -> Case:
        model = small_model(family, **changes)
        shape = shape_of(model.config)
        vocabulary = Vocabulary.of(shape, SPLIT)
        hub = model.state_dict()
        assert unknown_tensors(shape, hub) == []
        layout = Layout.of(shape, hub, vocabulary.words, vocabulary.positions)
        return Case(model, shape, vocabulary, layout)

    def batch(self, *rows: list[int]) -> Batch:
        types = self.shape.types > 1
        return pack(self.vocabulary.rows(SPLIT, np.array(rows), types=types), self.shape, CPU)


def close(ours: Tensor, theirs: Tensor, relative: float) -> bool:
    """Whether the difference is at most ``relative`` of their norm."""
    return bool((ours - theirs).norm() <= relative * theirs.norm() + 1e-7)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_logits_and_every_gradient_are_those_of_transformers(family: str, seed: int) -> None:
    from train.small import padded

    case = Case.of(family, seed=seed)
    rows = list(range(seed * 16, seed * 16 + 16))
    labels = torch.from_numpy(SPLIT.labels[rows])
    reference = case.model(**padded(case.model, SPLIT, rows)).logits
    torch.nn.functional.cross_entropy(reference, labels).backward()

    flat = case.layout.flat([case.model.state_dict()])
    logits, tape = encoder.forward(case.shape, case.layout.views(flat), case.batch(rows))
    torch.testing.assert_close(logits[0], reference.detach(), rtol=0, atol=1e-5)

    gradients = torch.full_like(flat, 7.0)  # whatever was there before does not matter
    ours = case.layout.views(gradients)
    encoder.backward(tape, cross_entropy(logits, labels[None])[1], ours)
    named = dict(case.model.named_parameters())
    theirs = case.layout.views(
        case.layout.flat([{name: parameter.grad for name, parameter in named.items()}])
    )
    for name, gradient in theirs.items():
        assert close(ours[name], gradient, 1e-4), name


@pytest.mark.parametrize("family", FAMILIES)
def test_backward_with_dropout_is_autograd_of_forward(family: str) -> None:
    case = Case.of(family, dropout=0.2)
    assert case.shape.dropouts.attention == 0.2
    flat = case.layout.flat([case.model.state_dict()] * 2)
    flat += torch.randn(flat.shape, generator=torch.Generator().manual_seed(5)) * 0.05
    batch = case.batch([0, 1, 2, 3, 4], [7, 8, 9, 10, 11])
    masks = Masks.of([11, 12], 3, encoder.places(case.shape), CPU, torch.float32)
    probe = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(6))

    leaves = {k: v.clone().requires_grad_() for k, v in case.layout.views(flat).items()}
    logits, _ = encoder.forward(case.shape, leaves, batch, masks)
    (logits * probe).sum().backward()

    logits, tape = encoder.forward(case.shape, case.layout.views(flat), batch, masks)
    ours = case.layout.views(torch.zeros_like(flat))
    encoder.backward(tape, probe, ours)
    for name, leaf in leaves.items():
        assert leaf.grad is not None
        assert close(ours[name], leaf.grad, 1e-4), name


@pytest.mark.parametrize("family", FAMILIES)
def test_trials_side_by_side_are_trials_alone(family: str) -> None:
    """The batched form that a GPU runs: different weights, rows, lengths and masks."""
    case = Case.of(family, dropout=0.2)
    flat = case.layout.flat([small_model(family, seed=s).state_dict() for s in (1, 2, 3)])
    rows = [[0, 1, 2, 3], [4, 5, 6, 7], [20, 21, 2, 3]]
    seeds = [5, 6, 7]
    places = encoder.places(case.shape)
    probe = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(8))

    def run(which: list[int]) -> tuple[Tensor, Tensor]:
        part = flat[which]
        gradients = torch.zeros_like(part)
        masks = Masks.of([seeds[s] for s in which], 9, places, CPU, torch.float32)
        batch = case.batch(*(rows[s] for s in which))
        logits, tape = encoder.forward(case.shape, case.layout.views(part), batch, masks)
        encoder.backward(tape, probe[which], case.layout.views(gradients))
        return logits, gradients

    logits, gradients = run([0, 1, 2])
    for trial in range(3):
        alone_logits, alone_gradients = run([trial])
        torch.testing.assert_close(logits[trial], alone_logits[0], rtol=0, atol=1e-5)
        assert close(gradients[trial], alone_gradients[0], 1e-5)


def test_an_example_does_not_feel_its_neighbours() -> None:
    case = Case.of("bert")
    w = case.layout.views(case.layout.flat([case.model.state_dict()]))
    rows = list(range(20))
    together = encoder.logits_of(case.shape, w, case.batch(rows))[0]
    for row in rows:
        alone = encoder.logits_of(case.shape, w, case.batch([row]))[0]
        torch.testing.assert_close(together[row], alone[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_products_stay_near_float32(family: str) -> None:
    case = Case.of(family)
    flat = case.layout.flat([case.model.state_dict()])
    batch = case.batch(list(range(8)))
    probe = torch.randn(1, 8, 3, generator=torch.Generator().manual_seed(2))
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        gradients = torch.zeros_like(flat)
        logits, tape = encoder.forward(case.shape, case.layout.views(flat.to(dtype)), batch)
        encoder.backward(tape, probe, case.layout.views(gradients))
        results.append((logits, gradients))
    (logits, gradients), (half_logits, half_gradients) = results
    assert half_logits.dtype == torch.float32
    assert close(half_logits, logits, 0.05)
    assert close(half_gradients, gradients, 0.1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_act": "relu"}, "'relu'"),
        ({"is_decoder": True}, "decoder"),
        ({"num_labels": 1}, "two labels"),
        ({"problem_type": "regression"}, "single-label"),
        ({"position_embedding_type": "relative_key"}, "absolute"),
    ],
)
def test_what_it_cannot_run_is_refused_with_a_reason(change: dict[str, Any], reason: str) -> None:
    from transformers import BertConfig, GPT2Config

    assert supported(BertConfig()) is None
    assert reason in str(supported(BertConfig(**change)))
    assert "gpt2" in str(supported(GPT2Config()))
