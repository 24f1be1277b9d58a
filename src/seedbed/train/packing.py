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

    Indices point into rows of one head: ``query``, ``key`` and ``value`` [S·n·H·L].
    ``bias`` [S·n·H, 1, L] is 0, or -inf where a place is padding; None where nothing is.
    ``slots`` (int32 [S, n]) are the examples' places in the batch.
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
    """How packed rows become blocks and come back, where all tokens ask.

    ``rows`` (int32 [S, T]) number the tokens; ``query_back`` [S·T·H] and ``kv_back``
    [S·T·2·H] say where each packed head row stands in the joined blocks; ``dead`` are the
    flat indices of dummies, whose gradients are set to zero.
    """

    blocks: tuple[Block, ...]
    rows: Tensor
    query_back: Tensor
    kv_back: Tensor
    dead: Tensor


@dataclass(frozen=True)
class FirstBlock:
    """As `Block`, where only first tokens ask: ``tokens`` [S·n·L] and ``examples`` [S·n].

    These are flat indices of packed tokens and of examples; ``bias`` is [S·n, 1, L].
    """

    slots: Tensor
    queries: int
    keys: int
    tokens: Tensor
    examples: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class FirstAttention:
    """How packed rows become blocks and come back, where only first tokens ask.

    ``rows`` (int32 [S, B]) number the first tokens; ``examples_back`` [S·B] and
    ``tokens_back`` [S·T] say where each stands in the joined blocks.
    """

    blocks: tuple[FirstBlock, ...]
    rows: Tensor
    examples_back: Tensor
    tokens_back: Tensor
    dead: Tensor


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
    last: FirstAttention


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
        whole=plan.attention(),
        last=plan.first_attention(),
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

    def attention(self) -> Attention:
        """Index tensors for all tokens as queries."""
        heads = len(self.heads)
        total = sum(self.trials * run.examples * heads * run.length for run in self.groups)
        base, length, position = (
            self._tensor(part.reshape(-1, 1)) for part in self._tokens_back(heads)
        )
        back = base + self.heads * length + position
        rows = np.broadcast_to(np.arange(self.tokens), (self.trials, self.tokens))
        return Attention(
            blocks=tuple(self._block(run) for run in self.groups),
            rows=self._tensor(rows.astype(np.int32)),
            query_back=back.view(-1),
            kv_back=torch.stack([back, back + total], dim=1).view(-1),
            dead=self.dead,
        )

    def first_attention(self) -> FirstAttention:
        """Index tensors for each example's first token as the only query."""
        base, _, position = self._tokens_back(1)
        return FirstAttention(
            blocks=tuple(self._first_block(run) for run in self.groups),
            rows=self._tensor(self.starts.astype(np.int32)),
            examples_back=self._tensor(self._examples_back(1, single=True)[0].reshape(-1)),
            tokens_back=self._tensor((base + position).reshape(-1)),
            dead=self.dead,
        )

    def _block(self, run: Run) -> Block:
        slots, token_SnL, bias = self._members(run)
        heads = len(self.heads)
        rows = token_SnL[:, :, None]
        key = (rows * (2 * heads) + self.heads[:, None]).view(-1)
        return Block(
            slots=self._tensor(slots.astype(np.int32)),
            queries=run.length,
            keys=run.length,
            query=(rows * heads + self.heads[:, None]).view(-1),
            key=key,
            value=key + heads,
            bias=None if bias is None else bias.repeat_interleave(heads, dim=0),
        )

    def _first_block(self, run: Run) -> FirstBlock:
        slots, token_SnL, bias = self._members(run)
        return FirstBlock(
            slots=self._tensor(slots.astype(np.int32)),
            queries=1,
            keys=run.length,
            tokens=token_SnL.view(-1),
            examples=self._tensor((slots + self.trial * self.lengths.shape[1]).reshape(-1)),
            bias=bias,
        )

    def _members(self, run: Run) -> tuple[Ints, Tensor, Tensor | None]:
        """Slots [S, n]; flat token of each place [S, n, L], a dummy where padded; bias."""
        slots = self.order[:, run.begin : run.end]
        lengths = np.take_along_axis(self.lengths, slots, 1)[..., None]
        firsts = np.take_along_axis(self.firsts, slots, 1)[..., None]
        place = np.arange(run.length)
        valid = place < lengths
        dummy = self.tokens * (self.trial[..., None] + 1) - 1
        tokens = self._tensor(np.where(valid, firsts + place, dummy))
        if valid.all():
            return slots, tokens, None
        bias = self._tensor(np.where(valid, np.float32(0), np.float32(-np.inf)))
        return slots, tokens, bias.view(-1, 1, run.length)

    def _examples_back(self, heads: int, *, single: bool = False) -> tuple[Ints, Ints]:
        """Where each example's rows begin in the joined blocks, and its block's length: [S, B].

        An example has ``heads`` x length rows, or ``heads`` with ``single``.
        """
        base, length = np.zeros_like(self.order), np.zeros_like(self.order)
        before = 0
        for run in self.groups:
            rows = 1 if single else run.length
            slots = self.order[:, run.begin : run.end]
            rank = self.trial * run.examples + np.arange(run.examples)
            np.put_along_axis(base, slots, before + rank * heads * rows, 1)
            np.put_along_axis(length, slots, np.full_like(slots, rows), 1)
            before += self.trials * run.examples * heads * rows
        return base, length

    def _tokens_back(self, heads: int) -> tuple[Ints, Ints, Ints]:
        """The same for each token, with its position: [S, T]; zeros for dummies."""
        base, length = self._examples_back(heads)
        out = np.zeros((3, self.trials, self.tokens), dtype=np.int64)
        for s, counts in enumerate(self.lengths):
            used = int(counts.sum())
            out[0, s, :used] = np.repeat(base[s], counts)
            out[1, s, :used] = np.repeat(length[s], counts)
            out[2, s, :used] = np.arange(used) - np.repeat(self.starts[s], counts)
        return out[0], out[1], out[2]

    def _tensor(self, values: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.heads.device)
