"""Products, norms and activations with a trial axis: each with its backward.

Everything works on [S, rows, features] with weights [S, out, in]. Gradients of weights
are written into buffers given by the caller, so that all of a trial's gradients lie in
one flat buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from seedbed.train.families import Activation

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class NormTape:
    """What the backward of a norm needs: its input, means and inverse deviations."""

    x: Tensor
    mean: Tensor
    rstd: Tensor


def linear(x: Tensor, w: Tensors, name: str) -> Tensor:
    """Give x Wᵀ + b: [S, R, in] to [S, R, out]."""
    weight, bias = w[name + ".weight"], w[name + ".bias"]
    return torch.baddbmm(bias[:, None, :], x, weight.transpose(1, 2))


def linear_gradients(dy: Tensor, x: Tensor, g: Tensors, name: str) -> None:
    """Write the gradients of a linear layer's weight and bias into ``g``."""
    weight, bias = g[name + ".weight"], g[name + ".bias"]
    if weight.dtype == x.dtype:
        torch.bmm(dy.transpose(1, 2), x, out=weight)
    else:
        weight.copy_(torch.bmm(dy.transpose(1, 2), x))
    torch.sum(dy, dim=1, dtype=bias.dtype, out=bias)


def norm(x: Tensor, w: Tensors, name: str, eps: float) -> tuple[Tensor, NormTape]:
    """Normalise the last axis: [S, R, D] to the same."""
    weight, bias = w[name + ".weight"], w[name + ".bias"]
    size = [x.shape[-1]]
    if len(weight) == 1:
        y, mean, rstd = torch.native_layer_norm(x, size, weight[0], bias[0], eps)
        return y, NormTape(x, mean, rstd)
    y, mean, rstd = torch.native_layer_norm(x, size, None, None, eps)
    return torch.addcmul(bias[:, None], y, weight[:, None]), NormTape(x, mean, rstd)


def norm_backward(dy: Tensor, tape: NormTape, w: Tensors, g: Tensors, name: str) -> Tensor:
    """Give the gradient of the norm's input; its weight's and bias's go into ``g``."""
    weight, bias = w[name + ".weight"], w[name + ".bias"]
    x, size = tape.x, [tape.x.shape[-1]]
    backward = torch.ops.aten.native_layer_norm_backward
    if len(weight) == 1:
        affine = (weight[0], bias[0], [True, True, True])
        dx, dw, db = backward(dy, x, size, tape.mean, tape.rstd, *affine)
        g[name + ".weight"][0].copy_(dw)
        g[name + ".bias"][0].copy_(db)
    else:
        scaled, alone = dy * weight[:, None], (None, None, [True, False, False])
        dx = backward(scaled, x, size, tape.mean, tape.rstd, *alone)[0]
        normal = (x - tape.mean) * tape.rstd
        g[name + ".weight"].copy_((dy * normal).sum(1))
        g[name + ".bias"].copy_(dy.sum(1))
    return dx  # type: ignore[no-any-return]


def dropped(x: Tensor, mask: Tensor | None) -> Tensor:
    """Apply a dropout mask; forward and backward are the same."""
    return x if mask is None else x * mask


def dropped_sum(rest: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """Give rest + dropout(x), in one pass."""
    return rest + x if mask is None else torch.addcmul(rest, x, mask)


def rows_of(x: Tensor, index: Tensor, features: int) -> Tensor:
    """Take rows of ``features`` numbers by flat index: a copy, [index, features]."""
    return x.reshape(-1, features).index_select(0, index)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
}


def activation_backward(kind: Activation, dy: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Give the gradient of the activation's input ``x`` from its output ``y``'s ``dy``."""
    aten = torch.ops.aten
    if kind == "tanh":
        return aten.tanh_backward(dy, y)  # type: ignore[no-any-return]
    if kind == "relu":
        return aten.threshold_backward(dy, y, 0)  # type: ignore[no-any-return]
    return aten.gelu_backward(dy, x)  # type: ignore[no-any-return]
