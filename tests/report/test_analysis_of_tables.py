"""Analyses of curves tables: hand-made answers, laws, and what must be warned of."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.api.analyze import Rule, Settings, Source, analyze, compare, plan, power, replay
from seedbed.api.recordings import recording
from seedbed.core.errors import InputError
from seedbed.report.analysis import numbers_of_trials
from small_studies import HEADER, grid_rows, random_scores, write_csv

QUICK = Settings(resamples=100, permutations=50)


def table(folder: Path, rows: list[Any], header: tuple[str, ...] = HEADER) -> Source:
    return Source(path=write_csv(folder / "curves.csv", rows, header))


def facts(folder: Path, rows: list[Any], header: tuple[str, ...] = HEADER, **more: Any) -> Any:
    source = Source(path=write_csv(folder / "curves.csv", rows, header), **more)
    return analyze(source, settings=QUICK).json()


def said(found: dict[str, Any], *words: str) -> bool:
    """Say whether one warning holds all the words."""
    return any(all(word in text for word in words) for text in found["warnings"])


FINALS = np.array([[0.1, 0.2], [0.3, 0.6]])
EARLY = np.array([[0.05, 0.15], [0.25, 0.1]])
SMALL = np.stack([EARLY, FINALS], axis=2)


def test_a_table_small_enough_to_work_out_by_hand(tmp_path: Path) -> None:
    found = facts(tmp_path, grid_rows(SMALL), majority=0.1)
    best = {one["n"]: one["estimate"] for one in found["expected_best"]}
    # Mean over all subsets: six pairs, four triples.
    assert best == pytest.approx({1: 0.3, 2: 2.6 / 6, 3: 2.1 / 4, 4: 0.6})
    # Mean squares in units of 0.01: init 9, order 4, rest 1.
    variance = found["variance"]
    assert variance["method"] == "expected mean squares"
    parts = {name: variance[name]["variance"] for name in ("init", "order", "rest")}
    assert parts == pytest.approx({"init": 0.04, "order": 0.015, "rest": 0.01})
    assert variance["total"] == pytest.approx(0.065)
    assert variance["init"]["share"] == pytest.approx(4 / 6.5)
    assert variance["validation_noise"] is None
    tests = found["tests"]
    assert (tests["init"]["f"], tests["order"]["f"]) == pytest.approx((9.0, 4.0))
    assert (tests["init"]["df_between"], tests["init"]["df_error"]) == (1, 1)
    assert (tests["init"]["best_vs_worst"]["best"], tests["order"]["best_vs_worst"]["worst"]) == (
        2,
        1,
    )
    assert found["early_late"]["progress"] == [0.5, 1.0]
    # Ranks early 1 3 4 2, late 1 2 3 4: 1 - 6 (0 + 1 + 1 + 4) / (4 * 15).
    assert found["early_late"]["spearman"][0][1] == pytest.approx(0.4)
    # Of the six pairs the later winner leads early in all but (.2, .6) and (.3, .6).
    kept = {
        (o["progress"], o["keep"]): o["probability"] for o in found["early_late"]["winner_kept"]
    }
    assert kept == pytest.approx({(0.5, 1): 4 / 6, (1.0, 1): 1.0})
    counts = found["trials"]
    assert (counts["started"], counts["finished"], counts["failed"]) == (4, 4, 1)
    assert counts["collapsed"] is None
    (failed,) = found["failed_trials"]
    assert (failed["trial"], failed["init"], failed["order"]) == (0, 1, 1)
    assert failed["visible_at"] == 0.5
    assert found["optimism"] is None


def test_the_chance_to_keep_the_winner_is_that_over_all_subsets(tmp_path: Path) -> None:
    score_IOE = random_scores(3, 3, 3, 4)
    found = facts(tmp_path, grid_rows(score_IOE))["early_late"]
    best_TE = np.maximum.accumulate(score_IOE.reshape(9, 4), axis=1)
    for one in found["winner_kept"]:
        e = found["progress"].index(one["progress"])
        kept = []
        for drawn in itertools.combinations(range(9), found["started"]):
            winner = max(drawn, key=lambda t: best_TE[t, -1])
            above = sum(best_TE[t, e] > best_TE[winner, e] for t in drawn)
            kept.append(above < one["keep"])
        assert one["probability"] == pytest.approx(np.mean(kept))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), shift=st.floats(-0.4, 0.4))
def test_laws(tmp_path_factory: pytest.TempPathFactory, seed: int, shift: float) -> None:
    """Rows in any order change nothing; a constant shift shifts scores and nothing else."""
    folder = tmp_path_factory.mktemp("laws")
    score_IOE = random_scores(seed, 3, 4, 3)
    loss_IOE = np.random.default_rng(seed).random(score_IOE.shape)
    rows = [(k // 3, *row) for k, row in enumerate(grid_rows(score_IOE, loss_IOE))]
    moved = [(k // 3, *row) for k, row in enumerate(grid_rows(score_IOE + shift, loss_IOE))]
    header = ("trial", *HEADER)
    before = facts(folder, rows, header)
    order = np.random.default_rng(seed).permutation(len(rows))
    assert facts(folder, [rows[k] for k in order], header) == before
    after = facts(folder, moved, header, score_range=(-10.0, 10.0))
    for a, b in zip(before["expected_best"], after["expected_best"], strict=True):
        assert b["estimate"] == pytest.approx(a["estimate"] + shift)
    for part in ("init", "order", "rest"):
        assert after["variance"][part]["variance"] == pytest.approx(
            before["variance"][part]["variance"], abs=1e-12
        )
    assert after["early_late"]["winner_kept"] == before["early_late"]["winner_kept"]


def test_the_method_is_chosen_from_the_data_and_named(tmp_path: Path) -> None:
    score_IOE = random_scores(1, 4, 4, 3)
    grid = facts(tmp_path, grid_rows(score_IOE))
    assert grid["expected_best_method"] == "two-way bootstrap"
    holed = facts(tmp_path, grid_rows(score_IOE)[6:])
    assert holed["variance"]["method"] == "REML"
    assert said(holed, "not full", "14 of 16")
    own = [(k // 3, k // 3, *row[2:]) for k, row in enumerate(grid_rows(score_IOE))]
    alone = facts(tmp_path, own)
    assert alone["expected_best_method"] == "simultaneous band, independent trials"
    assert alone["variance"]["init"] is None
    assert alone["tests"] == {"init": None, "order": None}
    assert alone["variance"]["total"] == pytest.approx(score_IOE.max(axis=2).var(ddof=1))
    assert said(alone, "do not cross")


def test_one_trial_and_one_seed_give_what_they_can_and_say_so(tmp_path: Path) -> None:
    one = facts(tmp_path, grid_rows([[[0.5, 0.7]]]))
    assert [o["estimate"] for o in one["expected_best"]] == [0.7]
    assert one["variance"]["total"] is None
    assert one["early_late"]["spearman"] is None
    assert said(one, "only 1 trial finished")
    row = facts(tmp_path, grid_rows(random_scores(2, 1, 6, 3)))
    assert row["variance"]["init"] is None
    assert said(row, "only one init seed", "cannot be told apart")
    column = facts(tmp_path, grid_rows(random_scores(2, 6, 1, 3)))
    assert said(column, "only one order seed")


def test_trials_cut_short_are_missing_and_said(tmp_path: Path) -> None:
    rows = grid_rows(random_scores(4, 3, 3, 4))
    cut = [row for row in rows if not (row[0] == 1 and row[3] > 0.5)]
    found = facts(tmp_path, cut)
    assert found["trials"]["started"] == 9
    assert (found["trials"]["finished"], found["trials"]["unfinished"]) == (6, 3)
    assert found["spent"] == pytest.approx(7.5)
    assert len(found["expected_best"]) == 6
    assert said(found, "6 finished of 9 trials started", "3 did not reach the end")
    none = facts(tmp_path, [row for row in rows if row[3] < 1])
    assert none["expected_best"] == []
    assert said(none, "no trial was trained to the end")


def test_trials_that_diverged_count_as_failed_and_have_no_final_score(tmp_path: Path) -> None:
    rows = [list(row) for row in grid_rows(random_scores(4, 3, 3, 4))]
    rows[2][5] = "nan"
    found = facts(tmp_path, rows, majority=0.1)
    counts = found["trials"]
    assert (counts["finished"], counts["failed"], counts["diverged"]) == (8, 1, 1)
    assert said(found, "line 4", "no finite number")
    assert said(found, "1 trial diverged")
    unknown = facts(tmp_path, rows)
    assert unknown["trials"]["failed"] is None
    assert unknown["failed_trials"][0]["diverged"]


def test_curves_of_other_evaluations_are_compared_where_they_can_be(tmp_path: Path) -> None:
    rows = grid_rows(random_scores(5, 3, 3, 4))
    late = [row for row in rows if not (row[0] == 1 and row[3] == 0.25)]
    found = facts(tmp_path, late)
    assert found["early_late"]["progress"] == [0.5, 0.75, 1.0]
    assert said(found, "3 to 4 evaluations", "the first between 0.25 and 0.5")
    with pytest.raises(InputError, match="was not evaluated where"):
        replay(table(tmp_path, late), Rule(4, 0.5, 1))
    with pytest.raises(InputError, match="was not evaluated where"):
        plan(table(tmp_path, late), 2)


def test_ties_and_unknown_ranges_are_said(tmp_path: Path) -> None:
    tied = facts(tmp_path, grid_rows(np.full((3, 3, 2), 0.7)))
    assert said(tied, "ties: 9 of 9", "lower loss")
    assert tied["variance"]["total"] == 0.0
    header = (*HEADER[:4], "reward", "loss")
    own = [(k, k, *row[2:]) for k, row in enumerate(grid_rows(random_scores(6, 3, 3, 1)))]
    odd = facts(tmp_path, own, header)
    assert odd["expected_best"][-1]["upper"] is None
    assert said(odd, "largest possible score", "--range")
    assert said(odd, "one evaluation a trial")
    given = facts(tmp_path, own, header, score_range=(0.0, 1.0))
    assert 0.9 < given["expected_best"][-1]["upper"] <= 1.0
    percent = facts(tmp_path, [(*row[:4], 100 * row[4], 1.0) for row in own])
    assert percent["expected_best"][-1]["upper"] is None
    assert said(percent, "usual or given range")
    small = facts(tmp_path, own, header, score_range=(0.0, 0.5))
    assert small["expected_best"][-1]["upper"] is None
    assert said(small, "usual or given range")
    error = facts(tmp_path, own, (*HEADER[:4], "error_rate", "loss"))
    assert said(error, "error_rate", "smaller values are better")
    assert said(facts(tmp_path, own, metric="loss"), "negated")


def test_several_tasks_agree_about_seeds_or_not(tmp_path: Path) -> None:
    score_IOE = random_scores(8, 5, 3, 2)
    other = score_IOE + np.linspace(0, 0.05, 2)
    opposite = 1.4 - score_IOE
    rows = [("a", *row) for row in grid_rows(score_IOE)]
    rows += [("b", *row) for row in grid_rows(other)]
    source = table(tmp_path, rows, ("task", *HEADER))
    both = analyze(source, settings=QUICK).json()
    assert sorted(both["tasks"]) == ["a", "b"]
    assert both["across_tasks"]["kendall_w"] == pytest.approx(1.0)
    one = analyze(source, task="b", settings=QUICK).json()
    assert one["trials"] == both["tasks"]["b"]["trials"]
    assert one["across_tasks"] == both["across_tasks"]
    last = opposite[..., ::-1]
    rows = rows[:30] + [("b", *row) for row in grid_rows(last)]
    against = analyze(table(tmp_path, rows, ("task", *HEADER)), settings=QUICK).json()
    assert 0 <= against["across_tasks"]["kendall_w"] < 1
    with pytest.raises(InputError, match="several tasks"):
        replay(source, Rule(2, 0.5, 1))
    with pytest.raises(InputError, match=r"did you mean 'a'|allowed: a, b"):
        analyze(source, task="aa")
    alone = [("c", *row) for row in grid_rows(score_IOE, inits=[90, 91, 92, 93, 94])]
    apart = analyze(table(tmp_path, rows[:30] + alone, ("task", *HEADER)), settings=QUICK).json()
    assert apart["across_tasks"]["kendall_w"] is None


def test_replay_is_the_mean_over_all_draws(tmp_path: Path) -> None:
    score_IOE = random_scores(9, 3, 2, 4)
    source = table(tmp_path, grid_rows(score_IOE, np.zeros_like(score_IOE)))
    best_TE = np.maximum.accumulate(score_IOE.reshape(6, 4), axis=1)
    results = []
    for drawn in itertools.combinations(range(6), 4):
        kept = sorted(drawn, key=lambda t: (-best_TE[t, 1], t))[:2]
        results.append(max(*best_TE[kept, 3], *(best_TE[t, 1] for t in drawn)))
    found = replay(source, Rule(4, 0.6, 2)).json()
    assert found["at"] == 0.5  # the last evaluation not after 0.6
    assert found["cost"] == pytest.approx(4 * 0.5 + 2 * 0.5)
    assert found["expected"] == pytest.approx(np.mean(results))
    finals = best_TE[:, 3]
    full = np.mean([max(c) for c in itertools.combinations(finals, 3)])
    assert found["baseline"] == pytest.approx(full)
    assert found["gain"] == pytest.approx(found["expected"] - full)
    assert found["lower"] <= found["gain"] <= found["upper"]
    replaced = replay(source, Rule(4, 0.6, 2), replacement=True).json()
    assert replaced["expected"] < found["expected"]


def test_patience_is_played_and_needs_losses(tmp_path: Path) -> None:
    rows = grid_rows(random_scores(10, 3, 3, 4))
    found = replay(table(tmp_path, rows), Rule(5, 0.5, 2), patience=1).json()
    assert 0 < found["cost"] <= 5 * 0.5 + 2 * 0.5
    bare = table(tmp_path, [row[:5] for row in rows], HEADER[:5])
    with pytest.raises(InputError, match="loss"):
        replay(bare, Rule(5, 0.5, 2), patience=1)
    with pytest.raises(InputError, match="without replacement"):
        replay(table(tmp_path, rows), Rule(5, 0.5, 2), patience=1, replacement=True)


@pytest.mark.parametrize(
    "rule", [Rule(0, 0.5, 0), Rule(10, 0.5, 2), Rule(4, 0.5, 5), Rule(4, 0.1, 2), Rule(4, 2.0, 2)]
)
def test_rules_that_cannot_be_played_are_refused(tmp_path: Path, rule: Rule) -> None:
    source = table(tmp_path, grid_rows(random_scores(11, 3, 3, 4)))
    for patience in (None, 2):
        with pytest.raises(InputError):
            replay(source, rule, patience=patience)


def test_plan_stays_within_the_budget_or_falls_back_and_says_so(tmp_path: Path) -> None:
    source = table(tmp_path, grid_rows(random_scores(12, 6, 6, 8)))
    for budget in (1, 2.5, 4):
        found = plan(source, budget).json()
        assert found["cost"] <= budget + 1e-9
        assert found["source"] == "recorded curves"
        assert found["lower"] <= found["expected"] <= found["upper"]
    few = plan(source, 30).json()
    assert few["source"] == "default rule"
    assert few["expected"] is None
    assert few["cost"] <= 30
    assert said(few, "36 finished trials are too few", "60 are needed")
    for wrong in (0.5, -1, float("nan"), float("inf")):
        with pytest.raises(InputError):
            plan(source, wrong)


def test_compare_pairs_by_seeds(tmp_path: Path) -> None:
    score_IOE = random_scores(13, 4, 4, 3)
    a = Source(path=write_csv(tmp_path / "a.csv", grid_rows(score_IOE + 0.01)))
    b = Source(path=write_csv(tmp_path / "b.csv", grid_rows(score_IOE)[::-1][:-3]))
    found = compare(a, b, resamples=100).json()
    assert found["pairs"] == 15
    assert found["difference"]["value"] == pytest.approx(0.01)
    assert found["wins"]["value"] == 1.0
    assert found["expected_best"][0]["difference"] == pytest.approx(0.01)
    assert said(found, "1 of 16 trials have no finished partner")
    far = Source(path=write_csv(tmp_path / "c.csv", grid_rows(score_IOE, inits=[7, 8, 9, 10])))
    with pytest.raises(InputError, match="0 pairs"):
        compare(a, far)
    other = Source(
        path=write_csv(tmp_path / "d.csv", grid_rows(score_IOE), (*HEADER[:4], "f1", "l"))
    )
    with pytest.raises(InputError, match=r"several metrics|different metrics"):
        compare(a, other)


def test_power_from_a_table_is_power_from_its_variances(tmp_path: Path) -> None:
    source = table(tmp_path, grid_rows(random_scores(14, 4, 4, 3)))
    measured = power(source, 0.02).json()
    parts = analyze(source, settings=QUICK).json()["variance"]
    numbers = tuple(parts[name]["variance"] for name in ("init", "order", "rest"))
    given = power(None, 0.02, variances=numbers).json()
    assert measured["unpaired"] == given["unpaired"] >= 2
    assert measured["paired"] == given["paired"]
    own = [(k, k, *row[2:]) for k, row in enumerate(grid_rows(random_scores(6, 3, 3, 1)))]
    loose = power(table(tmp_path, own), 0.02).json()
    assert loose["paired"] is None
    assert loose["unpaired"] >= 2
    for arguments in ((None, 0.02), (source, 0.0), (source, float("nan"))):
        with pytest.raises(InputError):
            power(*arguments)
    with pytest.raises(InputError):
        power(None, 0.02, variances=(-1.0, 0.0, 1.0))
    with pytest.raises(InputError, match="cannot be measured"):
        power(table(tmp_path, grid_rows([[[0.5]]])), 0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        Settings(confidence=1.0),
        Settings(confidence=float("nan")),
        Settings(resamples=1),
        Settings(resamples=10**9),
        Settings(permutations=0),
        Settings(seed=-1),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, wrong: Settings) -> None:
    with pytest.raises(InputError):
        analyze(table(tmp_path, grid_rows(SMALL)), settings=wrong)


def test_wrong_sources_are_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", grid_rows(SMALL))
    for source in (
        Source(path=tmp_path),
        Source(path=tmp_path / "none"),
        Source(path=path, majority=float("nan")),
        Source(path=path, score_range=(1.0, 0.0)),
        Source(path=path, metric="f1"),
    ):
        with pytest.raises(InputError):
            recording(source)


def test_numbers_of_trials() -> None:
    assert numbers_of_trials(3).tolist() == [1, 2, 3]
    many = numbers_of_trials(2_100)
    assert many[:20].tolist() == list(range(1, 21))
    assert many[-1] == 2_100
    assert len(many) < 40


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_table_gives_json_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Few seeds, many ties, holes and trials that diverge: never a traceback, never a NaN."""
    folder = tmp_path_factory.mktemp("any")
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    levels = data.draw(st.sampled_from([1, 2, 3, 1000]))
    rows = grid_rows(np.floor(rng.random(shape) * levels) / levels)
    share = data.draw(st.sampled_from([1.0, 0.9, 0.5]))
    kept = [list(row) for row in rows if rng.random() < share]
    for row in kept:
        row[4] = "nan" if rng.random() < 0.02 else row[4]
    source = table(folder, kept)
    small = Settings(resamples=20, permutations=20)
    for ask in (
        lambda: analyze(source, settings=small),
        lambda: replay(source, Rule(3, 0.5, 1)),
        lambda: replay(source, Rule(2, 0.5, 1), patience=1),
        lambda: plan(source, 2),
        lambda: compare(source, source, resamples=20),
        lambda: power(source, 0.1),
    ):
        try:
            found = ask()
        except InputError:
            continue
        json.dumps(found.json(), allow_nan=False)
