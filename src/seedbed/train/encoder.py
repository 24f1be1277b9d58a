"""A transformer encoder with a classifier, forward and backward, for an array of trials.

Every weight and activation has a leading trial axis S. The tokens of a batch are packed
without padding; the classifier reads each example's first token, so the last layer
computes keys and values for all tokens and everything else for the first tokens alone.
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

import torch
from torch import Tensor

from seedbed.train.attention import BlockTape, attend, attend_backward
from seedbed.train.dropout import Masks
from seedbed.train.families import Shape
from seedbed.train.kernels import (
    ACTIVATIONS,
    Moments,
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
from seedbed.train.packing import Attention, Batch


@dataclass(frozen=True)
class EmbeddingTape:
    """What the backward of the embeddings needs."""

    total: Tensor
    moments: Moments
    mask: Tensor | None
    kept: Tensor


@dataclass(frozen=True)
class LayerTape:
    """What the backward of a layer needs; ``asking`` are the rows that it computes."""

    x: Tensor
    asking: Tensor
    blocks: list[BlockTape]
    context: Tensor
    mask1: Tensor | None
    sum1: Tensor
    moments1: Moments
    middle: Tensor
    up: Tensor
    active: Tensor
    mask2: Tensor | None
    sum2: Tensor
    moments2: Moments


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
    x, embedding = _embed(shape, w, batch, masks)
    layers = []
    for i in range(shape.layers):
        x, tape = _layer(shape, w, i, x, batch, masks)
        layers.append(tape)
    logits, head = _head(shape, w, x, batch, masks)
    return logits, Tape(embedding, layers, head)


def logits_of(shape: Shape, w: Tensors, batch: Batch) -> Tensor:
    """Give the logits [S, B, labels] in float32 without dropout, keeping nothing."""
    x = _embed(shape, w, batch, None)[0]
    for i in range(shape.layers):
        x = _layer(shape, w, i, x, batch, None)[0]
    return _head(shape, w, x, batch, None)[0]


def backward(
    shape: Shape, w: Tensors, g: Tensors, batch: Batch, tape: Tape, dlogits_SBC: Tensor
) -> None:
    """Write the gradient of every tensor of ``w`` into ``g`` (float32, the same shapes).

    ``dlogits_SBC`` is the gradient of the logits. ``g`` needs not be zero before.
    """
    dx = _head_backward(shape, w, g, tape.head, dlogits_SBC)
    for i in reversed(range(shape.layers)):
        dx = _layer_backward(shape, w, g, i, batch, tape.layers[i], dx)
    _embed_backward(shape, w, g, batch, tape.embedding, dx)


def _hidden_mask(
    masks: Masks | None, place: int, p: float, rows_SR: Tensor, features: int
) -> Tensor | None:
    return None if masks is None else masks.hidden(place, p, rows_SR, features)


def _embed(
    shape: Shape, w: Tensors, batch: Batch, masks: Masks | None
) -> tuple[Tensor, EmbeddingTape]:
    total = _looked_up(w["word"], batch.ids_ST)
    if shape.types:
        total += _looked_up(w["type"], batch.types_ST)
    total += _looked_up(w["position"], batch.positions_ST)
    x, moments = norm(total, w, "norm0", shape.norm_eps)
    p = shape.dropouts.embedding
    mask = _hidden_mask(masks, 0, p, batch.whole.rows_SR, shape.embedding)
    kept = dropped(x, mask)
    tape = EmbeddingTape(total, moments, mask, kept)
    return (linear(kept, w, "project") if shape.projected else kept), tape


def _embed_backward(
    shape: Shape, w: Tensors, g: Tensors, batch: Batch, tape: EmbeddingTape, dx: Tensor
) -> None:
    if shape.projected:
        linear_gradients(dx, tape.kept, g, "project")
        dx = torch.bmm(dx, w["project.weight"])
    dtotal = norm_backward(dropped(dx, tape.mask), tape.total, tape.moments, w, g, "norm0")
    _look_up_gradient(g["word"], batch.ids_ST, dtotal)
    _look_up_gradient(g["position"], batch.positions_ST, dtotal)
    if shape.types:
        _look_up_gradient(g["type"], batch.types_ST, dtotal)


def _layer(
    shape: Shape, w: Tensors, i: int, x: Tensor, batch: Batch, masks: Masks | None
) -> tuple[Tensor, LayerTape]:
    index = _attention_of(shape, i, batch)
    asking = x
    if index is batch.last:
        asking = rows_of(x, batch.firsts, shape.hidden).view(batch.trials, -1, shape.hidden)
    q = linear(asking, w, f"{i}.q").mul_(shape.head_size**-0.5)
    kv = linear(x, w, f"{i}.kv")
    context, blocks = attend(q, kv, index, shape, masks, 3 * i + 1)
    mixed = linear(context, w, f"{i}.mix")
    p = shape.dropouts.attention_output
    mask1 = _hidden_mask(masks, 3 * i + 2, p, index.rows_SR, shape.hidden)
    sum1 = dropped_sum(asking, mixed, mask1)
    middle, moments1 = norm(sum1, w, f"{i}.norm1", shape.norm_eps)
    up = linear(middle, w, f"{i}.up")
    active = ACTIVATIONS["gelu"](up)
    down = linear(active, w, f"{i}.down")
    p = shape.dropouts.feed_forward
    mask2 = _hidden_mask(masks, 3 * i + 3, p, index.rows_SR, shape.hidden)
    sum2 = dropped_sum(middle, down, mask2)
    y, moments2 = norm(sum2, w, f"{i}.norm2", shape.norm_eps)
    tape = LayerTape(
        x, asking, blocks, context, mask1, sum1, moments1, middle, up, active, mask2, sum2, moments2
    )
    return y, tape


def _layer_backward(
    shape: Shape, w: Tensors, g: Tensors, i: int, batch: Batch, tape: LayerTape, dy: Tensor
) -> Tensor:
    index = _attention_of(shape, i, batch)
    dsum2 = norm_backward(dy, tape.sum2, tape.moments2, w, g, f"{i}.norm2")
    ddown = dropped(dsum2, tape.mask2)
    linear_gradients(ddown, tape.active, g, f"{i}.down")
    dactive = torch.bmm(ddown, w[f"{i}.down.weight"])
    dup = activation_backward("gelu", dactive, tape.up, tape.active)
    linear_gradients(dup, tape.middle, g, f"{i}.up")
    dmiddle = dsum2.baddbmm_(dup, w[f"{i}.up.weight"])
    dsum1 = norm_backward(dmiddle, tape.sum1, tape.moments1, w, g, f"{i}.norm1")
    dmixed = dropped(dsum1, tape.mask1)
    linear_gradients(dmixed, tape.context, g, f"{i}.mix")
    dcontext = torch.bmm(dmixed, w[f"{i}.mix.weight"])
    dq, dkv = attend_backward(dcontext, tape.blocks, index, shape)
    dq.mul_(shape.head_size**-0.5)
    linear_gradients(dq, tape.asking, g, f"{i}.q")
    linear_gradients(dkv, tape.x, g, f"{i}.kv")
    dasking = dsum1.baddbmm_(dq, w[f"{i}.q.weight"])
    if index is batch.whole:
        return dasking.baddbmm_(dkv, w[f"{i}.kv.weight"])
    dx = torch.bmm(dkv, w[f"{i}.kv.weight"])
    dx.view(-1, shape.hidden).index_add_(0, batch.firsts, dasking.view(-1, shape.hidden))
    return dx


def _attention_of(shape: Shape, i: int, batch: Batch) -> Attention:
    return batch.last if i == shape.layers - 1 else batch.whole


def _head(
    shape: Shape, w: Tensors, x: Tensor, batch: Batch, masks: Masks | None
) -> tuple[Tensor, HeadTape]:
    rows_SB, place = batch.last.rows_SR, 3 * shape.layers + 1
    mask_input = _hidden_mask(masks, place, shape.dropouts.head_input, rows_SB, shape.hidden)
    kept_input = dropped(x, mask_input)
    dense = linear(kept_input, w, "dense")
    active = ACTIVATIONS[shape.head_activation](dense)
    mask = _hidden_mask(masks, place + 1, shape.dropouts.head, rows_SB, shape.hidden)
    kept = dropped(active, mask)
    logits = linear(kept, w, "out").float()
    return logits, HeadTape(mask_input, kept_input, dense, active, mask, kept)


def _head_backward(
    shape: Shape, w: Tensors, g: Tensors, tape: HeadTape, dlogits_SBC: Tensor
) -> Tensor:
    dlogits = dlogits_SBC.to(tape.kept.dtype)
    linear_gradients(dlogits, tape.kept, g, "out")
    dactive = dropped(torch.bmm(dlogits, w["out.weight"]), tape.mask)
    ddense = activation_backward(shape.head_activation, dactive, tape.dense, tape.active)
    linear_gradients(ddense, tape.kept_input, g, "dense")
    return dropped(torch.bmm(ddense, w["dense.weight"]), tape.mask_input)


def _flat_index(index_ST: Tensor, rows: int) -> Tensor:
    """Number the rows of all trials' tables in one sequence."""
    if len(index_ST) == 1:
        return index_ST.reshape(-1)
    offsets = torch.arange(len(index_ST), device=index_ST.device) * rows
    return (index_ST + offsets[:, None]).view(-1)


def _looked_up(table_SVE: Tensor, index_ST: Tensor) -> Tensor:
    index = _flat_index(index_ST, table_SVE.shape[1])
    return rows_of(table_SVE, index, table_SVE.shape[2]).view(*index_ST.shape, -1)


def _look_up_gradient(g_SVE: Tensor, index_ST: Tensor, drows_STE: Tensor) -> None:
    index = _flat_index(index_ST, g_SVE.shape[1])
    drows = drows_STE.reshape(-1, drows_STE.shape[-1]).to(g_SVE.dtype)
    g_SVE.zero_().view(-1, g_SVE.shape[-1]).index_add_(0, index, drows)
