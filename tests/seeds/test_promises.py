"""A trial is its seeds: the promises of the three streams, bit for bit on the CPU."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from seedbed.core.curves import Evaluation
from seedbed.core.seeds import Seeds
from seedbed.core.work import Saved, Start
from seedbed.train.batches import batch_ids
from seedbed.train.choose import build
from seedbed.train.job import Job
from seedbed.train.pretrained import untouched_generators
from train.small import small_job, small_model

SEEDS = Seeds(init=1, order=1, dropout=11)
OTHERS = (Seeds(2, 1, 12), Seeds(1, 2, 13), Seeds(3, 3, 14))
LEARNERS = ("huggingface", "encoder")

Trained = tuple[list[Evaluation], dict[str, torch.Tensor], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """A small BERT without its classifier, dropout on, and a small task."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    job = small_job(folder)
    with untouched_generators():
        small_model("bert").base_model.save_pretrained(folder)
    yield job
    torch.set_num_threads(threads)


def trained(
    job: Job, name: str, starts: list[Start], folder: Path, *, until: int | None = None
) -> dict[int, Trained]:
    """Train ``starts`` in arrays as wide as the learner takes; curve, weights, moments."""
    learner = build(job, name)  # type: ignore[arg-type]
    width = max(learner.width, len(starts)) if name == "encoder" else 1
    results: dict[int, Trained] = {}
    for begin in range(0, len(starts), width):
        group = starts[begin : begin + width]
        array = learner.array(group)
        curves: dict[int, list[Evaluation]] = {s.trial: [] for s in group}
        for step in job.schedule.evaluation_steps:
            if group[0].step < step <= (until or job.schedule.steps):
                for trial, outcome in array.advance(step).items():
                    assert isinstance(outcome, Evaluation)
                    curves[trial].append(replace(outcome, seconds=0.0))
        for start in group:
            files = folder / f"{start.trial}.weights", folder / f"{start.trial}.optimizer"
            array.save(start.trial, *files)
            results[start.trial] = (curves[start.trial], load_file(files[0]), load_file(files[1]))
    return results


def same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def assert_same(a: Trained, b: Trained) -> None:
    assert a[0] == b[0]
    assert same_bits(a[1], b[1])
    assert same_bits(a[2], b[2])


@pytest.mark.parametrize("name", LEARNERS)
class TestStreams:
    """Each promise, for each learner."""

    def test_dropout_is_on(self, job: Job, name: str, tmp_path: Path) -> None:
        """Another dropout seed alone gives other weights (so the rest tests something)."""
        other = replace(SEEDS, dropout=99)
        result = trained(job, name, [Start(0, SEEDS), Start(1, other)], tmp_path)
        assert not same_bits(result[0][1], result[1][1])

    def test_only_the_init_seed_draws_the_new_layers(self, job: Job, name: str) -> None:
        learner = build(job, name)  # type: ignore[arg-type]
        states = []
        for seeds in (SEEDS, Seeds(1, 9, 77), Seeds(2, 1, 11)):
            array = learner.array([Start(0, seeds)])
            states.append(stored(array))
        assert same_bits(states[0], states[1])
        different = {n for n in states[0] if not torch.equal(states[0][n], states[2][n])}
        assert different, "another init seed changes something"
        for tensor_name in set(states[0]) - different:
            assert torch.equal(states[0][tensor_name], states[2][tensor_name])

    def test_evaluating_after_every_step_changes_nothing(
        self, job: Job, name: str, tmp_path: Path
    ) -> None:
        often = replace(job, schedule=replace(job.schedule, per_epoch=1000))
        once = replace(job, schedule=replace(job.schedule, per_epoch=1, epochs=0.99))
        often = replace(often, schedule=replace(often.schedule, epochs=0.99))
        assert len(often.schedule.evaluation_steps) == often.schedule.steps > 5
        assert len(once.schedule.evaluation_steps) == 1
        a = trained(often, name, [Start(0, SEEDS)], tmp_path)[0]
        b = trained(once, name, [Start(0, SEEDS)], tmp_path)[0]
        assert a[0][-1] == b[0][-1]
        assert same_bits(a[1], b[1])
        assert same_bits(a[2], b[2])

    def test_alone_is_the_same_as_among_others(self, job: Job, name: str, tmp_path: Path) -> None:
        alone = trained(job, name, [Start(0, SEEDS)], tmp_path)[0]
        for place in range(4):
            group = [Start(k + 1, seeds) for k, seeds in enumerate(OTHERS)]
            group.insert(place, Start(0, SEEDS))
            assert_same(trained(job, name, group, tmp_path)[0], alone)

    def test_paused_and_continued_is_a_straight_run(
        self, job: Job, name: str, tmp_path: Path
    ) -> None:
        straight = trained(job, name, [Start(0, SEEDS)], tmp_path)[0]
        for pause in (job.schedule.evaluation_steps[0], job.schedule.evaluation_steps[-2]):
            first = trained(job, name, [Start(0, SEEDS)], tmp_path, until=pause)[0]
            saved = Saved(tmp_path / "0.weights", tmp_path / "0.optimizer")
            start = Start(0, SEEDS, pause, 0.0, saved)
            rest = trained(job, name, [start], tmp_path)[0]
            assert_same((first[0] + rest[0], rest[1], rest[2]), straight)

    def test_global_generators_are_left_alone(self, job: Job, name: str, tmp_path: Path) -> None:
        before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # type: ignore[union-attr] # noqa: NPY002
        trained(job, name, [Start(0, SEEDS)], tmp_path)
        assert random.getstate() == before[0]
        assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[union-attr] # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[2])

    def test_global_generators_do_not_matter(self, job: Job, name: str, tmp_path: Path) -> None:
        first = trained(job, name, [Start(0, SEEDS)], tmp_path)[0]
        torch.manual_seed(123)
        assert_same(trained(job, name, [Start(0, SEEDS)], tmp_path)[0], first)


def stored(array: Any) -> dict[str, torch.Tensor]:
    """Save the one trial of ``array`` and read its weights back."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "w", Path(folder) / "o"
        array.save(0, *files)
        return load_file(files[0])


def test_batches_follow_the_order_seed_alone(job: Job) -> None:
    ids = [batch_ids(order, job.schedule, s) for order in (1, 1, 2) for s in range(30)]
    assert all(np.array_equal(a, b) for a, b in zip(ids[:30], ids[30:60], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(ids[:30], ids[60:], strict=True))


def test_each_epoch_is_another_permutation_of_all_rows(job: Job) -> None:
    schedule = job.schedule
    epochs = [
        np.concatenate(
            [
                batch_ids(5, schedule, epoch * schedule.steps_per_epoch + batch)
                for batch in range(schedule.steps_per_epoch)
            ]
        )
        for epoch in range(3)
    ]
    for ids in epochs:
        assert sorted(ids) == list(range(schedule.examples))
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_model_is_in_training_mode_after_an_evaluation(job: Job) -> None:
    array: Any = build(job, "huggingface").array([Start(0, SEEDS)])
    array.advance(job.schedule.evaluation_steps[0])
    assert all(module.training for module in array.model.modules())
