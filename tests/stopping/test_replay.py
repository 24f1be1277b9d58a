"""Replay: against live ranking, against sampling, its laws, and whether its interval covers."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.curves import Curve, rank
from seedbed.core.errors import InputError
from seedbed.stats.expected_best import expected_best
from seedbed.stopping.budget import Rule
from seedbed.stopping.recorded import record
from seedbed.stopping.replay import baseline, distribution, replay
from stopping.recordings import curves_from, noisy_curves


def by_hand(curves: list[Curve], rule: Rule) -> float:
    """Rank every subset as a live study would, and take the mean of the results."""
    results = []
    for drawn in itertools.combinations(curves, rule.start):
        ranking = rank(list(drawn), rule.at)
        seen = [c.best() for c in ranking[: rule.keep]] + [c.best(rule.at) for c in ranking]
        results.append(max(e.score for e in seen if e))
    return float(np.mean(results))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 6), st.sampled_from([0.25, 0.6]))
def test_equals_every_subset_ranked_live(seed: int, start: int, keep: int, at: float) -> None:
    generator = np.random.default_rng(seed)
    score = generator.integers(0, 4, size=(6, 4)) / 4  # ties in score, often in loss too
    curves = curves_from(score, generator.integers(0, 2, size=(6, 4)).astype(float))
    rule = Rule(start, at, min(keep, start))
    assert replay(curves, rule, draws=2).expected == pytest.approx(by_hand(curves, rule), abs=1e-12)


@pytest.mark.parametrize("replacement", [False, True])
def test_agrees_with_plain_sampling(replacement: bool) -> None:
    generator = np.random.default_rng(8)
    recorded = record(noisy_curves(generator, inits=40, decimals=2))
    rule = Rule(12, 2 / 6, 3)
    place_of = np.argsort(recorded.ranking(1))
    results = []
    for _ in range(20_000):
        drawn = generator.choice(40, 12, replace=replacement)
        kept = drawn[np.argsort(place_of[drawn])][:3]
        results.append(recorded.finals[kept].max())
    error = np.std(results) / np.sqrt(len(results))
    exact = replay(recorded, rule, replacement=replacement, draws=2).expected
    assert abs(exact - np.mean(results)) < 4 * error  # fails by chance 1 time in 15,000
    values, chances = distribution(recorded, rule, replacement=replacement)
    assert values @ chances == pytest.approx(exact, abs=1e-12)


def test_training_all_is_the_baseline() -> None:
    recorded = record(noisy_curves(np.random.default_rng(1), inits=30))
    outcome = replay(recorded, Rule(7, 0.5, 7), draws=20)
    assert outcome.cost == 7
    assert outcome.expected == pytest.approx(float(expected_best(recorded.finals, 7)), abs=1e-12)
    assert outcome.gain == pytest.approx(0, abs=1e-12)
    assert (outcome.lower, outcome.upper) == pytest.approx((0, 0), abs=1e-12)
    assert replay(recorded, Rule(7, 1.0, 7), draws=20).expected == outcome.expected


def test_a_single_trial_is_replayed() -> None:
    outcome = replay(noisy_curves(np.random.default_rng(1), inits=1), Rule(1, 0.5, 1), draws=5)
    assert outcome.gain == outcome.lower == outcome.upper == 0
    assert outcome.warnings


def test_cost_counts_the_progress_at_which_trials_really_pause() -> None:
    curves = noisy_curves(np.random.default_rng(1), inits=20, evaluations=4)
    assert replay(curves, Rule(10, 0.3, 2), draws=2).cost == pytest.approx(10 * 0.25 + 2 * 0.75)


def test_the_baseline_is_straight_between_whole_budgets() -> None:
    final = np.random.default_rng(3).random((2, 9))
    for row in range(2):
        ends = expected_best(final[row], [2, 3])
        assert baseline(final, 2.25)[row] == pytest.approx(0.75 * ends[0] + 0.25 * ends[1])
        assert baseline(final, 0.4)[row] == pytest.approx(final[row].mean())
        assert baseline(final, 9)[row] == final[row].max()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_a_shift_shifts_and_the_order_of_trials_does_not_matter(seed: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    score, rule = generator.random((9, 5)), Rule(6, 0.4, 2)
    here = replay(curves_from(score), rule, draws=50, seed=seed)
    there = replay(curves_from(score + shift), rule, draws=50, seed=seed)
    assert there.expected == pytest.approx(here.expected + shift, abs=1e-10)
    assert (there.gain, there.lower, there.upper) == pytest.approx(
        (here.gain, here.lower, here.upper), abs=1e-10
    )
    curves = curves_from(score)
    shuffled = [curves[i] for i in generator.permutation(9)]
    assert replay(shuffled, rule, draws=50, seed=seed) == here  # listed otherwise
    renamed = curves_from(score[generator.permutation(9)])
    assert replay(renamed, rule, draws=2).expected == pytest.approx(here.expected, abs=1e-12)


def test_says_the_relative_error_reduction_only_where_one_is_the_top() -> None:
    curves = noisy_curves(np.random.default_rng(4), inits=6, orders=6)
    outcome = replay(curves, Rule(9, 0.5, 3), draws=200)
    assert outcome.resampled == "init and order seeds"
    reduction = outcome.relative_error_reduction
    assert reduction == pytest.approx(outcome.gain / (1 - outcome.baseline))
    assert outcome.relative_lower is not None
    assert outcome.relative_upper is not None
    assert outcome.relative_lower < reduction < outcome.relative_upper
    percent = replay(
        curves_from(100 * record(curves).best_TE, orders=6), Rule(9, 0.5, 3), draws=200
    )
    assert percent.relative_error_reduction is None
    assert percent.gain == pytest.approx(100 * outcome.gain)


def test_json_has_the_keys_of_the_contract() -> None:
    outcome = replay(noisy_curves(np.random.default_rng(4), inits=12), Rule(4, 0.5, 2), draws=10)
    told = json.loads(json.dumps(outcome.json()))
    assert list(told) == ["expected", "cost", "baseline", "gain", "lower", "upper"]
    assert told["gain"] == told["expected"] - told["baseline"]
    assert told["lower"] <= told["gain"] <= told["upper"]


def test_warns_of_curves_left_out_and_of_large_starts() -> None:
    curves = noisy_curves(np.random.default_rng(4), inits=12)
    stopped = Curve(99, curves[0].seeds, curves[0].evaluations[:2])
    outcome = replay([*curves, stopped], Rule(7, 0.5, 2), draws=10)
    assert len(outcome.warnings) == 2
    assert "1 curves do not reach the end" in outcome.warnings[0]
    assert "starts 7 of the 12" in outcome.warnings[1]


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (Rule(13, 0.5, 2), "1..12"),
        (Rule(0, 0.5, 0), "1..12"),
        (Rule(4, 0.5, 5), "0..4"),
        (Rule(4, 0.5, -1), "0..4"),
        (Rule(4, 0.01, 1), "<= at <= 1"),
    ],
)
def test_refuses_rules_that_cannot_be_played(rule: Rule, allowed: str) -> None:
    curves = noisy_curves(np.random.default_rng(4), inits=12)
    with pytest.raises(InputError) as caught:
        replay(curves, rule)
    assert allowed in str(caught.value)


def test_refuses_wrong_numbers_and_draws_more_than_there_are_with_replacement() -> None:
    curves = noisy_curves(np.random.default_rng(4), inits=5)
    with pytest.raises(InputError, match="draws"):
        replay(curves, Rule(3, 0.5, 1), draws=1)
    with pytest.raises(InputError, match="confidence"):
        replay(curves, Rule(3, 0.5, 1), draws=5, confidence=95)
    more = replay(curves, Rule(50, 0.5, 50), replacement=True, draws=5)
    assert more.expected == pytest.approx(record(curves).finals.max(), abs=1e-4)


def true_gain(start: int, at: float, keep: int, full: int) -> float:
    """Play 60,000 fresh studies of the process behind ``noisy_curves``."""
    generator = np.random.default_rng(77)
    gains = np.empty(60_000)
    for block in range(60):
        fresh = record(noisy_curves(generator, inits=1000 * start))
        pause = fresh.pause_index(at)
        early = fresh.best_TE[:, pause].reshape(1000, start)
        final = fresh.finals.reshape(1000, start)
        kept = np.argsort(-early, axis=1)[:, :keep]
        best = np.take_along_axis(final, kept, axis=1).max(axis=1)
        gains[1000 * block : 1000 * (block + 1)] = best - final[:, :full].max(axis=1)
    return float(gains.mean())


@pytest.mark.slow
def test_the_interval_covers() -> None:
    """Nominal 95 %; fails by chance 1 time in 1,000 if the coverage is 93-97 %."""
    rule, hits, rounds = Rule(8, 0.5, 2), 0, 1000
    truth = true_gain(8, 0.5, 2, full=5)
    for seed in range(rounds):
        curves = noisy_curves(np.random.default_rng([seed, 1]), inits=64)
        outcome = replay(curves, rule, draws=200, seed=seed)
        hits += outcome.lower <= truth <= outcome.upper
    assert 0.903 <= hits / rounds <= 0.989
