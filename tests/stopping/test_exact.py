"""The closed form against every subset, every sequence, the textbook formula and big numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.stopping.exact import (
    best_of_first,
    expected_result,
    growing_sorted,
    log_choose,
    place_weights,
    result_distribution,
)

Ranked = tuple[np.ndarray, np.ndarray]
SCORES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6
)  # few values, so many ties


def ranked(pairs: list[tuple[int, int]]) -> Ranked:
    """Make early scores, best first, and final scores that are never below them."""
    ordered = sorted(pairs, key=lambda pair: -pair[0])
    early = np.array([e for e, _ in ordered]) / 10
    return early, np.array([e + gain for e, gain in ordered]) / 10


def result(early: np.ndarray, final: np.ndarray, drawn: tuple[int, ...], keep: int) -> float:
    """Play the rule on one draw of places."""
    places = sorted(drawn)
    return float(max(final[i] for i in places[:keep])) if keep else float(early[places[0]])


@settings(max_examples=40, deadline=None)
@given(SCORES)
def test_without_replacement_is_the_mean_over_all_subsets(pairs: list[tuple[int, int]]) -> None:
    early, final = ranked(pairs)
    n = len(early)
    for start in range(1, n + 1):
        for keep in range(start + 1):
            results = [
                result(early, final, drawn, keep)
                for drawn in itertools.combinations(range(n), start)
            ]
            expected = expected_result(early[None], final[None], start, keep)[0]
            assert expected == pytest.approx(np.mean(results), abs=1e-12)
            values, chances = result_distribution(early, final, start, keep)
            counted = [results.count(v) / len(results) for v in values]
            assert chances == pytest.approx(counted, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4))
def test_with_replacement_is_the_mean_over_all_sequences(pairs: list[tuple[int, int]]) -> None:
    early, final = ranked(pairs)
    n = len(early)
    for start in range(1, 6):  # more than n too
        for keep in range(start + 1):
            results = [
                result(early, final, drawn, keep)
                for drawn in itertools.product(range(n), repeat=start)
            ]
            expected = expected_result(early[None], final[None], start, keep, replacement=True)[0]
            assert expected == pytest.approx(np.mean(results), abs=1e-12)
            values, chances = result_distribution(early, final, start, keep, replacement=True)
            counted = [results.count(v) / len(results) for v in values]
            assert chances == pytest.approx(counted, abs=1e-12)


@pytest.mark.parametrize(("start", "keep"), [(1, 1), (12, 1), (12, 5), (40, 7), (60, 60), (59, 58)])
def test_equals_the_sum_over_the_worst_kept_in_whole_numbers(start: int, keep: int) -> None:
    n = 60
    generator = np.random.default_rng(3)
    final = generator.normal(size=n).round(1)
    values, chances = result_distribution(final, final, start, keep)
    cumulated = np.cumsum(chances)
    for x, chance in zip(values, cumulated, strict=True):
        total = Fraction(0)
        for r in range(n):
            if final[r] <= x:
                below = int((final[:r] <= x).sum())
                total += comb(below, keep - 1) * comb(n - 1 - r, start - keep)
        assert chance == pytest.approx(float(total / comb(n, start)), abs=1e-12)


def test_keeping_one_takes_the_best_ranked_and_keeping_all_the_best() -> None:
    early, final = np.array([0.5, 0.4, 0.3]), np.array([0.6, 0.9, 0.7])
    # Of two of three: the best ranked is the first twice, the second once.
    assert expected_result(early[None], final[None], 2, 1)[0] == pytest.approx((0.6 * 2 + 0.9) / 3)
    assert expected_result(early[None], final[None], 2, 2)[0] == pytest.approx((0.9 * 2 + 0.7) / 3)
    assert expected_result(early[None], final[None], 3, 0)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(("start", "keep"), [(30, 15), (625, 30), (625, 300), (200, 0)])
def test_is_stable_for_many_trials(start: int, keep: int, replacement: bool) -> None:
    if replacement and keep > 40:
        keep = 40  # the sum over ties grows with keep
    generator = np.random.default_rng(11)
    early = np.sort(generator.normal(size=625))[::-1]
    final = early + generator.exponential(size=625)
    values, chances = result_distribution(early, final, start, keep, replacement=replacement)
    expected = expected_result(early[None], final[None], start, keep, replacement=replacement)[0]
    assert chances.min() >= 0
    assert chances.sum() == pytest.approx(1, abs=1e-10)
    assert expected == pytest.approx(values @ chances, abs=1e-10)
    shifted = expected_result(
        early[None] + 5, final[None] + 5, start, keep, replacement=replacement
    )[0]
    assert shifted == pytest.approx(expected + 5, abs=1e-10)


def test_the_table_of_bests_is_exact_where_binomials_overflow() -> None:
    n = 1500  # C(1500, 700) is about 1e449
    final = np.random.default_rng(5).normal(size=(2, n))
    keeps = np.array([1, 30, 700])
    best = best_of_first(final, keeps)
    for r, k in [(1, 0), (63, 1), (64, 1), (65, 1), (700, 2), (1111, 2), (1500, 2)]:
        p = int(keeps[k])
        ordered = np.sort(final[1, :r])
        exact = sum(
            Fraction(comb(j, p - 1), comb(r, p)) * Fraction(float(ordered[j]))
            for j in range(p - 1, r)
        )
        assert best[1, r, k] == pytest.approx(float(exact), abs=1e-11)
    assert (best[:, :30, 1] == 0).all()


def test_helpers() -> None:
    assert np.exp(log_choose(np.array([5, 5, 3]), np.array([2, 6, -1]))) == pytest.approx(
        [10, 0, 0]
    )
    assert place_weights(4, 2, 1) == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6])
    values = np.random.default_rng(1).integers(0, 4, size=(3, 9)).astype(float)
    for r, ordered in growing_sorted(values):
        assert (ordered == np.sort(values[:, :r], axis=1)).all()
    with pytest.raises(ValueError, match="with replacement"):
        place_weights(4, 2, 1, replacement=True)
