"""AdamW with a switch for bias correction, and the learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from seedbed.core.spec import Recipe


def learning_rate(recipe: Recipe, steps: int, step: int) -> float:
    """Give the rate of the ``step``-th optimizer step (from 0) of ``steps``.

    Linear warm-up over ``warmup_ratio`` of the steps (rounded up), then linear decay to
    zero after the last: Transformers' ``get_linear_schedule_with_warmup``, which also
    starts from a rate of exactly 0.
    """
    warmup = math.ceil(steps * recipe.warmup_ratio)
    if step < warmup:
        return recipe.learning_rate * step / warmup
    return recipe.learning_rate * (steps - step) / max(1, steps - warmup)


def decays(parameter: torch.Tensor) -> bool:
    """Whether weight decay applies: to matrices, not to biases and norm weights."""
    return parameter.ndim >= 2


@torch.no_grad()
def adamw_(
    parameters: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    exp_avg: Sequence[torch.Tensor],
    exp_avg_sq: Sequence[torch.Tensor],
    *,
    rate: float,
    weight_decay: float,
    step: int,
    recipe: Recipe,
) -> None:
    """Take the ``step``-th (from 0) AdamW step in place (Loshchilov & Hutter 2019).

    All four lists hold tensors of the same shapes. With ``adam_bias_correction`` it is
    ``torch.optim.AdamW``; without it the moments are used as they are (BERT's original
    optimizer, Devlin et al. 2019).
    """
    beta1, beta2 = recipe.adam_beta1, recipe.adam_beta2
    parameters, gradients = list(parameters), list(gradients)
    exp_avg, exp_avg_sq = list(exp_avg), list(exp_avg_sq)
    if weight_decay:
        torch._foreach_mul_(parameters, 1 - rate * weight_decay)
    torch._foreach_lerp_(exp_avg, gradients, 1 - beta1)
    torch._foreach_mul_(exp_avg_sq, beta2)
    torch._foreach_addcmul_(exp_avg_sq, gradients, gradients, 1 - beta2)
    correction1 = 1 - beta1 ** (step + 1) if recipe.adam_bias_correction else 1.0
    correction2 = 1 - beta2 ** (step + 1) if recipe.adam_bias_correction else 1.0
    denominator = torch._foreach_sqrt(exp_avg_sq)
    torch._foreach_div_(denominator, math.sqrt(correction2))
    torch._foreach_add_(denominator, recipe.adam_epsilon)
    torch._foreach_addcdiv_(parameters, exp_avg, denominator, -rate / correction1)
