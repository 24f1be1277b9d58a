"""Masks: the right share, no pattern, and a function of their key alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from seedbed.train.dropout import Masks, Rate

CPU = torch.device("cpu")


def masks(*seeds: int, step: int = 0, dtype: torch.dtype = torch.float32) -> Masks:
    return Masks.of(seeds, step, 6, CPU, dtype)


def rows(count: int, trials: int = 1) -> Tensor:
    return torch.arange(count, dtype=torch.int32).repeat(trials, 1)


def hidden(*seeds: int, step: int = 0, place: int = 0, p: float = 0.1) -> Tensor:
    """Give a mask of 400 tokens with 384 features as [S, 400, 384]."""
    found = masks(*seeds, step=step).hidden(place, p, rows(400, len(seeds)), 384)
    assert found is not None
    return found


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_the_share_and_the_factor_keep_the_mean(p: float) -> None:
    mask = hidden(3, p=p)
    rate = Rate.of(p)
    assert mask.unique().tolist() == [0.0, pytest.approx(rate.factor)]
    assert rate.kept / 65536 == pytest.approx(1 - p, abs=1e-5)
    # 153,600 elements: five standard deviations of the share of a fair draw
    share, spread = float((mask == 0).float().mean()), (p * (1 - p) / mask.numel()) ** 0.5
    assert abs(share - p) < 5 * spread


def test_no_row_column_or_neighbour_is_special() -> None:
    """Counts by row and by column vary as binomial counts do; neighbours are independent."""
    dropped = (hidden(8, p=0.5)[0] == 0).double().numpy()
    for axis, count in ((0, 400), (1, 384)):
        sums = dropped.sum(axis=axis)
        statistic = float(((sums - count / 2) ** 2 / (count / 4)).sum())
        freedom = len(sums)
        assert abs(statistic - freedom) < 6 * (2 * freedom) ** 0.5
    signs = 2 * dropped - 1
    for shift in ((0, 1), (1, 0), (1, 1), (0, 192), (0, 8)):
        product = (signs * np.roll(signs, shift, axis=(0, 1))).mean()
        assert abs(product) < 5 / signs.size**0.5, shift


@pytest.mark.parametrize(
    "other", [{"step": 1}, {"place": 1}, {"seed": 4}, {"step": 2**31}, {"seed": 2**62}]
)
def test_other_seeds_steps_and_places_are_independent(other: dict[str, int]) -> None:
    first = 2 * (hidden(3, p=0.5) == 0).double() - 1
    seed = other.pop("seed", 3)
    second = 2 * (hidden(seed, p=0.5, **other) == 0).double() - 1
    assert abs(float((first * second).mean())) < 5 / first.numel() ** 0.5


def test_a_mask_is_the_same_in_any_company_and_padding() -> None:
    alone = hidden(5)
    together = hidden(4, 5, 6)
    assert torch.equal(together[1], alone[0])
    few = masks(5).hidden(0, 0.1, rows(400)[:, [17, 3]], 384)
    assert few is not None
    assert torch.equal(few[0], alone[0, [17, 3]])
    assert torch.equal(hidden(5), alone)


@pytest.mark.parametrize("heads", [1, 3, 4])
def test_attention_masks_do_not_depend_on_padding_or_block(heads: int) -> None:
    def mask(slots: list[int], queries: int, keys: int) -> Tensor:
        where = torch.tensor([slots], dtype=torch.int32)
        size = (heads, queries, keys)
        found = masks(9).attention(1, 0.3, where, size=size, longest=64)
        assert found is not None
        return found.view(len(slots), heads, queries, keys)

    short, long = mask([2, 0], 8, 8), mask([0, 1, 2], 24, 24)
    assert torch.equal(short[0], long[2, :, :8, :8])
    assert torch.equal(short[1], long[0, :, :8, :8])
    assert torch.equal(mask([1], 1, 24)[0], long[1, :, :1])
    assert len({tuple(part.flatten().tolist()) for part in long.flatten(0, 1)}) == 3 * heads


def test_odd_widths_no_dropout_and_other_types() -> None:
    odd = masks(1).hidden(0, 0.4, rows(9), 7)
    assert odd is not None
    assert odd.shape == (1, 9, 7)
    assert odd.is_contiguous()
    assert masks(1).hidden(0, 0.0, rows(9), 7) is None
    half = masks(1, dtype=torch.bfloat16).hidden(0, 0.4, rows(9), 7)
    assert half is not None
    assert half.dtype == torch.bfloat16
    assert torch.equal(half == 0, odd == 0)


def test_golden_bits() -> None:
    """The stream is a promise: a study resumed by a later version gets the same masks."""
    mask = masks(7, step=11).hidden(2, 0.5, rows(2), 16)
    assert mask is not None
    kept = (mask[0] != 0).int().tolist()
    assert kept == [
        [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1],
        [1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0],
    ]
