"""Policies are played through their live code: StartMany must give the closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seedbed.core.curves import Curve
from seedbed.core.errors import InputError, SeedbedError
from seedbed.core.work import Decision, Verdict
from seedbed.stopping.budget import Rule
from seedbed.stopping.play import play, replay_policy
from seedbed.stopping.policies import Patience, StartMany, TrainAll
from seedbed.stopping.recorded import record
from seedbed.stopping.replay import replay
from stopping.recordings import curves_from, noisy_curves


@pytest.mark.parametrize(("start", "at", "keep"), [(12, 0.5, 3), (5, 1 / 6, 5), (9, 2 / 6, 0)])
def test_start_many_played_is_the_closed_form(start: int, at: float, keep: int) -> None:
    curves = noisy_curves(np.random.default_rng(6), inits=30, decimals=2)
    exact = replay(curves, Rule(start, at, keep), draws=2)
    played = replay_policy(curves, StartMany(start, at, keep), samples=3000, draws=2, seed=1)
    assert played.cost == pytest.approx(exact.cost)
    assert played.baseline == pytest.approx(exact.baseline)
    # Fails by chance 1 time in 5,000 for the three cases together.
    assert abs(played.expected - exact.expected) < 4 * played.standard_error


def test_intervals_of_both_ways_agree() -> None:
    curves = noisy_curves(np.random.default_rng(6), inits=8, orders=8)
    exact = replay(curves, Rule(12, 0.5, 3), draws=1000, seed=2)
    played = replay_policy(curves, StartMany(12, 0.5, 3), samples=4000, draws=300, seed=3)
    # The standard deviation of 300 draws is known to 4 %, that of playing is taken off.
    assert played.upper - played.lower == pytest.approx(exact.upper - exact.lower, rel=0.3)


def test_every_subset_of_a_tied_recording_is_played_as_the_closed_form_says() -> None:
    score = np.array([[5, 6, 6], [5, 5, 8], [4, 9, 9], [5, 5, 7]]) / 10
    recorded = record(curves_from(score))
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    results = [play(recorded, StartMany(2, 1 / 3, 1), np.array(pair)) for pair in pairs]
    # Scores tie at the first evaluation, losses too: the lower trial number goes on.
    assert [r for r, _ in results] == pytest.approx([0.6, 0.6, 0.6, 0.8, 0.8, 0.7])
    assert [c for _, c in results] == pytest.approx([4 / 3] * 6)
    exact = replay(recorded, Rule(2, 1 / 3, 1), draws=2).expected
    assert exact == pytest.approx(np.mean([r for r, _ in results]))


def test_training_all_costs_every_trial() -> None:
    curves = noisy_curves(np.random.default_rng(6), inits=10)
    played = replay_policy(curves, TrainAll(limit=4), samples=500, draws=5)
    assert played.cost == pytest.approx(4)
    assert abs(played.gain) < 4 * played.standard_error
    everything = replay_policy(curves, TrainAll(), samples=2, draws=5)
    assert everything.expected == record(curves).finals.max()


def test_patience_stops_where_the_loss_stops_falling() -> None:
    score = np.array([[0.5, 0.6, 0.7, 0.9], [0.5, 0.6, 0.7, 0.8]])
    loss = np.array([[0.5, 0.6, 0.7, 0.2], [0.9, 0.8, 0.7, 0.6]])
    recorded = record(curves_from(score, loss))
    result, cost = play(recorded, Patience(2, TrainAll()), np.array([0, 1]))
    assert cost == pytest.approx(0.75 + 1)  # the first stops at its third evaluation
    assert result == 0.8  # and never shows its .9


def test_the_same_seed_gives_the_same_answer() -> None:
    curves = noisy_curves(np.random.default_rng(6), inits=10)
    policy = Patience(1, StartMany(6, 0.5, 2))
    first = replay_policy(curves, policy, samples=50, draws=5, seed=4)
    assert replay_policy(curves[::-1], policy, samples=50, draws=5, seed=4) == first
    assert replay_policy(curves, policy, samples=50, draws=5, seed=5) != first


class Halving:
    """Pauses twice: the better half goes on at 1/3 and again at 2/3, two at a time."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[int], list[float]]] = []

    def starts(self, trials: int) -> int:
        return min(4, trials)

    def judge(self, curve: Curve) -> Verdict:
        decision = Decision.CONTINUE if curve.finished else Decision.PAUSE
        return Verdict(decision, "")

    def select(self, paused: Sequence[Curve], all_curves: Sequence[Curve]) -> dict[int, Verdict]:
        self.asked.append(([c.trial for c in paused], [c.progress for c in all_curves]))
        ranking = sorted(paused, key=lambda c: -c.evaluations[-1].score)
        half = max(1, len(ranking) // 2)
        verdicts = {c.trial: Verdict(Decision.CONTINUE, "") for c in ranking[:half]}
        return verdicts | {c.trial: Verdict(Decision.STOP, "") for c in ranking[half:]}


def test_a_policy_may_pause_more_than_once_and_sees_all_curves() -> None:
    score = np.array([[1, 5, 9], [2, 3, 4], [3, 4, 5], [4, 1, 1]]) / 10
    halving = Halving()
    result, cost = play(record(curves_from(score)), halving, np.arange(4))
    assert (result, cost) == (pytest.approx(0.5), pytest.approx(4 / 3 + 2 / 3 + 1 / 3))
    third = pytest.approx(1 / 3)
    assert halving.asked == [
        ([0, 1, 2, 3], [third] * 4),
        ([2, 3], [third, third, pytest.approx(2 / 3), pytest.approx(2 / 3)]),
    ]


class Silent(Halving):
    """Breaks the contract: leaves paused trials without a verdict."""

    def select(self, paused: Sequence[Curve], all_curves: Sequence[Curve]) -> dict[int, Verdict]:
        return {}


def test_what_cannot_be_played_is_refused() -> None:
    curves = noisy_curves(np.random.default_rng(6), inits=4)
    with pytest.raises(SeedbedError, match="no verdict"):
        replay_policy(curves, Silent(), samples=2, draws=2)
    with pytest.raises(InputError, match="fewer trials than the policy starts"):
        replay_policy(curves, StartMany(5, 0.5, 1))
    with pytest.raises(InputError, match="samples"):
        replay_policy(curves, StartMany(3, 0.5, 1), samples=1)
