"""Packing: every token once, every block's indices come back to where they were."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from seedbed.train.families import shape_of
from seedbed.train.packing import _BLOCK_COST, Example, _groups, pack
from train.small import small_model

CPU = torch.device("cpu")
SHAPE = shape_of(small_model("bert").config)


def example(rng: np.random.Generator, length: int) -> Example:
    ids = rng.integers(1, 50, length)
    return Example(ids, np.arange(length), rng.integers(0, 2, length))


def test_gather_and_return_are_inverse() -> None:
    rng = np.random.default_rng(4)
    trials = [[example(rng, int(n)) for n in rng.integers(1, 60, 9)] for _ in range(3)]
    batch = pack(trials, SHAPE, CPU)
    heads = SHAPE.heads
    for index, rows in ((batch.whole, batch.tokens), (batch.last, batch.examples)):
        queries = torch.randn(3 * rows * heads, 4)
        pairs = torch.randn(3 * batch.tokens * 2 * heads, 4)
        asked = torch.cat([queries[block.query] for block in index.blocks])
        keys = [pairs[block.key] for block in index.blocks]
        values = [pairs[block.value] for block in index.blocks]
        alive = torch.ones(3 * rows, dtype=torch.bool)
        alive[index.dead_rows] = False
        returned = asked[index.query_back].view(3 * rows, heads, 4)
        assert torch.equal(returned[alive], queries.view(-1, heads, 4)[alive])
        alive = torch.ones(3 * batch.tokens, dtype=torch.bool)
        alive[index.dead_tokens] = False
        returned = torch.cat([*keys, *values])[index.kv_back].view(-1, 2, heads, 4)
        assert torch.equal(returned[alive], pairs.view(-1, 2, heads, 4)[alive])


def test_tokens_stand_in_the_order_of_the_batch() -> None:
    rng = np.random.default_rng(5)
    trials = [[example(rng, int(n)) for n in rng.integers(1, 30, 5)] for _ in range(2)]
    batch = pack(trials, SHAPE, CPU)
    used = [sum(e.length for e in examples) for examples in trials]
    assert batch.tokens == max(used) + 1
    for trial, examples in enumerate(trials):
        joined = np.concatenate([e.ids for e in examples])
        assert batch.ids[trial, : used[trial]].tolist() == joined.tolist()
        firsts = batch.firsts.view(2, -1)[trial] - trial * batch.tokens
        assert batch.ids[trial, firsts].tolist() == [int(e.ids[0]) for e in examples]
        assert batch.last.rows[trial].tolist() == firsts.tolist()


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
        found = _groups(lengths, heads)
        assert [a for a, _ in found[1:]] == [b for _, b in found[:-1]]
        assert cost(found) == min(cost(groups) for groups in every)
