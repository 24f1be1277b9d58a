"""Streams never change and never meet; designs list the right trials."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.core.seeds import SEED_LIMIT, Seeds, crossed, derived_dropout, paired
from seedbed.core.streams import DROPOUT, INIT, ORDER, derive

# Written down once: another value here means that every trial of every study changes.
GOLDEN = {
    (1, INIT): 3413164938862213607,
    (1, ORDER, 0): 6440247019408876441,
    (1, DROPOUT, 17): 16134790504892381531,
    (0, INIT, "classifier.weight"): 12922823178094391394,
    (2**63 - 1, ORDER, 3): 1648520953241303953,
    (-1, INIT): 4758302025323996971,
}


@pytest.mark.parametrize("arguments", GOLDEN)
def test_keys_never_change(arguments: tuple[int, str]) -> None:
    assert derive(*arguments) == GOLDEN[arguments]


def test_different_arguments_give_different_keys() -> None:
    roles, indices = (INIT, ORDER, DROPOUT), [(), (0,), (1,), ("0",), (0, 0), (0, 1), (1, 0)]
    names = list(itertools.product(range(50), roles, indices))
    assert len({derive(seed, role, *index) for seed, role, index in names}) == len(names)


@given(st.integers(), st.text(), st.lists(st.integers() | st.text(max_size=3), max_size=3))
def test_keys_are_64_bits_for_any_arguments(seed: int, role: str, index: list[int | str]) -> None:
    try:
        key = derive(seed, role, *index)
    except UnicodeEncodeError:  # a lone surrogate names nothing
        return
    assert 0 <= key < 2**64
    assert key == derive(seed, role, *index)


def test_bits_of_keys_are_balanced() -> None:
    keys = [derive(seed, ORDER, 0) for seed in range(4000)]
    for bit in range(64):
        ones = sum(key >> bit & 1 for key in keys)
        assert abs(ones - 2000) < 5 * (4000 / 4) ** 0.5, f"bit {bit}"


def test_dropout_is_a_function_of_both_seeds_and_a_seed_itself() -> None:
    found = {derived_dropout(i, j) for i in range(40) for j in range(40)}
    assert len(found) == 1600
    assert all(0 <= seed < SEED_LIMIT for seed in found)
    assert derived_dropout(1, 2) != derived_dropout(2, 1)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 3), (2, 5), (5, 2), (4, 6)])
def test_a_crossed_design_has_every_pair_once_and_any_part_is_balanced(
    rows: int, columns: int
) -> None:
    init, order = list(range(10, 10 + rows)), list(range(20, 20 + columns))
    seeds = crossed(init, order, "derived")
    assert sorted((s.init, s.order) for s in seeds) == sorted(itertools.product(init, order))
    for n in range(1, len(seeds) + 1):
        by_init, by_order = Counter(s.init for s in seeds[:n]), Counter(s.order for s in seeds[:n])
        spreads = [
            max(by_init.values()) - min(by_init[i] for i in init),
            max(by_order.values()) - min(by_order[j] for j in order),
        ]
        assert spreads[0 if rows >= columns else 1] <= 1, f"first {n}"
        assert max(spreads) <= 2, f"first {n}"


def test_a_larger_design_contains_the_trials_of_a_smaller_one() -> None:
    assert set(crossed([1, 2], [1, 2], "derived")) < set(crossed([1, 2, 3], [1, 2, 3], "derived"))


def test_a_paired_design_and_its_dropout_rules() -> None:
    assert paired([1, 2], [5, 4], 9) == (Seeds(1, 5, 9), Seeds(2, 4, 9))
    assert paired([1], [5], "derived")[0].dropout == derived_dropout(1, 5)
    with pytest.raises(InputError, match="3 init and 2 order"):
        paired([1, 2, 3], [1, 2], "derived")
