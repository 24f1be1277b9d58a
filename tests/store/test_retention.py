"""Which files stay: states of trials that may go on, weights of the best few."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.seeds import Seeds
from seedbed.store.database import FileFact
from seedbed.store.retention import Retention, latest_states

WEIGHTS, OPTIMIZER = 10, 20
"""Bytes of a weights file and of an optimizer file."""


def curve(trial: int, scores: list[float]) -> Curve:
    found = [Evaluation(step=k, progress=k / 10, score=s, loss=-s) for k, s in enumerate(scores, 1)]
    return Curve(trial, Seeds(trial, 1, 1), tuple(found))


class Files:
    """Numbers files as a database would."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.all: list[FileFact] = []

    def state(self, trial: int, step: int) -> None:
        self.weights(trial, step)
        self.all.append(
            FileFact(trial, step, "optimizer", f"o{trial}-{step}", "", OPTIMIZER, next(self.ids))
        )

    def weights(self, trial: int, step: int) -> None:
        self.all.append(
            FileFact(trial, step, "weights", f"w{trial}-{step}", "", WEIGHTS, next(self.ids))
        )

    def kept(self, rule: Retention, curves: list[Curve], resting=(), running=()) -> set[str]:
        by_trial = {c.trial: c for c in curves}
        gone = rule.superfluous(self.all, by_trial, list(resting), set(running))
        assert all(reason for _, reason in gone)
        assert len({f.id for f, _ in gone}) == len(gone), "a file can go only once"
        return {f.file for f in self.all} - {f.file for f, _ in gone}


def test_the_latest_state_of_every_living_trial_stays() -> None:
    files = Files()
    for trial, step in itertools.product((1, 2, 3), (1, 2, 3)):
        files.state(trial, step)
    curves = [curve(t, [0.1, 0.1, 0.2]) for t in (1, 2, 3)]
    kept = files.kept(Retention(keep_best=1), curves, resting=[1], running=[2])
    assert kept == {"w1-3", "o1-3", "w2-3", "o2-3"}


def test_the_best_fews_weights_of_their_best_evaluation_stay() -> None:
    files = Files()
    for trial, step in itertools.product((1, 2, 3), (1, 2, 3)):
        files.state(trial, step)
    curves = [curve(1, [0.1, 0.9, 0.2]), curve(2, [0.8, 0.1, 0.1]), curve(3, [0.1, 0.1, 0.7])]
    assert files.kept(Retention(keep_best=2), curves) == {"w1-2", "w2-1"}
    assert files.kept(Retention(keep_best=9), curves) == {"w1-2", "w2-1", "w3-3"}


def test_half_a_state_is_none() -> None:
    files = Files()
    files.state(1, 1)
    files.weights(1, 2)
    assert {f.file for f in latest_states(files.all)[1]} == {"w1-1", "o1-1"}


def test_the_budget_drops_the_worst_resting_trials_first() -> None:
    files = Files()
    scores = {1: 0.9, 2: 0.5, 3: 0.7, 4: 0.1}
    for trial in scores:
        files.state(trial, 1)
    curves = [curve(t, [s]) for t, s in scores.items()]
    for budget, alive in [
        (120, {1, 2, 3, 4}),
        (119, {1, 2, 3}),
        (90, {1, 2, 3}),
        (89, {1, 3}),
        (59, {1}),
    ]:
        kept = files.kept(Retention(1, budget), curves, resting=[1, 2, 3, 4])
        assert kept == {f"{kind}{t}-1" for t in alive for kind in "wo"}, budget
    kept = files.kept(Retention(1, 29), curves, resting=[1, 2, 3, 4])
    assert kept == {"w1-1"}, "the best weights stay, their optimizer goes"


def test_the_budget_never_takes_from_a_trial_in_training() -> None:
    files = Files()
    for trial in (1, 2):
        files.state(trial, 1)
    curves = [curve(1, [0.1]), curve(2, [0.9])]
    kept = files.kept(Retention(1, 1), curves, resting=[2], running=[1])
    assert kept == {"w1-1", "o1-1", "w2-1"}


@pytest.mark.parametrize("seed", range(20))
def test_laws_over_random_studies(seed: int) -> None:
    generator = np.random.default_rng(seed)
    files, curves = Files(), []
    for trial in range(8):
        length = int(generator.integers(1, 5))
        curves.append(curve(trial, [float(s) for s in generator.integers(0, 4, length) / 4]))
        for step in range(1, length + 1):
            files.state(trial, step)
    order = [int(t) for t in generator.permutation(8)]
    running, resting = order[:2], order[2:6]
    total = sum(f.bytes for f in files.all)
    free = files.kept(Retention(2), curves, resting, running)
    sizes = {f.file: f.bytes for f in files.all}
    for budget in (0, total // 8, total // 4, total):
        kept = files.kept(Retention(2, budget), curves, resting, running)
        assert kept <= free
        for trial in running:
            last = curves[trial].step
            assert {f"w{trial}-{last}", f"o{trial}-{last}"} <= kept
        held = sum(sizes[name] for name in kept)
        needed = [f"{k}{t}-{curves[t].step}" for t in running for k in "wo"]
        assert held <= max(budget, sum(sizes[n] for n in needed) + 2 * WEIGHTS), f"seed {seed}"
