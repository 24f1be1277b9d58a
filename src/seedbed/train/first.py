"""Attention of each example's first token alone: the last layer, without keys or values.

One query q of a head asks all tokens x_t. Its scores q·(K x_t + b) are (Kᵀq)·x_t up to a
constant that softmax does not feel, and its context Σ p_t (V x_t + b) is V (Σ p_t x_t) +
b Σ p_t. So the products with K and V are taken for one row an example, not for every
token: the same function, a head's share of the work.

Axes: S trial, B example, N example in a block (all trials), H head, d feature of a head,
T packed token, L token of an example, D hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seedbed.train.attention import joined
from seedbed.train.kernels import Tensors, dropped, rows_of
from seedbed.train.packing import FirstAttention


@dataclass(frozen=True)
class FirstBlockTape:
    """What one block's backward needs: tokens [N, L, D], queries [N, H, D], [N, H, L]."""

    x: Tensor
    u: Tensor
    probabilities: Tensor
    kept: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class FirstTape:
    """What the backward needs: blocks; queries, averaged tokens by head; sums [S, B, H, 1]."""

    blocks: list[FirstBlockTape]
    q: Tensor
    z: Tensor
    sums: Tensor


def attend_first(
    q_SBD: Tensor, x_STD: Tensor, w: Tensors, index: FirstAttention, masks: Sequence[Tensor | None]
) -> tuple[Tensor, FirstTape]:
    """Give the context [S, B, D]; ``q_SBD`` is already scaled, ``w`` the layer's ``kv``."""
    trials, examples, hidden = q_SBD.shape
    k_SHdD, v_SHdD = w["weight"].unbind(1)
    q = _by_head(q_SBD.view(trials, examples, *k_SHdD.shape[1:3]))
    u = _by_example(torch.bmm(q, k_SHdD.flatten(0, 1)), trials).flatten(0, 1)
    tapes, zs, sums = [], [], []
    for block, mask in zip(index.blocks, masks, strict=True):
        x_NLD = rows_of(x_STD, block.tokens, hidden).view(-1, block.keys, hidden)
        u_NHD = u.index_select(0, block.examples)
        scores = torch.bmm(u_NHD, x_NLD.transpose(1, 2))
        if block.bias is not None:
            scores += block.bias
        probabilities = torch.softmax(scores, -1)
        shaped = None if mask is None else mask.view(probabilities.shape)
        kept = dropped(probabilities, shaped)
        zs.append(torch.bmm(kept, x_NLD))
        sums.append(kept.sum(-1))
        tapes.append(FirstBlockTape(x_NLD, u_NHD, probabilities, kept, shaped))
    shape = (trials, examples, u.shape[1], -1)
    z = _by_head(joined(zs).index_select(0, index.examples_back).view(shape))
    sums_SBH1 = joined(sums).index_select(0, index.examples_back).view(shape)
    context = _by_example(torch.bmm(z, v_SHdD.flatten(0, 1).transpose(1, 2)), trials)
    context = context + sums_SBH1 * w["bias"][:, None, 1]
    return context.flatten(2), FirstTape(tapes, q, z, sums_SBH1)


def attend_first_backward(
    dcontext_SBD: Tensor, tape: FirstTape, w: Tensors, g: Tensors, index: FirstAttention
) -> tuple[Tensor, Tensor]:
    """Give the gradients of the scaled queries [S, B, D] and of the tokens [S, T, D].

    Those of keys and values go into ``g``, which is shaped as ``w``.
    """
    trials, examples, hidden = dcontext_SBD.shape
    k_SHdD, v_SHdD = w["weight"].unbind(1)
    dcontext_SBHd = dcontext_SBD.view(trials, examples, *k_SHdD.shape[1:3])
    dcontext = _by_head(dcontext_SBHd)
    dv = torch.bmm(dcontext.transpose(1, 2), tape.z)
    g["weight"][:, 1].copy_(dv.view(v_SHdD.shape))
    g["bias"][:, 0] = 0.0
    g["bias"][:, 1].copy_((dcontext_SBHd * tape.sums).sum(1))
    dz = _by_example(torch.bmm(dcontext, v_SHdD.flatten(0, 1)), trials).flatten(0, 1)
    dsums = (dcontext_SBHd * w["bias"][:, None, 1]).sum(-1).flatten(0, 1)
    dus, dxs = [], []
    for block, part in zip(index.blocks, tape.blocks, strict=True):
        dz_NHD = dz.index_select(0, block.examples)
        dkept = torch.bmm(dz_NHD, part.x.transpose(1, 2))
        dkept += dsums.index_select(0, block.examples)[..., None]
        dscores = torch._softmax_backward_data(
            dropped(dkept, part.mask), part.probabilities, -1, dkept.dtype
        )
        dus.append(torch.bmm(dscores, part.x))
        dx = torch.bmm(dscores.transpose(1, 2), part.u)
        dxs.append(dx.baddbmm_(part.kept.transpose(1, 2), dz_NHD).view(-1, hidden))
    du = joined(dus).index_select(0, index.examples_back)
    du = _by_head(du.view(trials, examples, -1, hidden))
    dk = torch.bmm(tape.q.transpose(1, 2), du)
    g["weight"][:, 0].copy_(dk.view(k_SHdD.shape))
    dq = _by_example(torch.bmm(du, k_SHdD.flatten(0, 1).transpose(1, 2)), trials)
    dx = joined(dxs).index_select(0, index.tokens_back).index_fill_(0, index.dead, 0.0)
    return dq.flatten(2), dx.view(trials, -1, hidden)


def by_head(w: Tensors, name: str, heads: int) -> dict[str, Tensor]:
    """View the ``kv`` of a layer as weight [S, 2, H, d, D] and bias [S, 2, H, d]."""
    weight, bias = w[name + ".weight"], w[name + ".bias"]
    return {
        "weight": weight.view(len(weight), 2, heads, -1, weight.shape[-1]),
        "bias": bias.view(len(bias), 2, heads, -1),
    }


def _by_head(x_SBHd: Tensor) -> Tensor:
    """Bring [S, B, H, d] to [S·H, B, d]."""
    return x_SBHd.transpose(1, 2).flatten(0, 1)


def _by_example(x: Tensor, trials: int) -> Tensor:
    """Bring [S·H, B, d] to [S, B, H, d]."""
    return x.view(trials, -1, *x.shape[1:]).transpose(1, 2)
