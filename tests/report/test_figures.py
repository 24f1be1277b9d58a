"""Figure data on hand-made curves, compared with what can be worked out by hand.

Axes: I init seeds, O order seeds, E evaluations.
"""

from __future__ import annotations

import numpy as np
import pytest

from report_accounts import account, curve, grid_of
from seedbed.core.curves import Curve
from seedbed.report.account import Fate
from seedbed.report.across_tasks import across_tasks
from seedbed.report.figures import (
    curves,
    early_late,
    expected_best,
    extremes,
    honest,
    seed_grid,
    spread,
    stopping,
    tasks,
)
from seedbed.report.section import LeftOut
from seedbed.stats.expected_best import expected_best as exact_best
from small_studies import random_scores

WON, DONE, CUT, FAILED = Fate.WON, Fate.FINISHED, Fate.STOPPED, Fate.FAILED


def thinned() -> list[Curve]:
    """Five trials: a winner, one finished, one failed from 40 % on, two stopped at 40 %."""
    return [
        curve(0, (1, 1), [0.60, 0.62, 0.70, 0.74, 0.73]),
        curve(1, (1, 2), [0.60, 0.61, 0.66, 0.70, 0.72]),
        curve(2, (2, 1), [0.55, 0.50, 0.50, 0.50, 0.50]),
        curve(3, (2, 2), [0.54, 0.58], of=5),
        curve(4, (3, 1), [0.53, 0.57], of=5),
    ]


def test_each_trial_has_one_fate() -> None:
    data = curves.curves_data(account(thinned(), majority=0.5))
    assert not isinstance(data, LeftOut)
    assert [line.fate for line in data.lines] == [WON, DONE, FAILED, CUT, CUT]
    assert data.counts == {WON: 1, DONE: 1, FAILED: 1, CUT: 2, Fate.GOING: 0}
    assert data.lines[3].progress == (0.2, 0.4)
    assert data.visible_by == pytest.approx(0.4)


def test_the_sentence_says_what_the_curves_show() -> None:
    found = account(thinned(), majority=0.5)
    data = curves.curves_data(found)
    assert not isinstance(data, LeftOut)
    assert curves.shows(data, found) == (
        "1 of 5 trials failed; it was visible by 40 % of training; 2 were stopped early; "
        "the best reached 0.740 (init seed 1, order seed 1)."
    )
    assert "2 of these curves end" in curves.caution(data, found)
    sound = account([c for c in thinned() if c.trial != 2], majority=0.5)
    data = curves.curves_data(sound)
    assert not isinstance(data, LeftOut)
    assert curves.shows(data, sound).startswith("None of 4 failed;")


def test_trials_that_wait_are_not_stopped_and_a_stopped_one_may_win() -> None:
    waiting = account(thinned(), majority=0.5, going=frozenset({3}))
    assert waiting.fates[3] is Fate.GOING
    assert waiting.stopped == 1
    cut = account([*thinned(), curve(5, (3, 2), [0.9], of=5)], majority=0.5)
    assert cut.fates[5] is WON
    assert cut.stopped == 3


def test_expected_best_by_how_often_trials_are_validated() -> None:
    score_IOE = random_scores(3, 3, 4, 6)
    data = expected_best.expected_best_data(account(grid_of(score_IOE), epochs=3.0))
    assert not isinstance(data, LeftOut)
    assert [line.how for line in data.lines] == [
        "at every evaluation",
        "once an epoch",
        "only at the end",
    ]
    for line, seen in zip(data.lines, ([0, 1, 2, 3, 4, 5], [1, 3, 5], [5]), strict=True):
        finals = score_IOE[:, :, seen].max(axis=2).reshape(-1)
        assert line.best.estimate == pytest.approx(exact_best(finals, line.best.ns))
    assert data.seconds_K is not None
    assert data.seconds_K == pytest.approx(30.0 * data.every.ns)


def test_without_epochs_the_line_is_missing_and_said() -> None:
    found = account(grid_of(random_scores(3, 3, 4, 6)))
    data = expected_best.expected_best_data(found)
    assert not isinstance(data, LeftOut)
    assert [line.how for line in data.lines] == ["at every evaluation", "only at the end"]
    assert "once an epoch" in expected_best.caution(data, found)


def test_the_grid_of_seeds_and_its_means() -> None:
    full = [
        curve(3 * i + o, (i + 1, o + 1), [0.5 + 0.1 * i + 0.01 * o])
        for i in (0, 1)
        for o in (0, 1, 2)
    ]
    data = seed_grid.seed_grid_data(account(full[:-1]))  # the cell (2, 3) is missing
    assert not isinstance(data, LeftOut)
    assert data.inits == (1, 2)
    assert data.orders == (1, 2, 3)
    assert data.scores_IO == pytest.approx(
        np.array([[0.5, 0.51, 0.52], [0.6, 0.61, np.nan]]), nan_ok=True
    )
    assert data.init_means_I == pytest.approx([0.51, 0.605])
    assert data.order_means_O == pytest.approx([0.55, 0.56, 0.52])
    assert data.held == 5


def test_best_and_worst_seeds_with_their_scores() -> None:
    score_IOE = random_scores(5, 4, 3, 2)
    finals_IO = score_IOE.max(axis=2)
    data = extremes.extremes_data(account(grid_of(score_IOE)))
    assert not isinstance(data, LeftOut)
    init, order = data.factors
    assert {init.best, init.worst} <= {1, 2, 3, 4}
    assert init.best_scores == pytest.approx(np.sort(finals_IO[init.best - 1]))
    assert order.worst_scores == pytest.approx(np.sort(finals_IO[:, order.worst - 1]))
    assert init.best_scores.mean() > init.worst_scores.mean()
    assert init.p_corrected >= init.p_classical
    assert "chosen after looking" in extremes.caution(data)


def test_shares_of_the_spread_sum_to_one() -> None:
    found = account(grid_of(random_scores(6, 5, 5, 3)))
    data = spread.spread_data(found)
    assert not isinstance(data, LeftOut)
    assert [part.source for part in data.parts] == ["init seed", "order seed", "the rest"]
    assert sum(part.share for part in data.parts) == pytest.approx(1.0)
    assert data.luck is None
    assert data.total_sd**2 == pytest.approx(found.analysis.total_variance)
    assert "validation split is not known" in spread.caution(data, found)


def test_early_and_late_on_curves_whose_ranks_swap() -> None:
    """At the first evaluation the order is the reverse of the final one, then it is final."""
    final = np.linspace(0.7, 0.8, 6)
    rows = [
        curve(k, (k, k), [0.3 - 0.01 * k, float(f), float(f) + 0.01]) for k, f in enumerate(final)
    ]
    data = early_late.early_late_data(account(rows))
    assert not isinstance(data, LeftOut)
    assert data.correlations is not None
    assert data.correlations.spearman[0, 2] == pytest.approx(-1.0)
    assert data.correlations.spearman[1, 2] == pytest.approx(1.0)
    assert data.kept is not None
    assert data.safe_from() == pytest.approx(2 / 3)
    assert "from 67 % of training on" in early_late.shows(data)


def test_what_stopping_saved() -> None:
    found = account(thinned(), majority=0.5)
    data = stopping.stopping_data(found)
    assert not isinstance(data, LeftOut)
    assert data.saved is not None
    assert data.saved.spent == pytest.approx(3 + 2 * 0.4)
    assert data.saved.full == 5
    assert data.saved.alive == ((0.0, 5), (0.4, 3), (1.0, 0))
    assert data.saved.share == pytest.approx(0.24)
    assert stopping.shows(data, found).startswith(
        "Stopping 2 trials early cost 3.8 full trials instead of 5, 24 % less"
    )


def test_the_planner_is_asked_for_every_budget_that_the_trials_allow() -> None:
    found = account(grid_of(random_scores(7, 4, 4, 5)))
    data = stopping.stopping_data(found)
    assert not isinstance(data, LeftOut)
    assert data.saved is None
    assert [promise.budget for promise in data.promises] == [1, 2, 3, 5]
    for promise in data.promises:
        assert promise.rule.cost <= promise.budget + 1e-9
        assert promise.lower <= promise.expected <= promise.upper


def test_many_trials_are_thinned_to_a_smaller_grid_before_planning() -> None:
    score_IOE = random_scores(8, 20, 30, 2)
    data = stopping.stopping_data(account(grid_of(score_IOE)))
    assert not isinstance(data, LeftOut)
    assert data.planned_on == 13 * 20  # both factors by the same share


def test_init_seeds_across_tasks() -> None:
    """Two tasks that agree fully: seed 3 first, seed 2 last."""
    level = np.array([0.70, 0.60, 0.80, 0.75])
    score_IOE = np.repeat(np.repeat(level[:, None, None], 3, axis=1), 2, axis=2)
    both = [account(grid_of(score_IOE + shift), title=t) for t, shift in (("a", 0.0), ("b", 0.1))]
    across = across_tasks([(one.title, one.recording) for one in both])
    data = tasks.seed_ranks_data(across, both)
    assert not isinstance(data, LeftOut)
    assert data.seeds == (3, 4, 1, 2)
    assert data.ranks_IK.tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert data.w == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("trials", "left"),
    [
        ([], {"curves", "expected_best", "seed_grid", "extremes", "spread", "early_late"}),
        (
            [curve(0, (1, 1), [0.5, 0.6])],
            {"expected_best", "seed_grid", "extremes", "spread", "early_late"},
        ),
    ],
)
def test_what_trials_cannot_support_is_left_out_with_a_reason(
    trials: list[Curve], left: set[str]
) -> None:
    found = account(trials)
    made = [
        curves.curves_data(found),
        expected_best.expected_best_data(found),
        seed_grid.seed_grid_data(found),
        extremes.extremes_data(found),
        spread.spread_data(found),
        early_late.early_late_data(found),
        stopping.stopping_data(found),
        honest.honest_data(found),
    ]
    missing = {one.name: one.why for one in made if isinstance(one, LeftOut)}
    assert set(missing) == left | {"stopping", "honest"}
    assert all(missing.values())
