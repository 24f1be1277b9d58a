"""From the [policy] section to a policy."""

from __future__ import annotations

from seedbed.core.errors import InputError
from seedbed.core.schedule import Schedule
from seedbed.core.spec import PolicySection
from seedbed.core.work import Policy
from seedbed.stopping.budget import DEFAULT_AT, default_rule
from seedbed.stopping.policies import Patience, StartMany, TrainAll, pause_progress


def make_policy(section: PolicySection, schedule: Schedule, trials: int) -> Policy:
    """Build the policy of a study of at most ``trials`` trials."""
    policy = _base_policy(section, schedule, trials)
    return policy if section.patience is None else Patience(section.patience, policy)


def _base_policy(section: PolicySection, schedule: Schedule, trials: int) -> Policy:
    grid = [schedule.progress(step) for step in schedule.evaluation_steps]
    if section.start is not None and section.at is not None and section.keep is not None:
        rule = StartMany(section.start, pause_progress(section.at, grid), section.keep)
        rule.starts(trials)  # refuses more trials than the design has
        return rule
    if section.budget is None:
        return TrainAll()
    if section.name == "none":
        return TrainAll(limit=_whole_trials(section.budget, trials))
    if min(grid) > DEFAULT_AT:
        raise InputError(
            "a budget needs an evaluation in the first quarter of training",
            where="[evaluation] per_epoch",
            given=f"first evaluation at {min(grid):.0%} of training",
            allowed="more evaluations an epoch, or more epochs",
        )
    chosen = default_rule(section.budget, trials, pause_progress(DEFAULT_AT, grid))
    if chosen.start == chosen.keep:
        return TrainAll(limit=chosen.start)
    return StartMany(chosen.start, chosen.at, chosen.keep)


def _whole_trials(budget: float, trials: int) -> int:
    if budget < 1:
        return default_rule(budget).start  # raises
    return min(trials, int(budget + 1e-9))


def describe(policy: Policy, trials: int) -> str:
    """Say in a line what the policy does."""
    if isinstance(policy, Patience):
        inner = describe(policy.inner, trials)
        return f"{inner}; stop after {policy.patience} evaluations without a better loss"
    if isinstance(policy, StartMany):
        return (
            f"start {policy.start}, at {policy.at:.0%} of training keep the best {policy.keep}, "
            f"train those to the end"
        )
    return f"train {policy.starts(trials)} trials to the end"
