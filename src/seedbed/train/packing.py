"""Examples of a batch become one row of tokens without padding, and blocks for attention.

Axes: S trial, B example in the batch, T token of the packed batch, n example in a block,
L position in a block, H head. A packed batch ends with at least one dummy token: padded
places of attention blocks read it, and its gradients are always zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
class Example:
    """A tokenized example: ids numbered within the task's vocabulary, positions, types; [T]."""

    ids: Ints
    positions: Ints
    types: Ints

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.ids)


@dataclass(frozen=True)
class Block:
    """Examples of similar length, whose attention is computed together.

    Indices point into rows of one head: ``query`` [S·n·H·Q], ``key`` and ``value``
    [S·n·H·L]. ``bias`` [S·n·H, 1, L] is 0, or -inf where a place is padding; None where
    nothing is. ``slots`` (int32) are the examples' places in the batch.
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

    ``rows`` (int32) are the tokens that ask; ``query_back`` [S·R·H] and ``kv_back``
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

    trials: int
    examples: int
    tokens: int
    ids: Tensor
    positions: Tensor
    types: Tensor
    firsts: Tensor
    whole: Attention
    last: Attention


def pack(batches: Sequence[Sequence[Example]], shape: Shape, device: torch.device) -> Batch:
    """Pack one batch for each trial; all have the same number of examples, at least one."""
    lengths_SB = np.array([[example.length for example in batch] for batch in batches])
    tokens = int(lengths_SB.sum(axis=1).max()) + 1
    starts_SB = np.cumsum(lengths_SB, axis=1) - lengths_SB
    flat_SB = starts_SB + tokens * np.arange(len(batches))[:, None]
    firsts = torch.from_numpy(flat_SB.reshape(-1)).to(device)
    order_SB = np.argsort(lengths_SB, axis=1, kind="stable")
    groups = _groups(np.take_along_axis(lengths_SB, order_SB, axis=1).max(axis=0), shape.heads)
    place = _Places(shape, lengths_SB, flat_SB, order_SB, groups, tokens, device)

    def joined(name: str) -> Tensor:
        rows = np.zeros((len(batches), tokens), dtype=np.int64)
        for row, batch in zip(rows, batches, strict=True):
            values = np.concatenate([getattr(example, name) for example in batch])
            row[: len(values)] = values
        return torch.from_numpy(rows).to(device)

    return Batch(
        trials=len(batches),
        examples=lengths_SB.shape[1],
        tokens=tokens,
        ids=joined("ids"),
        positions=joined("positions"),
        types=joined("types"),
        firsts=firsts,
        whole=place.attention(first_only=False),
        last=place.attention(first_only=True),
    )


def _groups(lengths: Ints, heads: int) -> list[tuple[int, int]]:
    """Cut ascending ``lengths`` into runs [from, to) so that padding plus overhead is least.

    A run costs its number of scores and a constant. Dynamic programming over the cuts.
    """
    rounded = [-(-int(length) // _ROUND) * _ROUND for length in lengths]
    ends = [i + 1 for i in range(len(rounded)) if rounded[i : i + 2] != [rounded[i]] * 2]
    best: dict[int, tuple[float, int]] = {0: (0.0, 0)}
    for end in ends:
        area = heads * rounded[end - 1] ** 2
        best[end] = min(
            (best[start][0] + (end - start) * area + _BLOCK_COST, start)
            for start in (0, *ends)
            if start < end
        )
    cuts, end = [], len(rounded)
    while end:
        cuts.append((best[end][1], end))
        end = best[end][1]
    return cuts[::-1]


@dataclass(frozen=True)
class _Places:
    """Where examples stand in the packed rows; makes the index tensors."""

    shape: Shape
    lengths: Ints
    firsts: Ints
    order: Ints
    groups: list[tuple[int, int]]
    tokens: int
    device: torch.device

    def attention(self, *, first_only: bool) -> Attention:
        """Index tensors for all tokens as queries, or for each example's first alone."""
        trials, examples = self.lengths.shape
        rows = examples if first_only else self.tokens
        heads = np.arange(self.shape.heads)
        query_back = np.zeros((trials * rows, len(heads)), dtype=np.int64)
        kv_back = np.zeros((trials * self.tokens, 2, len(heads)), dtype=np.int64)
        total = sum(
            trials * (end - start) * len(heads) * self._length(start, end)
            for start, end in self.groups
        )
        blocks, queries_before, keys_before = [], 0, 0
        for start, end in self.groups:
            slots, token_SnL, valid = self._tokens(start, end)
            key_rows = token_SnL[:, :, None, :] * (2 * len(heads)) + heads[:, None]
            if first_only:
                query_row = (slots + examples * np.arange(trials)[:, None])[..., None]
                asks = np.ones_like(query_row, dtype=bool)
            else:
                query_row, asks = token_SnL, valid
            query_rows = query_row[:, :, None, :] * len(heads) + heads[:, None]
            query_place = queries_before + np.arange(query_rows.size).reshape(query_rows.shape)
            key_place = keys_before + np.arange(key_rows.size).reshape(key_rows.shape)
            query_back[query_row[asks]] = query_place.swapaxes(2, 3)[asks]
            kv_back[token_SnL[valid], 0] = key_place.swapaxes(2, 3)[valid]
            kv_back[token_SnL[valid], 1] = key_place.swapaxes(2, 3)[valid] + total
            queries_before += query_rows.size
            keys_before += key_rows.size
            blocks.append(self._block(slots, query_rows, key_rows, valid))
        row_SR = self.firsts - self.tokens * np.arange(trials)[:, None]
        if not first_only:
            row_SR = np.broadcast_to(np.arange(self.tokens), (trials, self.tokens)).copy()
        dead = self._dead()
        return Attention(
            blocks=tuple(blocks),
            rows=self._tensor(row_SR.astype(np.int32)),
            query_back=self._tensor(query_back.reshape(-1)),
            kv_back=self._tensor(kv_back.reshape(-1)),
            dead_rows=self._tensor(dead[:0] if first_only else dead),
            dead_tokens=self._tensor(dead),
        )

    def _length(self, start: int, end: int) -> int:
        longest = int(np.take_along_axis(self.lengths, self.order, 1)[:, start:end].max())
        return -(-longest // _ROUND) * _ROUND

    def _tokens(self, start: int, end: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """Slots [S, n], flat token of each place [S, n, L] (a dummy where padded), validity."""
        slots = self.order[:, start:end]
        lengths = np.take_along_axis(self.lengths, slots, 1)[..., None]
        firsts = np.take_along_axis(self.firsts, slots, 1)[..., None]
        place = np.arange(self._length(start, end))
        valid = place < lengths
        dummy = self.tokens * np.arange(1, len(slots) + 1)[:, None, None] - 1
        return slots, np.where(valid, firsts + place, dummy), valid

    def _block(
        self, slots: Ints, query_rows: Ints, key_rows: Ints, valid: npt.NDArray[np.bool_]
    ) -> Block:
        bias = np.where(valid, 0.0, -np.inf).astype(np.float32)
        bias = np.repeat(bias.reshape(-1, 1, bias.shape[-1]), self.shape.heads, axis=0)
        return Block(
            slots=self._tensor(slots.astype(np.int32)),
            queries=query_rows.shape[-1],
            keys=key_rows.shape[-1],
            query=self._tensor(query_rows.reshape(-1)),
            key=self._tensor(key_rows.reshape(-1)),
            value=self._tensor(key_rows.reshape(-1) + self.shape.heads),
            bias=None if valid.all() else self._tensor(bias),
        )

    def _dead(self) -> Ints:
        """Flat indices of the dummy tokens at each trial's end."""
        used = self.lengths.sum(axis=1)
        spans = [np.arange(s * self.tokens + n, (s + 1) * self.tokens) for s, n in enumerate(used)]
        return np.concatenate(spans)

    def _tensor(self, values: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
