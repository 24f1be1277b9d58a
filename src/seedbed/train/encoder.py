"""A transformer encoder with a classifier, forward and backward, for an array of trials.

Every weight and activation has a leading trial axis S. The tokens of a batch are packed
without padding; the classifier reads each example's first token, so the last layer is
computed for the first tokens alone (see ``first.py``).
The backward is written out: gradients go straight into the caller's buffers and no graph
is built.

    ids ─ embed ─ layer ─ ... ─ layer (first tokens only) ─ head ─ logits
                    │
                    x ─┬─ q, kv ─ attend ─ mix ─ dropout ─(+)─ norm1 ─┐
                       └───────────────────────────────────┘          │
                    ┌─────────────────────────────────────────────────┘
                    └─┬─ up ─ gelu ─ down ─ dropout ─(+)─ norm2 ─ x'
                      └───────────────────────────────┘

Axes: S trial, B example, T packed token, R token a layer is computed for, D hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from seedbed.train.attention import BlockTape, attend, attend_backward
from seedbed.train.dropout import Masks
from seedbed.train.families import Shape
from seedbed.train.first import FirstTape, attend_first, attend_first_backward, by_head
from seedbed.train.kernels import (
    ACTIVATIONS,
    NormTape,
    Tensors,
    activation_backward,
    dropped,
    dropped_sum,
    linear,
    linear_gradients,
    norm,
    norm_backward,
    rows_of,
)
from seedbed.train.packing import Attention, Batch, Block, FirstAttention, FirstBlock


@dataclass(frozen=True)
class Pass:
    """One pass through the network: architecture, weights, batch, dropout masks if any."""

    shape: Shape
    w: Tensors
    batch: Batch
    masks: Masks | None

    def hidden_mask(self, place: int, p: float, rows: Tensor) -> Tensor | None:
        """Give the dropout mask of hidden states at ``rows`` (numbered by token)."""
        features = self.shape.hidden if place else self.shape.embedding
        return None if self.masks is None else self.masks.hidden(place, p, rows, features)

    def attention_mask(self, place: int, block: Block | FirstBlock) -> Tensor | None:
        """Give the dropout mask of a block's attention probabilities."""
        if self.masks is None:
            return None
        return self.masks.attention(
            place,
            self.shape.dropouts.attention,
            block.slots,
            size=(self.shape.heads, block.queries, block.keys),
            longest=self.shape.positions,
        )

    def attention(self, layer: int) -> Attention | FirstAttention:
        """Say which tokens ask in ``layer``: all, but in the last layer only the first."""
        return self.batch.last if layer == self.shape.layers - 1 else self.batch.whole


@dataclass(frozen=True)
class EmbeddingTape:
    """What the backward of the embeddings needs."""

    norm: NormTape
    mask: Tensor | None
    kept: Tensor


@dataclass(frozen=True)
class LayerTape:
    """What the backward of a layer needs; ``asking`` are the rows that it computes."""

    x: Tensor
    asking: Tensor
    blocks: list[BlockTape] | FirstTape
    context: Tensor
    mask1: Tensor | None
    norm1: NormTape
    middle: Tensor
    up: Tensor
    active: Tensor
    mask2: Tensor | None
    norm2: NormTape


@dataclass(frozen=True)
class HeadTape:
    """What the backward of the classifier needs."""

    mask_input: Tensor | None
    kept_input: Tensor
    dense: Tensor
    active: Tensor
    mask: Tensor | None
    kept: Tensor


@dataclass(frozen=True)
class Tape:
    """What the backward needs of one forward pass."""

    run: Pass
    embedding: EmbeddingTape
    layers: list[LayerTape]
    head: HeadTape


def places(shape: Shape) -> int:
    """How many places with dropout the network has."""
    return 3 * shape.layers + 3


def forward(
    shape: Shape, w: Tensors, batch: Batch, masks: Masks | None = None
) -> tuple[Tensor, Tape]:
    """Give the logits [S, B, labels] in float32, and what the backward needs.

    ``w`` holds the tensors of ``families.hub_names``, each [S, ...], of one floating type;
    without ``masks`` there is no dropout.
    """
    run = Pass(shape, w, batch, masks)
    x, embedding = _embed(run)
    layers = []
    for i in range(shape.layers):
        x, tape = _layer(run, i, x)
        layers.append(tape)
    logits, head = _head(run, x)
    return logits, Tape(run, embedding, layers, head)


def logits_of(shape: Shape, w: Tensors, batch: Batch) -> Tensor:
    """Give the logits [S, B, labels] in float32 without dropout, keeping nothing."""
    run = Pass(shape, w, batch, None)
    x = _embed(run)[0]
    for i in range(shape.layers):
        x = _layer(run, i, x)[0]
    return _head(run, x)[0]


def backward(tape: Tape, dlogits_SBC: Tensor, g: Tensors) -> None:
    """Write the gradient of every weight into ``g`` (float32 [S, ...], by the same names).

    ``dlogits_SBC`` is the gradient of the logits. ``g`` needs not be zero before. The
    tape is used up: its layers are freed one by one.
    """
    run = tape.run
    dx = _head_backward(run, tape.head, dlogits_SBC, g)
    for i in reversed(range(run.shape.layers)):
        dx = _layer_backward(run, i, tape.layers.pop(), dx, g)  # frees what it needed
    _embed_backward(run, tape.embedding, dx, g)


def _embed(run: Pass) -> tuple[Tensor, EmbeddingTape]:
    shape, w, batch = run.shape, run.w, run.batch
    total = _looked_up(w["word"], batch.ids)
    if shape.types:
        total += _looked_up(w["type"], batch.types)
    total += _looked_up(w["position"], batch.positions)
    x, tape = norm(total, w, "norm0", shape.norm_eps)
    mask = run.hidden_mask(0, shape.dropouts.embedding, batch.whole.rows)
    kept = dropped(x, mask)
    x = linear(kept, w, "project") if shape.projected else kept
    return x, EmbeddingTape(tape, mask, kept)


def _embed_backward(run: Pass, tape: EmbeddingTape, dx: Tensor, g: Tensors) -> None:
    batch = run.batch
    if run.shape.projected:
        linear_gradients(dx, tape.kept, g, "project")
        dx = torch.bmm(dx, run.w["project.weight"])
    dtotal = norm_backward(dropped(dx, tape.mask), tape.norm, run.w, g, "norm0")
    _look_up_gradient(g["word"], batch.ids, dtotal)
    _look_up_gradient(g["position"], batch.positions, dtotal)
    if run.shape.types:
        _look_up_gradient(g["type"], batch.types, dtotal)


def _layer(run: Pass, i: int, x: Tensor) -> tuple[Tensor, LayerTape]:
    shape, w, index = run.shape, run.w, run.attention(i)
    asking = x
    if index is run.batch.last:
        asking = rows_of(x, run.batch.firsts, shape.hidden).view(len(x), -1, shape.hidden)
    q = linear(asking, w, f"{i}.q").mul_(shape.head_size**-0.5)
    context, blocks = _attention(run, i, q, x)
    mask1 = run.hidden_mask(3 * i + 2, shape.dropouts.attention_output, index.rows)
    sum1 = dropped_sum(asking, linear(context, w, f"{i}.mix"), mask1)
    middle, norm1 = norm(sum1, w, f"{i}.norm1", shape.norm_eps)
    up = linear(middle, w, f"{i}.up")
    active = ACTIVATIONS["gelu"](up)
    mask2 = run.hidden_mask(3 * i + 3, shape.dropouts.feed_forward, index.rows)
    sum2 = dropped_sum(middle, linear(active, w, f"{i}.down"), mask2)
    y, norm2 = norm(sum2, w, f"{i}.norm2", shape.norm_eps)
    tape = LayerTape(x, asking, blocks, context, mask1, norm1, middle, up, active, mask2, norm2)
    return y, tape


def _layer_backward(run: Pass, i: int, tape: LayerTape, dy: Tensor, g: Tensors) -> Tensor:
    shape, w, index = run.shape, run.w, run.attention(i)
    dsum2 = norm_backward(dy, tape.norm2, w, g, f"{i}.norm2")
    ddown = dropped(dsum2, tape.mask2)
    linear_gradients(ddown, tape.active, g, f"{i}.down")
    dactive = torch.bmm(ddown, w[f"{i}.down.weight"])
    dup = activation_backward("gelu", dactive, tape.up, tape.active)
    linear_gradients(dup, tape.middle, g, f"{i}.up")
    dmiddle = dsum2.baddbmm_(dup, w[f"{i}.up.weight"])
    dsum1 = norm_backward(dmiddle, tape.norm1, w, g, f"{i}.norm1")
    dmixed = dropped(dsum1, tape.mask1)
    linear_gradients(dmixed, tape.context, g, f"{i}.mix")
    dcontext = torch.bmm(dmixed, w[f"{i}.mix.weight"])
    dq, dx = _attention_backward(run, i, tape, dcontext, g)
    dq.mul_(shape.head_size**-0.5)
    linear_gradients(dq, tape.asking, g, f"{i}.q")
    dasking = dsum1.baddbmm_(dq, w[f"{i}.q.weight"])
    if index is run.batch.whole:
        return dx.add_(dasking)
    dx.view(-1, shape.hidden).index_add_(0, run.batch.firsts, dasking.view(-1, shape.hidden))
    return dx


def _attention(
    run: Pass, i: int, q: Tensor, x: Tensor
) -> tuple[Tensor, list[BlockTape] | FirstTape]:
    """Let the scaled queries ``q`` ask all tokens ``x``; give their context."""
    shape, index, name = run.shape, run.attention(i), f"{i}.kv"
    masks = [run.attention_mask(3 * i + 1, block) for block in index.blocks]
    if isinstance(index, FirstAttention):
        return attend_first(q, x, by_head(run.w, name, shape.heads), index, masks)
    return attend(q, linear(x, run.w, name), index, masks, shape.head_size)


def _attention_backward(
    run: Pass, i: int, tape: LayerTape, dcontext: Tensor, g: Tensors
) -> tuple[Tensor, Tensor]:
    """Give the gradients of the scaled queries and, through keys and values, of ``x``."""
    shape, index, name = run.shape, run.attention(i), f"{i}.kv"
    if isinstance(index, FirstAttention):
        first = cast(FirstTape, tape.blocks)
        w_heads, g_heads = (by_head(part, name, shape.heads) for part in (run.w, g))
        return attend_first_backward(dcontext, first, w_heads, g_heads, index)
    blocks = cast(list[BlockTape], tape.blocks)
    dq, dkv = attend_backward(dcontext, blocks, index, shape.head_size)
    linear_gradients(dkv, tape.x, g, name)
    return dq, torch.bmm(dkv, run.w[name + ".weight"])


def _head(run: Pass, x: Tensor) -> tuple[Tensor, HeadTape]:
    shape, w, rows = run.shape, run.w, run.batch.last.rows
    place = 3 * shape.layers + 1
    mask_input = run.hidden_mask(place, shape.dropouts.head_input, rows)
    kept_input = dropped(x, mask_input)
    dense = linear(kept_input, w, "dense")
    active = ACTIVATIONS[shape.head_activation](dense)
    mask = run.hidden_mask(place + 1, shape.dropouts.head, rows)
    kept = dropped(active, mask)
    logits = linear(kept, w, "out").float()
    return logits, HeadTape(mask_input, kept_input, dense, active, mask, kept)


def _head_backward(run: Pass, tape: HeadTape, dlogits_SBC: Tensor, g: Tensors) -> Tensor:
    dlogits = dlogits_SBC.to(tape.kept.dtype)
    linear_gradients(dlogits, tape.kept, g, "out")
    dactive = dropped(torch.bmm(dlogits, run.w["out.weight"]), tape.mask)
    kind = run.shape.head_activation
    ddense = activation_backward(kind, dactive, tape.dense, tape.active)
    linear_gradients(ddense, tape.kept_input, g, "dense")
    return dropped(torch.bmm(ddense, run.w["dense.weight"]), tape.mask_input)


def _looked_up(table_SVE: Tensor, index_ST: Tensor) -> Tensor:
    trials = zip(table_SVE, index_ST, strict=True)
    rows = [table.index_select(0, index) for table, index in trials]
    return rows[0][None] if len(rows) == 1 else torch.stack(rows)


def _look_up_gradient(g_SVE: Tensor, index_ST: Tensor, drows_STE: Tensor) -> None:
    for gradient, index, drows in zip(g_SVE, index_ST, drows_STE, strict=True):
        gradient.zero_().index_add_(0, index, drows.to(gradient.dtype))
