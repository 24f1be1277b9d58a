"""Trials whose weights lie in one tensor: what is trained, saved, loaded and split.

Axes: S trial, N number in the flat buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from seedbed.core.spec import Recipe
from seedbed.core.work import Start
from seedbed.train.states import read_tensors, write_tensors
from seedbed.train.weights import Layout

UNCORRECTED = 1e9
"""Adam's bias correction is 1 after this many steps: so it is switched off."""


@dataclass(frozen=True)
class Group:
    """Trials with their weights and moments, each [S, N] in float32.

    ``failed`` [S] is 0, or the step (from 1) whose training loss was not a number.
    """

    layout: Layout
    starts: tuple[Start, ...]
    flat: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    failed: Tensor

    @staticmethod
    def fresh(layout: Layout, starts: Sequence[Start], flat_SN: Tensor) -> Group:
        """Give trials at step 0 with the weights ``flat_SN``."""
        zeros = torch.zeros_like(flat_SN)
        failed = torch.zeros(len(starts), dtype=torch.int64, device=flat_SN.device)
        return Group(layout, tuple(starts), flat_SN, zeros, zeros.clone(), failed)

    def select(self, keep: Sequence[int]) -> Group:
        """Give a group of the trials at places ``keep``; itself if that is all of them."""
        if list(keep) == list(range(len(self.starts))):
            return self
        index = torch.tensor(keep, dtype=torch.int64, device=self.flat.device)
        parts = (self.flat, self.exp_avg, self.exp_avg_sq, self.failed)
        starts = tuple(self.starts[i] for i in keep)
        return Group(self.layout, starts, *(part.index_select(0, index) for part in parts))

    def halves(self) -> tuple[Group, Group]:
        """Cut in two groups of at least one trial each."""
        places, middle = range(len(self.starts)), len(self.starts) // 2
        return self.select(places[:middle]), self.select(places[middle:])

    def moments(self, place: int) -> dict[str, Tensor]:
        """Give the moments of the trial at ``place``, as views by name."""
        return {
            f"{kind}.{name}": view[0]
            for kind, flat in (("exp_avg", self.exp_avg), ("exp_avg_sq", self.exp_avg_sq))
            for name, view in self.layout.views(flat[place : place + 1]).items()
        }

    def write_moments(self, place: int, path: Path) -> None:
        """Write the moments of the trial at ``place``."""
        write_tensors(path, self.moments(place))

    def read_moments(self, place: int, path: Path) -> None:
        """Read what :meth:`write_moments` wrote."""
        moments = self.moments(place)
        for name, value in read_tensors(path, moments).items():
            moments[name].copy_(value)


def update(
    group: Group, gradients_SN: Tensor, recipe: Recipe, rates_S: Sequence[float], step: int
) -> None:
    """Clip each trial's gradient by its own norm and take its AdamW step (from 0), in place.

    ``rates_S`` are the trials' learning rates. As ``torch.nn.utils.clip_grad_norm_`` and
    ``torch.optim.AdamW``; tensors with weight decay lie before ``layout.decaying``.
    ``gradients_SN`` is changed.
    """
    cut, device = group.layout.decaying, group.flat.device
    divisors_S = _divisors(gradients_SN, recipe.max_grad_norm)
    steps = float(step) if recipe.adam_bias_correction else UNCORRECTED
    for place, rate in enumerate(rates_S):
        divisor: Tensor | None = divisors_S[place]
        if device.type == "cpu" and divisors_S[place].item() == 1.0:
            divisor = None  # one pass over the gradients less
        for part, weight_decay in ((slice(0, cut), recipe.weight_decay), (slice(cut, None), 0.0)):
            adamw(
                [group.flat[place, part]],
                [gradients_SN[place, part]],
                [group.exp_avg[place, part]],
                [group.exp_avg_sq[place, part]],
                [],
                [torch.tensor(steps, device=device)],
                fused=True,
                grad_scale=divisor,
                amsgrad=False,
                beta1=recipe.adam_beta1,
                beta2=recipe.adam_beta2,
                lr=rate,
                weight_decay=weight_decay,
                eps=recipe.adam_epsilon,
                maximize=False,
            )


def _divisors(gradients_SN: Tensor, max_norm: float) -> Tensor:
    """Say by what each trial's gradient is divided so that its norm is at most ``max_norm``."""
    if max_norm <= 0:
        return torch.ones(len(gradients_SN), device=gradients_SN.device)
    norms_S = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients_SN])
    return ((norms_S + 1e-6) / max_norm).clamp(min=1.0)
