"""Attention over packed tokens: gather into blocks, explicit products and softmax, back.

The gather has its own backward: what was gathered by index is brought back by the
inverse index, so no scatter is needed in either direction.

Axes: S trial, T token, n example in a block, H head, Q query, L key,
d feature of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seedbed.train.kernels import dropped, rows_of
from seedbed.train.packing import Attention


@dataclass(frozen=True)
class BlockTape:
    """What one block's backward needs; batched over S·n·H."""

    q: Tensor
    k: Tensor
    v: Tensor
    probabilities: Tensor
    kept: Tensor
    mask: Tensor | None


def attend(
    q_STD: Tensor, kv_STK: Tensor, index: Attention, masks: Sequence[Tensor | None], d: int
) -> tuple[Tensor, list[BlockTape]]:
    """Give the context [S, T, D]; ``q_STD`` is already scaled, K = keys then values.

    ``masks`` are the dropout masks of the blocks' probabilities, ``d`` the size of a head.
    """
    contexts, tapes = [], []
    for block, mask in zip(index.blocks, masks, strict=True):
        q = rows_of(q_STD, block.query, d).view(-1, block.queries, d)
        k = rows_of(kv_STK, block.key, d).view(-1, block.keys, d)
        v = rows_of(kv_STK, block.value, d).view(-1, block.keys, d)
        scores = torch.bmm(q, k.transpose(1, 2))
        if block.bias is not None:
            scores += block.bias
        probabilities = torch.softmax(scores, -1)
        kept = dropped(probabilities, mask)
        contexts.append(torch.bmm(kept, v).view(-1, d))
        tapes.append(BlockTape(q, k, v, probabilities, kept, mask))
    context = joined(contexts).index_select(0, index.query_back)
    return context.view(q_STD.shape), tapes


def attend_backward(
    dcontext_STD: Tensor, tapes: list[BlockTape], index: Attention, d: int
) -> tuple[Tensor, Tensor]:
    """Give the gradients of the scaled queries [S, T, D] and of keys and values [S, T, 2D]."""
    dqs, dks, dvs = [], [], []
    for block, tape in zip(index.blocks, tapes, strict=True):
        dcontext = rows_of(dcontext_STD, block.query, d).view(-1, block.queries, d)
        dvs.append(torch.bmm(tape.kept.transpose(1, 2), dcontext).view(-1, d))
        dprobabilities = dropped(torch.bmm(dcontext, tape.v.transpose(1, 2)), tape.mask)
        dscores = torch._softmax_backward_data(
            dprobabilities, tape.probabilities, -1, dprobabilities.dtype
        )
        dqs.append(torch.bmm(dscores, tape.k).view(-1, d))
        dks.append(torch.bmm(dscores.transpose(1, 2), tape.q).view(-1, d))
    trials, _, hidden = dcontext_STD.shape
    dq = joined(dqs).index_select(0, index.query_back).view(-1, hidden)
    dkv = joined([*dks, *dvs]).index_select(0, index.kv_back).view(-1, 2 * hidden)
    dq.index_fill_(0, index.dead, 0.0)
    dkv.index_fill_(0, index.dead, 0.0)
    return dq.view(trials, -1, hidden), dkv.view(trials, -1, 2 * hidden)


def joined(parts: list[Tensor]) -> Tensor:
    """Join blocks along their first axis; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)
