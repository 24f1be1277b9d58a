"""Rows of a batch become one line of tokens without padding, and blocks for attention.

Axes: S trial, B example in the batch, T token of the packed batch, n example in a block,
L position in a block, Q query in a block, H head. A packed line ends with at least one
dummy token: padded places of attention blocks read it, and its gradients are always zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seedbed.train.families import Shape

Ints = npt.NDArray[np.int64]

_BLOCK_COST = 8000
"""Overhead of one more attention block, in scores (measured: one score costs 13 ns)."""
_ROUND = 8
"""Blocks are a multiple of this long: whole vector registers in every row."""


@dataclass(frozen=True)
class Rows:
    """The batches of an array of trials: ids, positions and types [S, T], lengths [S, B].

    The examples of a batch follow one another; each line ends with a dummy token or more,
    which are zeros.
    """

    ids: Ints
    positions: Ints
    types: Ints
    lengths: Ints


@dataclass(frozen=True)
class Block:
    """Examples of similar length, whose attention is computed together.

    Indices point into rows of one head: ``query`` [S·n·H·Q], ``key`` and ``value``
    [S·n·H·L]. ``bias`` [S·n·H, 1, L] is 0, or -inf where a place is padding; None where
    nothing is. ``slots`` (int32 [S, n]) are the examples' places in the batch.
    """

    slots: Tensor
    queries: int
    keys: int
    query: Tensor
    key: Tensor
    value: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class Attention:
    """How packed rows become blocks and come back.

    ``rows`` (int32 [S, R]) are the tokens that ask; ``query_back`` [S·R·H] and ``kv_back``
    [S·T·2·H] say where each packed head row stands in the joined blocks; ``dead_rows``
    and ``dead_tokens`` are flat indices of dummies, whose gradients are set to zero.
    """

    blocks: tuple[Block, ...]
    rows: Tensor
    query_back: Tensor
    kv_back: Tensor
    dead_rows: Tensor
    dead_tokens: Tensor


@dataclass(frozen=True)
class Batch:
    """A packed batch of every trial in the array.

    ``firsts`` [S·B] are the flat indices of each example's first token. ``whole`` is the
    attention of all tokens, ``last`` that of the first tokens alone.
    """

    ids: Tensor
    positions: Tensor
    types: Tensor
    firsts: Tensor
    whole: Attention
    last: Attention


def pack(rows: Rows, shape: Shape, device: torch.device) -> Batch:
    """Pack one batch for each trial; all have the same number of examples, at least one."""
    order = np.argsort(rows.lengths, axis=1, kind="stable")
    longest = np.take_along_axis(rows.lengths, order, axis=1).max(axis=0)
    groups = _groups(longest, shape.heads)
    plan = _Plan(rows, order, groups, torch.arange(shape.heads, device=device))
    return Batch(
        ids=torch.from_numpy(rows.ids).to(device),
        positions=torch.from_numpy(rows.positions).to(device),
        types=torch.from_numpy(rows.types).to(device),
        firsts=torch.from_numpy(plan.firsts.reshape(-1)).to(device),
        whole=plan.attention(first_only=False),
        last=plan.attention(first_only=True),
    )


@dataclass(frozen=True)
class Run:
    """Examples ``begin``..``end``, in the order of lengths, whose block is ``length`` long."""

    begin: int
    end: int
    length: int

    @property
    def examples(self) -> int:
        """How many examples of each trial are in it."""
        return self.end - self.begin


def _groups(lengths: Ints, heads: int) -> list[Run]:
    """Cut ascending ``lengths`` into groups so that padding plus overhead is least.

    A group costs its number of scores and a constant. Dynamic programming over the cuts.
    """
    rounded = [-(-int(length) // _ROUND) * _ROUND for length in lengths]
    ends = [i for i in range(1, len(rounded)) if rounded[i - 1] != rounded[i]] + [len(rounded)]
    best: dict[int, tuple[float, int]] = {0: (0.0, 0)}
    for end in ends:
        area = heads * rounded[end - 1] ** 2
        starts = (start for start in (0, *ends) if start < end)
        best[end] = min((best[s][0] + (end - s) * area + _BLOCK_COST, s) for s in starts)
    cuts = [len(rounded)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    return [Run(a, b, rounded[b - 1]) for a, b in pairwise(reversed(cuts))]


class _Plan:
    """Index tensors of a batch: tokens are counted here, heads on the device."""

    def __init__(self, rows: Rows, order: Ints, groups: list[Run], heads: Tensor) -> None:
        """Find where the tokens stand; ``order`` [S, B] sorts the examples by length."""
        self.lengths, self.order, self.groups, self.heads = rows.lengths, order, groups, heads
        self.trials, self.tokens = rows.ids.shape
        self.trial = np.arange(self.trials)[:, None]
        self.starts = np.cumsum(rows.lengths, axis=1) - rows.lengths
        self.firsts = self.starts + self.tokens * self.trial
        used = rows.lengths.sum(axis=1)
        dead = np.concatenate(
            [np.arange(s * self.tokens + n, (s + 1) * self.tokens) for s, n in enumerate(used)]
        )
        self.dead = self._tensor(dead)

    def attention(self, *, first_only: bool) -> Attention:
        """Index tensors for all tokens as queries, or for each example's first alone."""
        heads = len(self.heads)
        total = sum(self.trials * g.examples * heads * g.length for g in self.groups)
        key_back = self._back(self._tokens_back([g.length for g in self.groups]))
        rows = np.broadcast_to(np.arange(self.tokens), (self.trials, self.tokens))
        query_back = key_back
        if first_only:
            base, length = self._examples_back([1] * len(self.groups))
            rows, query_back = self.starts, self._back((base, length, np.zeros_like(base)))
        return Attention(
            blocks=tuple(self._block(group, first_only) for group in self.groups),
            rows=self._tensor(rows.astype(np.int32)),
            query_back=query_back.view(-1),
            kv_back=torch.stack([key_back, key_back + total], dim=1).view(-1),
            dead_rows=self.dead[:0] if first_only else self.dead,
            dead_tokens=self.dead,
        )

    def _block(self, group: Run, first_only: bool) -> Block:
        slots = self.order[:, group.begin : group.end]
        lengths = np.take_along_axis(self.lengths, slots, 1)[..., None]
        firsts = np.take_along_axis(self.firsts, slots, 1)[..., None]
        place = np.arange(group.length)
        valid = place < lengths
        dummy = self.tokens * (self.trial[..., None] + 1) - 1
        token_SnL = self._tensor(np.where(valid, firsts + place, dummy))
        heads = self.heads[:, None]
        key = token_SnL[:, :, None] * (2 * len(heads)) + heads
        asking = token_SnL
        if first_only:
            asking = self._tensor((slots + self.trial * self.lengths.shape[1])[..., None])
        query = asking[:, :, None] * len(heads) + heads
        bias = None
        if not valid.all():
            bias = self._tensor(np.where(valid, np.float32(0), np.float32(-np.inf)))
            bias = bias.view(-1, 1, group.length).repeat_interleave(len(heads), dim=0)
        return Block(
            slots=self._tensor(slots.astype(np.int32)),
            queries=asking.shape[-1],
            keys=group.length,
            query=query.view(-1),
            key=key.view(-1),
            value=key.view(-1) + len(heads),
            bias=bias,
        )

    def _examples_back(self, lengths: list[int]) -> tuple[Ints, Ints]:
        """Where each example's rows begin in the joined blocks, and its block's length: [S, B].

        ``lengths`` are the blocks' lengths, those of keys or of queries.
        """
        base, length = np.zeros_like(self.order), np.zeros_like(self.order)
        before, heads = 0, len(self.heads)
        for group, block in zip(self.groups, lengths, strict=True):
            slots = self.order[:, group.begin : group.end]
            rank = self.trial * group.examples + np.arange(group.examples)
            np.put_along_axis(base, slots, before + rank * heads * block, 1)
            np.put_along_axis(length, slots, np.full_like(slots, block), 1)
            before += self.trials * group.examples * heads * block
        return base, length

    def _tokens_back(self, lengths: list[int]) -> tuple[Ints, Ints, Ints]:
        """The same for each token, with its position: [S, T]; zeros for dummies."""
        base, length = self._examples_back(lengths)
        out = np.zeros((3, self.trials, self.tokens), dtype=np.int64)
        for s, counts in enumerate(self.lengths):
            used = int(counts.sum())
            out[0, s, :used] = np.repeat(base[s], counts)
            out[1, s, :used] = np.repeat(length[s], counts)
            out[2, s, :used] = np.arange(used) - np.repeat(self.starts[s], counts)
        return out[0], out[1], out[2]

    def _back(self, places: tuple[Ints, Ints, Ints]) -> Tensor:
        """Give every head's row of (begin, block length, position): [rows, H]."""
        base, length, position = (self._tensor(part.reshape(-1, 1)) for part in places)
        return base + self.heads * length + position

    def _tensor(self, values: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.heads.device)
