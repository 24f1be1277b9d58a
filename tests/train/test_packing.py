"""Packing: every token once, every block's indices come back to where they were."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from seedbed.train.families import shape_of
from seedbed.train.packing import _BLOCK_COST, Rows, _groups, pack
from train.small import small_model

CPU = torch.device("cpu")
SHAPE = shape_of(small_model("bert").config)


def rows_of(rng: np.random.Generator, lengths: np.ndarray[Any, Any]) -> Rows:
    size = (len(lengths), int(lengths.sum(axis=1).max()) + 1)
    return Rows(rng.integers(1, 50, size), np.zeros(size, int), np.zeros(size, int), lengths)


def test_gather_and_return_are_inverse() -> None:
    rng = np.random.default_rng(4)
    batch = pack(rows_of(rng, rng.integers(1, 60, (3, 9))), SHAPE, CPU)
    heads, tokens = SHAPE.heads, batch.ids.shape[1]
    index, last = batch.whole, batch.last
    assert len(index.blocks) > 1
    alive = torch.ones(3 * tokens, dtype=torch.bool)
    alive[index.dead] = False

    queries = torch.randn(3 * tokens * heads, 4)
    asked = torch.cat([queries[block.query] for block in index.blocks])
    returned = asked[index.query_back].view(-1, heads, 4)
    assert torch.equal(returned[alive], queries.view(-1, heads, 4)[alive])

    pairs = torch.randn(3 * tokens * 2 * heads, 4)
    keys = [pairs[block.key] for block in index.blocks]
    values = [pairs[block.value] for block in index.blocks]
    returned = torch.cat([*keys, *values])[index.kv_back].view(-1, 2, heads, 4)
    assert torch.equal(returned[alive], pairs.view(-1, 2, heads, 4)[alive])

    hidden = torch.randn(3 * tokens, 4)
    gathered = torch.cat([hidden[block.tokens] for block in last.blocks])
    assert torch.equal(gathered[last.tokens_back][alive], hidden[alive])
    examples = torch.randn(3 * 9, 4)
    gathered = torch.cat([examples[block.examples] for block in last.blocks])
    assert torch.equal(gathered[last.examples_back], examples)


def test_first_tokens_are_found() -> None:
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 30, (2, 5))
    rows = rows_of(rng, lengths)
    batch = pack(rows, SHAPE, CPU)
    starts = np.cumsum(lengths, axis=1) - lengths
    assert batch.last.rows.tolist() == starts.tolist()
    firsts = batch.ids.view(-1)[batch.firsts].view(2, 5)
    assert firsts.tolist() == np.take_along_axis(rows.ids, starts, 1).tolist()
    assert batch.whole.rows.tolist() == [list(range(rows.ids.shape[1]))] * 2


def test_blocks_are_cut_where_it_is_cheapest() -> None:
    rng = np.random.default_rng(6)
    for _ in range(40):
        lengths = np.sort(rng.integers(1, 130, int(rng.integers(1, 9))))
        heads = int(rng.integers(1, 13))
        rounded = [-(-int(n) // 8) * 8 for n in lengths]

        def cost(
            groups: list[tuple[int, int]], rounded: list[int] = rounded, heads: int = heads
        ) -> int:
            return sum(_BLOCK_COST + (b - a) * heads * rounded[b - 1] ** 2 for a, b in groups)

        every = [
            list(itertools.pairwise((0, *cuts, len(lengths))))
            for n in range(len(lengths))
            for cuts in itertools.combinations(range(1, len(lengths)), n)
        ]
        found = [(group.begin, group.end) for group in _groups(lengths, heads)]
        assert [a for a, _ in found[1:]] == [b for _, b in found[:-1]]
        assert cost(found) == min(cost(groups) for groups in every)
