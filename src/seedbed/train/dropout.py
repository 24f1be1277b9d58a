"""Dropout masks that are a function of (dropout seed, step, place in the network).

Each element of a mask is found by its own counter: (token, feature) for hidden states,
(example in the batch, head, query, key) for attention. A 32-bit integer hash of counter
and key gives two 16-bit numbers, each compared with a threshold. Nothing is drawn in
sequence, so a mask is the same alone, in an array, with other padding, after a resume,
and on every device.

Axes: S trial in the array, R row, D feature, n example in a block, H head, Q query, L key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from seedbed.core.streams import DROPOUT, derive

_LEVELS = 1 << 16


@dataclass(frozen=True)
class Rate:
    """A dropout rate as the mask realises it: a multiple of 1/65536.

    The factor for what is kept is the inverse of the realised share, so that the
    expected value is kept exactly.
    """

    kept: int

    @staticmethod
    def of(p: float) -> Rate:
        """Give the nearest realisable rate to ``p``, 0 <= p < 1."""
        return Rate(max(1, round((1.0 - p) * _LEVELS)))

    @property
    def factor(self) -> float:
        """What a kept element is multiplied with."""
        return _LEVELS / self.kept


@dataclass(frozen=True)
class Masks:
    """All masks of one training step of an array; ``keys`` is [places, 2, S], int32."""

    keys: Tensor
    dtype: torch.dtype

    @staticmethod
    def of(
        seeds: Sequence[int], step: int, places: int, device: torch.device, dtype: torch.dtype
    ) -> Masks:
        """Derive the keys of every place for the trials with dropout ``seeds`` at ``step``."""
        keys = np.array(
            [[derive(seed, DROPOUT, step, place) for seed in seeds] for place in range(places)],
            dtype=np.uint64,
        )
        halves = np.stack([keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], axis=1)
        signed = torch.from_numpy(halves.astype(np.uint32).view(np.int32))
        return Masks(signed.to(device), dtype)

    def hidden(self, place: int, p: float, rows: Tensor, features: int) -> Tensor | None:
        """Give the mask [S, R, features], factor included; None where ``p`` is 0.

        ``rows`` numbers the rows by token: the same token, the same mask.
        """
        if p == 0.0:
            return None
        half = (features + 1) // 2
        counters = rows[:, :, None] * half
        mask = self._mask(place, p, counters, half, lanes=2)
        mask = mask.view(*rows.shape, 2 * half)
        return mask if features == 2 * half else mask[..., :features].contiguous()

    def attention(
        self, place: int, p: float, slots: Tensor, *, size: tuple[int, int, int], longest: int
    ) -> Tensor | None:
        """Give the mask [S·n·H, Q, L] for ``size`` (H, Q, L), factor included.

        None where ``p`` is 0. ``slots`` [S, n] are the examples' places in the batch;
        ``longest`` is the longest sequence the model can take: with it as the stride,
        counters do not depend on padding.
        """
        if p == 0.0:
            return None
        heads, queries, keys = size
        half = (heads + 1) // 2
        head, query = _counting(half, slots.device), _counting(queries, slots.device)
        counters = ((slots[:, :, None] * half + head)[..., None] * longest + query) * longest
        mask = self._mask(place, p, counters[..., None], keys, lanes=2)
        mask = mask.view(*slots.shape, 2 * half, queries, keys)
        if heads != 2 * half:
            mask = mask[:, :, :heads].contiguous()
        return mask.view(-1, queries, keys)

    def _mask(self, place: int, p: float, rows: Tensor, columns: int, *, lanes: int) -> Tensor:
        """Hash the counters ``rows`` [..., 1] + 0..columns-1.

        The two halves of each hash stand side by side in a new axis before ``lanes``.
        """
        rate = Rate.of(p)
        key1, key2 = (key.view(-1, *[1] * (rows.dim() - 1)) for key in self.keys[place])
        hashes = _hash(rows + key1, _counting(columns, rows.device), key2)
        shape = (*hashes.shape[:lanes], 2, *hashes.shape[lanes:])
        bits = torch.empty(shape, dtype=torch.int32, device=rows.device)
        low, high = bits.select(lanes, 0), bits.select(lanes, 1)
        device = rows.device
        torch.bitwise_and(hashes, _int(0xFFFF, device), out=low)
        torch.bitwise_right_shift(hashes, _int(16, device), out=high)
        high.bitwise_and_(_int(0xFFFF, device))
        # all ones where the number is below the threshold, then the factor's bit pattern
        bits.sub_(_int(rate.kept, device)).bitwise_right_shift_(_int(31, device))
        bits.bitwise_and_(_int(_float_bits(rate.factor), device))
        mask = bits.view(torch.float32)
        return mask if self.dtype == torch.float32 else mask.to(self.dtype)


def _hash(rows: Tensor, columns: Tensor, key: Tensor) -> Tensor:
    """Mix int32 counters rows + columns with ``key``: two rounds of xor-shift and multiply.

    Constants of Chris Wellons' lowbias32 (https://nullprogram.com/blog/2018/07/31/). The
    shift of int32 keeps the sign, so the copied sign bits are masked away.
    """
    device = rows.device
    h = rows + columns
    u = torch.empty_like(h)
    torch.bitwise_right_shift(h, _int(16, device), out=u)
    h.bitwise_xor_(u.bitwise_and_(_int(0xFFFF, device)))
    h.mul_(_int(0x7FEB352D, device)).bitwise_xor_(key)
    torch.bitwise_right_shift(h, _int(15, device), out=u)
    h.bitwise_xor_(u.bitwise_and_(_int(0x1FFFF, device)))
    h.mul_(_int(0x846CA68B - (1 << 32), device))
    torch.bitwise_right_shift(h, _int(16, device), out=u)
    return h.bitwise_xor_(u.bitwise_and_(_int(0xFFFF, device)))


@lru_cache(maxsize=256)
def _int(value: int, device: torch.device) -> Tensor:
    """Give ``value`` as int32; a Python number would be converted anew at every use."""
    return torch.tensor(value, dtype=torch.int32, device=device)


@lru_cache(maxsize=4096)
def _counting(count: int, device: torch.device) -> Tensor:
    """Give 0..count-1 as int32."""
    return torch.arange(count, dtype=torch.int32, device=device)


def _float_bits(value: float) -> int:
    """Give the bit pattern of a positive float32 as an integer."""
    return int(np.float32(value).view(np.int32))
