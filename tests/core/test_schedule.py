"""Evaluations are spread over training, and its end is always evaluated."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.schedule import Schedule

schedules = st.builds(
    Schedule,
    examples=st.integers(1, 5000),
    batch_size=st.integers(1, 600),
    epochs=st.floats(0.01, 12) | st.integers(1, 12).map(float),
    per_epoch=st.integers(1, 40),
)


def test_a_plain_case() -> None:
    schedule = Schedule(examples=1000, batch_size=16, epochs=3, per_epoch=10)
    assert schedule.steps_per_epoch == 63
    assert schedule.steps == 189
    assert len(schedule.evaluation_steps) == 30
    assert schedule.evaluation_steps[9] == 63
    assert schedule.evaluation_steps[-1] == 189
    assert schedule.place(0) == (0, 0)
    assert schedule.place(62) == (0, 62)
    assert schedule.place(63) == (1, 0)


@pytest.mark.parametrize(
    ("epochs", "steps", "evaluations"),
    [(0.5, 5, (5,)), (1.5, 15, (10, 15)), (0.05, 1, (1,)), (2.0, 20, (10, 20)), (1 / 3, 4, (4,))],
)
def test_fractional_epochs(epochs: float, steps: int, evaluations: tuple[int, ...]) -> None:
    schedule = Schedule(examples=100, batch_size=10, epochs=epochs, per_epoch=1)
    assert (schedule.steps, schedule.evaluation_steps) == (steps, evaluations)


def test_more_evaluations_than_steps_means_after_every_step() -> None:
    for per_epoch in (4, 5, 9, 10_000):
        schedule = Schedule(examples=4, batch_size=1, epochs=3, per_epoch=per_epoch)
        assert schedule.evaluation_steps == tuple(range(1, 13))


def test_the_largest_schedule_that_the_study_file_allows_is_no_work() -> None:
    schedule = Schedule(examples=10, batch_size=16, epochs=1000, per_epoch=10_000)
    assert schedule.evaluation_steps == tuple(range(1, 1001))


def test_a_batch_larger_than_the_data() -> None:
    schedule = Schedule(examples=3, batch_size=16, epochs=2, per_epoch=1)
    assert (schedule.steps, schedule.evaluation_steps) == (2, (1, 2))


@settings(deadline=None)
@given(schedules)
def test_laws(schedule: Schedule) -> None:
    steps, evaluations = schedule.steps, schedule.evaluation_steps
    assert steps >= max(1, schedule.epochs * schedule.examples / schedule.batch_size - 1e-6)
    assert list(evaluations) == sorted(set(evaluations))
    assert evaluations[0] >= 1
    assert evaluations[-1] == steps
    assert schedule.progress(steps) == 1.0
    gaps = [b - a for a, b in zip((0, *evaluations), evaluations, strict=False)]
    assert max(gaps) <= math.ceil(schedule.steps_per_epoch / schedule.per_epoch)
    epochs = math.ceil(steps / schedule.steps_per_epoch)
    assert len(evaluations) <= epochs * schedule.per_epoch
    for step in (0, steps - 1):
        epoch, batch = schedule.place(step)
        assert epoch * schedule.steps_per_epoch + batch == step
        assert 0 <= batch < schedule.steps_per_epoch
