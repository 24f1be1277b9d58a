"""The table of all rules: each entry, the candidates, the choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.stats.expected_best import expected_best
from seedbed.stopping.budget import Rule
from seedbed.stopping.recorded import record
from seedbed.stopping.replay import replay
from seedbed.stopping.search import rule_table
from stopping.recordings import curves_from, noisy_curves


def test_every_entry_is_the_replay_of_its_rule() -> None:
    recorded = record(noisy_curves(np.random.default_rng(2), inits=9, evaluations=4, decimals=1))
    table = rule_table(recorded, 5)
    seen = 0
    for place in np.argwhere(np.isfinite(table.expected_KSF)):
        rule = table.rule((int(place[0]), int(place[1]), int(place[2])))
        outcome = replay(recorded, rule, draws=2)
        assert table.place(rule) == tuple(place)
        assert table.expected_KSF[tuple(place)] == pytest.approx(outcome.expected, abs=1e-12)
        assert table.cost_KSF[tuple(place)] == pytest.approx(outcome.cost, abs=1e-12)
        seen += 1
    assert seen == 3 * sum(min(start, 5) + 1 for start in range(1, 10))


def test_training_all_is_the_expected_best_at_every_pause() -> None:
    recorded = record(noisy_curves(np.random.default_rng(2), inits=20))
    table = rule_table(recorded, 6)
    for keep in range(1, 7):
        best = float(expected_best(recorded.finals, keep))
        assert table.expected_KSF[keep, keep - 1] == pytest.approx([best] * 5)


def test_counts_the_assignments_of_the_paper() -> None:
    """A 30-point grid, at most 200 starts, the cost equal to the budget: Dodge et al. 2020.

    Their search stops at least one trial (keep < start, keep = 0 included) at one of the
    first 29 evaluations, and adds the full training of as many trials as the budget buys.
    """
    table = rule_table(record(curves_from(np.zeros((200, 30)))), 30)
    keep, start = np.indices(table.cost_KSF.shape)[:2] + np.array([0, 1])[:, None, None, None]
    counts = {}
    for budget in (1, 2, 3, 5, 10, 20, 30):
        exact = np.abs(table.cost_KSF - budget) < 1e-9
        counts[budget] = int((exact & (keep < start)).sum()) + 1
    assert counts == {1: 8, 2: 18, 3: 27, 5: 47, 10: 99, 20: 192, 30: 271}


def test_every_affordable_rule_is_a_candidate() -> None:
    trials, budget, progress = 15, 4.0, np.arange(1, 7) / 6
    table = rule_table(record(noisy_curves(np.random.default_rng(0), inits=trials)), budget)
    affordable = {
        (start, round(f, 9), keep)
        for start in range(1, trials + 1)
        for keep in range(start + 1)
        for f in progress[:-1]
        if start * f + keep * (1 - f) <= budget + 1e-9
    }
    places = np.argwhere(table.within(budget))
    rules = [table.rule((int(k), int(s), int(f))) for k, s, f in places]
    assert {(r.start, round(r.at, 9), r.keep) for r in rules} == affordable


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1, 12), st.floats(0, 4))
def test_the_choice_fits_the_budget_and_more_budget_is_never_worse(
    seed: int, budget: float, more: float
) -> None:
    recorded = record(noisy_curves(np.random.default_rng(seed), inits=20, decimals=2))
    small, large = rule_table(recorded, budget), rule_table(recorded, budget + more)
    chosen, richer = small.best(budget), large.best(budget + more)
    assert chosen.cost <= budget + 1e-9
    scores = small.expected_KSF[small.within(budget)]
    best = small.expected_KSF[small.place(chosen)]
    assert best == pytest.approx(scores.max(), abs=1e-11)
    assert large.expected_KSF[large.place(richer)] >= best - 1e-11


def test_of_equal_rules_the_cheapest_is_chosen() -> None:
    # All trials are the same: one trial says it all, and it may stop at once.
    score = np.tile([[0.7, 0.7, 0.7]], (8, 1))
    assert rule_table(record(curves_from(score)), 4).best(4) == Rule(1, 1 / 3, 0)
    rising = np.tile([[0.1, 0.2, 0.7]], (8, 1))
    assert rule_table(record(curves_from(rising)), 4).best(4) == Rule(1, 1 / 3, 1)


def test_where_early_scores_say_all_one_is_kept_of_as_many_as_fit() -> None:
    quality = np.random.default_rng(1).permutation(12) / 20
    score = quality[:, None] + np.array([0.1, 0.2, 0.3, 0.4])
    best = rule_table(record(curves_from(score)), 3).best(3)
    assert best == Rule(9, 0.25, 1)


def test_most_starts_caps_and_bad_input_is_refused() -> None:
    recorded = record(noisy_curves(np.random.default_rng(2), inits=20))
    assert rule_table(recorded, 10, most_starts=4).expected_KSF.shape == (5, 4, 5)
    for budget in (0.5, -1):
        with pytest.raises(InputError, match="does not pay for one trial"):
            rule_table(recorded, budget)
    with pytest.raises(InputError, match="none to stop at"):
        rule_table(record(curves_from(np.ones((5, 1)))), 2)
