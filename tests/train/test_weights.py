"""Weights: to the flat buffer and back to the hub's names, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.spec import Recipe
from seedbed.tasks.encode import Encoded
from seedbed.train.families import shape_of
from seedbed.train.vocabulary import Vocabulary
from seedbed.train.weights import Layout, decay_factor, unknown_tensors
from train.small import FAMILIES, small_model, small_task


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_comes_back_bit_for_bit(family: str) -> None:
    models = [small_model(family, seed=seed) for seed in (0, 1)]
    hubs = [model.state_dict() for model in models]
    shape = shape_of(models[0].config)
    vocabulary = Vocabulary.of(shape, small_task(5, 1))
    layout = Layout.of(shape, hubs[0], vocabulary.words, vocabulary.positions)
    flat = layout.flat(hubs)
    for trial, hub in enumerate(hubs):
        back = layout.hub(flat[trial], hub, decay=1.0)
        assert set(back) == set(hub)
        assert all(torch.equal(back[name], hub[name]) for name in hub)


def test_the_flat_buffer_is_aligned_and_cut_by_weight_decay() -> None:
    model = small_model("electra")
    shape = shape_of(model.config)
    layout = Layout.of(shape, model.state_dict(), np.arange(11), 7)
    flat = torch.zeros(2, layout.numbers)
    for name, view in layout.views(flat).items():
        offset, size = layout.places[name]
        assert offset % 16 == 0
        assert (offset < layout.decaying) is (len(size) >= 2), name
        view.add_(1.0)  # every number belongs to at most one tensor
    assert flat.max() == 1.0
    assert flat.sum() == 2 * sum(view[0].numel() for view in layout.views(flat).values())


def test_rows_outside_the_task_are_only_decayed() -> None:
    model = small_model("bert")
    hub = model.state_dict()
    words = np.array([3, 5, 8])
    layout = Layout.of(shape_of(model.config), hub, words, 4)
    flat = layout.flat([hub])
    layout.views(flat)["word"].zero_()
    back = layout.hub(flat[0], hub, decay=0.5)
    table, before = (h["bert.embeddings.word_embeddings.weight"] for h in (back, hub))
    untouched = np.setdiff1d(np.arange(len(table)), words)
    assert torch.equal(table[untouched], before[untouched] * 0.5)
    assert not table[words].any()
    assert not torch.equal(before[untouched], table[untouched])


def test_the_decay_factor_is_the_product_over_the_steps() -> None:
    recipe = Recipe(learning_rate=0.1, weight_decay=0.5, warmup_ratio=0.5)
    assert decay_factor(recipe, 4, 0) == 1.0
    expected = 1.0
    for rate in (0.0, 0.05, 0.1, 0.05):
        expected *= 1 - rate * 0.5
    assert decay_factor(recipe, 4, 4) == pytest.approx(expected)


def test_unknown_weights_are_named() -> None:
    model = small_model("bert")
    hub = {**model.state_dict(), "bert.adapter.weight": torch.zeros(1)}
    assert unknown_tensors(shape_of(model.config), hub) == ["bert.adapter.weight"]


def rows_of(*tokens: list[int]) -> Encoded:
    flat = np.array([token for row in tokens for token in row], np.int32)
    offsets = np.cumsum([0, *(len(row) for row in tokens)])
    labels = np.zeros(len(tokens), np.int64)
    return Encoded(tokens=flat, types=np.ones(len(flat), np.uint8), offsets=offsets, labels=labels)


def test_roberta_counts_positions_past_the_padding_token() -> None:
    shape = shape_of(small_model("roberta").config)
    assert shape.padding == 1
    split = rows_of([5, 1, 9], [7])
    vocabulary = Vocabulary.of(shape, split)
    rows = vocabulary.rows(split, np.array([[1, 0]]), types=False)
    assert rows.ids.tolist() == [[2, 1, 0, 3, 0]]
    assert rows.positions.tolist() == [[2, 2, 1, 3, 0]]
    assert rows.lengths.tolist() == [[1, 3]]
    assert not rows.types.any()
    assert vocabulary.padding == {"word": 0, "position": 1}


def test_tokens_and_lengths_beyond_the_model_are_refused() -> None:
    shape = shape_of(small_model("bert").config)
    with pytest.raises(InputError, match="tokenizer does not belong"):
        Vocabulary.of(shape, rows_of([shape.vocabulary]))
    with pytest.raises(InputError, match="longer than the model"):
        Vocabulary.of(shape, rows_of([1] * (shape.positions + 1)))
    assert Vocabulary.of(shape, rows_of([1] * shape.positions)).positions == shape.positions
