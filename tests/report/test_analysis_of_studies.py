"""Analyses of study folders: what stored predictions add, and that exports lose nothing.

Axes: T trials, M examples, C classes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.api.analyze import Rule, Settings, Source, analyze, compare, export_curves, replay
from seedbed.api.recordings import recording
from seedbed.core.curves import Curve
from seedbed.core.errors import InputError
from seedbed.report.predictions import metric_of_confusion
from seedbed.stopping.policies import StartMany
from seedbed.store.database import Database
from seedbed.store.layout import Layout
from seedbed.tasks.metrics import METRICS, confusion
from small_studies import labels_and_curves, make_study

QUICK = Settings(resamples=100, permutations=50)


def predicted(curves: list[Curve]) -> np.ndarray:
    """Give the predictions of each curve's last evaluation, [T, M]."""
    logits = [np.frombuffer(c.evaluations[-1].logits or b"", dtype=np.float16) for c in curves]
    return np.stack([one.reshape(-1, 2).argmax(axis=1) for one in logits])


def facts(path: Path, **more: Any) -> dict[str, Any]:
    return analyze(Source(path=path, **more), settings=QUICK).json()


def test_validation_noise_is_that_of_the_predictions(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(9, seed=1)
    found = facts(make_study(tmp_path / "study", labels_M, curves))
    correct_TM = predicted(curves) == labels_M
    right_M = correct_TM.mean(axis=0)
    noise = (right_M * (1 - right_M)).sum() / len(labels_M) ** 2 * 9 / 8
    assert found["variance"]["validation_noise"] == pytest.approx(noise)
    assert found["validation_noise"]["noise_sd"] == pytest.approx(noise**0.5)
    observed = correct_TM.mean(axis=1).std(ddof=1)
    assert found["validation_noise"]["observed_sd"] == pytest.approx(observed)


def test_the_honest_estimate_is_below_the_best(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(9, seed=2)
    found = facts(make_study(tmp_path / "study", labels_M, curves))["optimism"]
    best = max(e.score for c in curves for e in c.evaluations)
    assert found["score"] == pytest.approx(best)
    assert found["honest"] < found["score"]
    assert found["lower"] < found["honest"] < found["upper"]
    assert max(e.score for e in curves[found["trial"]].evaluations) == best
    flattery = [one["optimism"] for one in found["best_of"]]
    assert [one["n"] for one in found["best_of"]] == [1, 2, 5, 9]
    assert flattery == sorted(flattery)


def test_failed_and_collapsed_trials_are_counted_apart(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(9, seed=3, collapsed=frozenset({2, 5}))
    found = facts(make_study(tmp_path / "study", labels_M, curves, failures={curves[7].seeds: 4}))
    assert found["trials"]["collapsed"] == 2
    assert found["trials"]["diverged"] == 1
    assert found["trials"]["failed"] == 3  # all of class 1, the majority, is failed too
    kinds = {one["trial"]: one for one in found["failed_trials"]}
    assert sorted(kinds) == [2, 5, 7]
    assert kinds[2]["collapsed"]
    assert kinds[2]["failed"]
    assert kinds[7]["diverged"]
    assert not kinds[7]["collapsed"]


def test_stopped_trials_are_said_to_be_chosen(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(9, seed=4)
    study = make_study(tmp_path / "study", labels_M, curves, policy=StartMany(8, 0.5, 4))
    found = facts(study)
    counts = found["trials"]
    assert (counts["started"], counts["finished"], counts["unfinished"]) == (8, 4, 4)
    assert found["spent"] == pytest.approx(6.0)
    assert any("A stopping rule chose" in text for text in found["warnings"])
    # Predictions of stopped trials took part in the choice of the best.
    assert found["optimism"]["best_of"][-1]["n"] == 8


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_exported_table_says_what_the_study_says(tmp_path: Path, suffix: str) -> None:
    labels_M, curves = labels_and_curves(9, seed=5)
    study = make_study(tmp_path / "study", labels_M, curves, failures={curves[3].seeds: 6})
    path = tmp_path / f"curves{suffix}"
    export_curves(study, path)
    inside = recording(Source(path=study))
    outside = recording(Source(path=path, metric="accuracy", majority=inside.majority))
    assert outside.diverged == inside.diverged == {3}
    for a, b in zip(inside.curves, outside.curves, strict=True):
        assert a.seeds == b.seeds
        bare = tuple(replace(e, scores={"accuracy": e.score}) for e in a.evaluations)
        assert bare == b.evaluations
    with_predictions = facts(study)
    without = facts(path, metric="accuracy", majority=inside.majority)
    assert without["optimism"] is None
    assert without["variance"]["validation_noise"] is None
    for key in ("expected_best", "early_late", "tests", "spent", "metric"):
        assert without[key] == with_predictions[key]
    sources = (Source(path=study), Source(path=path, metric="accuracy"))
    first, second = (replay(source, Rule(4, 0.5, 2)) for source in sources)
    assert first.result == second.result


def test_other_metrics_of_a_study(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(9, seed=6)
    study = make_study(tmp_path / "study", labels_M, curves)
    for metric in ("f1", "macro_f1", "matthews", "acc_and_f1"):
        found = facts(study, metric=metric)
        assert found["metric"] == metric
        finals = [max(e.scores[metric] for e in c.evaluations) for c in curves]
        assert found["expected_best"][0]["estimate"] == pytest.approx(np.mean(finals))
        assert found["optimism"]["score"] == pytest.approx(max(finals))
        assert found["validation_noise"]["method"] == "bootstrap over examples"
    loss = facts(study, metric="loss")
    assert loss["optimism"] is None
    assert loss["trials"]["failed"] is None
    assert loss["expected_best"][-1]["estimate"] == pytest.approx(
        -min(e.loss for c in curves for e in c.evaluations)
    )
    with pytest.raises(InputError, match="did you mean 'matthews'"):
        facts(study, metric="mathews")


def test_without_labels_nothing_is_invented(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(4, seed=7)
    study = make_study(tmp_path / "study", labels_M, curves)
    (Layout(study).task / "validation" / "labels.npy").unlink()
    found = facts(study)
    assert found["optimism"] is None
    assert found["trials"]["collapsed"] is None
    assert found["trials"]["failed"] is not None
    assert any("no labels" in text for text in found["warnings"])


def test_two_studies_on_one_split_are_compared_over_its_examples(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(9, seed=8)
    other_M, others = labels_and_curves(9, seed=9)
    a = make_study(tmp_path / "a", labels_M, curves)
    b = make_study(tmp_path / "b", labels_M, others)
    same = compare(Source(path=a), Source(path=b), resamples=100).json()
    assert same["pairs"] == 9
    assert same["method"] == "bootstrap over seeds and examples"
    assert compare(Source(path=a), Source(path=a), resamples=100).json()["difference"]["value"] == 0
    c = make_study(tmp_path / "c", other_M, others)
    apart = compare(Source(path=a), Source(path=c), resamples=100).json()
    assert apart["method"] == "bootstrap over seeds"
    assert any("no predictions on a common" in text for text in apart["warnings"])


def test_a_study_without_evaluations_yet(tmp_path: Path) -> None:
    labels_M, curves = labels_and_curves(4, seed=10)
    study = make_study(tmp_path / "study", labels_M, curves)
    fresh = Database(Layout(study).root / "fresh.db", create=True)
    for key, value in Database(Layout(study).database).facts().items():
        fresh.add_fact(key, value)
    fresh.add_trials(curve.seeds for curve in curves)
    fresh.close()
    (Layout(study).root / "fresh.db").replace(Layout(study).database)
    found = facts(study)
    assert found["trials"]["started"] == 0
    assert found["expected_best"] == []
    with pytest.raises(InputError, match="no curves"):
        export_curves(study, tmp_path / "t.csv")
    with pytest.raises(InputError, match="nothing to replay"):
        replay(Source(path=study), Rule(2, 0.5, 1))


@pytest.mark.parametrize("classes", [2, 3])
def test_metrics_of_confusion_counts_are_those_of_the_task(classes: int) -> None:
    rng = np.random.default_rng(11)
    for name, metric in METRICS.items():
        of_counts = metric_of_confusion(name, classes)
        assert of_counts is not None
        if not metric.applies(classes):
            continue
        for _ in range(20):
            labels, guesses = rng.integers(0, classes, (2, 8))
            counts = confusion(labels, guesses, classes)
            expected = metric.compute(counts)
            assert float(of_counts(counts.astype(float))) == pytest.approx(expected), name
    assert metric_of_confusion("bleu", 2) is None
