"""The weights of an array of trials: one flat buffer, views by name, to and from the hub.

Only what the task can train is in the buffer: the embedding rows of tokens that occur in
it, and of the positions that its longest example reaches. All other rows receive no
gradient ever; AdamW only decays them, by the same factor in every trial, which is applied
when weights are written.

Axes: S trial, N number in the flat buffer, V row of an embedding table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seedbed.core.spec import Recipe
from seedbed.train.families import Shape, hub_names
from seedbed.train.optimizer import learning_rate

_ALIGN = 16
"""Tensors start at multiples of this many float32 numbers: 64 bytes, a cache line."""


@dataclass(frozen=True)
class Layout:
    """Where each tensor stands in a trial's flat buffer.

    ``rows`` lists the trained rows of the two large embedding tables; ``order`` are our
    names, those with weight decay first; they end at ``decaying``.
    """

    shape: Shape
    rows: Mapping[str, npt.NDArray[np.int64]]
    sizes: Mapping[str, torch.Size]

    @staticmethod
    def of(
        shape: Shape, hub: Mapping[str, Tensor], words: npt.NDArray[np.int64], positions: int
    ) -> Layout:
        """Lay out the tensors of ``hub`` (a checkpoint's, by name) for a task.

        ``words`` are the ids that occur, ascending; ``positions`` how many are reached.
        """
        rows = {"word": words, "position": np.arange(positions)}
        sizes = {}
        for ours, theirs in hub_names(shape).items():
            sizes[ours] = _stacked([hub[name] for name in theirs], rows.get(ours)).shape
        return Layout(shape, rows, sizes)

    @cached_property
    def places(self) -> Mapping[str, tuple[int, torch.Size]]:
        """Offset and size of each tensor; those that decay come first."""
        places, offset = {}, 0
        for wanted in (True, False):
            for name, size in self.sizes.items():
                if (len(size) >= 2) is wanted:
                    places[name] = (offset, size)
                    offset += -(-math.prod(size) // _ALIGN) * _ALIGN
        return places

    @cached_property
    def decaying(self) -> int:
        """Where the tensors with weight decay end."""
        return min(offset for offset, size in self.places.values() if len(size) < 2)

    @cached_property
    def numbers(self) -> int:
        """Length of the flat buffer, gaps for alignment included."""
        offset, size = list(self.places.values())[-1]
        return offset + -(-math.prod(size) // _ALIGN) * _ALIGN

    @cached_property
    def gaps(self) -> Tensor:
        """Places in the flat buffer that belong to no tensor."""
        free = torch.ones(self.numbers, dtype=torch.bool)
        for offset, size in self.places.values():
            free[offset : offset + math.prod(size)] = False
        return free.nonzero()[:, 0]

    def views(self, flat_SN: Tensor) -> dict[str, Tensor]:
        """Give every tensor of ``flat_SN`` by our name, [S, ...], without copying."""
        return {
            name: flat_SN[:, offset : offset + math.prod(size)].view(-1, *size)
            for name, (offset, size) in self.places.items()
        }

    def flat(self, hubs: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Stack checkpoints (by hub name) into a new flat buffer [S, N], float32."""
        flat_SN = torch.zeros(len(hubs), self.numbers)
        views = self.views(flat_SN)
        for trial, hub in enumerate(hubs):
            for ours, theirs in hub_names(self.shape).items():
                tensors = [hub[name] for name in theirs]
                views[ours][trial].copy_(_stacked(tensors, self.rows.get(ours)))
        return flat_SN

    def hub(self, flat_N: Tensor, base: Mapping[str, Tensor], decay: float) -> dict[str, Tensor]:
        """Give one trial's weights by hub name, on the CPU.

        Rows that the task does not train are those of ``base`` times ``decay``.
        """
        tensors: dict[str, Tensor] = {}
        views = self.views(flat_N.detach().cpu()[None])
        for ours, theirs in hub_names(self.shape).items():
            value = views[ours][0]
            if ours in self.rows:
                whole = base[theirs[0]].detach() * decay
                whole[torch.from_numpy(self.rows[ours])] = value
                tensors[theirs[0]] = whole
            else:
                parts = value.chunk(len(theirs))
                tensors |= {n: part.clone() for n, part in zip(theirs, parts, strict=True)}
        return tensors


def decay_factor(recipe: Recipe, steps: int, step: int) -> float:
    """What AdamW makes of a weight without gradient in ``step`` of ``steps`` steps.

    The product of 1 - rate x weight_decay over the steps taken.
    """
    rates = (learning_rate(recipe, steps, t) for t in range(step))
    return math.prod(1.0 - rate * recipe.weight_decay for rate in rates)


def unknown_tensors(shape: Shape, hub: Mapping[str, Tensor]) -> list[str]:
    """List the names in which the checkpoint ``hub`` differs from what ``shape`` says."""
    known = {name for names in hub_names(shape).values() for name in names}
    return sorted(known ^ set(hub))


def _stacked(tensors: Sequence[Tensor], rows: npt.NDArray[np.int64] | None) -> Tensor:
    joined = tensors[0] if len(tensors) == 1 else torch.cat([t.detach() for t in tensors])
    return joined.detach() if rows is None else joined.detach()[torch.from_numpy(rows)]
