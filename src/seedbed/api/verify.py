"""Does a study folder hold what it says? Files, facts, verdicts, and bits trained again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seedbed.api.build import build_learner
from seedbed.api.rules import make_policy
from seedbed.api.study import Study
from seedbed.core.curves import Curve, Evaluation
from seedbed.core.work import Decision, Failure, Learner, Policy, Saved, Start, Verdict
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import FileFact, Judged
from seedbed.store.retention import latest_states


@dataclass(frozen=True)
class Check:
    """One thing that was checked, whether it holds, and what was found."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Verification:
    """All checks of a study, and what this platform cannot promise."""

    checks: tuple[Check, ...]
    reservations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that was checked holds."""
        return all(check.holds for check in self.checks)


def verify(folder: str | Path, *, segments: int = 2, seed: int = 0) -> Verification:
    """Check the study in ``folder``; changes nothing in it.

    Reads every file against its sha256, the database against its own rules, every verdict
    against the policy, and trains ``segments`` segments again, chosen at random by
    ``seed``, to compare their evaluations bit for bit with what was recorded.
    """
    study = Study(folder)
    try:
        checks = [_database(study), _files(study), _verdicts(study)]
        checks += _segments(study, segments, seed)
        return Verification(tuple(checks), tuple(_reservations(study)))
    finally:
        study.close()


def _database(study: Study) -> Check:
    problems = study.database.problems()
    detail = "; ".join(problems) or f"{len(study.curves)} trials, foreign keys and pages are sound"
    return Check("database", not problems, detail)


def _files(study: Study) -> Check:
    folder = CheckpointFolder(study.layout.checkpoints)
    files = study.database.files()
    damaged = [file.file for file in files if not folder.whole(file)]
    detail = f"{len(files) - len(damaged)} of {len(files)} files have their sha256"
    if damaged:
        detail += f"; damaged or missing: {', '.join(damaged)} (trained again when needed)"
    return Check("checkpoint files", not damaged, detail)


def _verdicts(study: Study) -> Check:
    """Ask the policy again about every curve as it stood at each verdict."""
    if any(kind == "extended" for kind, _, _ in study.database.events()):
        return Check("verdicts", True, "not checked: the policy was changed by an extension")
    policy = make_policy(study.spec.policy, study.schedule, len(study.curves))
    judged = study.database.verdicts()
    wrong = [*_misjudged(study, policy, judged), *_misselected(study, policy, judged)]
    detail = f"{len(judged) - len(wrong)} of {len(judged)} are the policy's"
    if wrong:
        detail += "; not: " + ", ".join(f"trial {t} at step {s}" for t, s in wrong[:10])
    return Check("verdicts", not wrong, detail)


def _misjudged(study: Study, policy: Policy, judged: Sequence[Judged]) -> Iterator[tuple[int, int]]:
    """Find verdicts on a trial's own curve that the policy does not give."""
    seen: set[tuple[int, int]] = set()
    for one in judged:
        place = (one.trial, one.step)
        if place in seen or one.verdict.decision is Decision.FAIL:
            continue  # the second verdict at a step is a selection's; failures are the learner's
        seen.add(place)
        if policy.judge(_until(study.curves[one.trial], one.step)) != one.verdict:
            yield place


def _misselected(
    study: Study, policy: Policy, judged: Sequence[Judged]
) -> Iterator[tuple[int, int]]:
    """Find verdicts on paused trials that the policy does not give, round by round."""
    current: dict[int, Judged] = {}
    reached: dict[int, int] = {}
    selected: dict[int, Verdict] = {}
    for one in judged:
        before = current.get(one.trial)
        if before and before.verdict.decision is Decision.PAUSE and before.step == one.step:
            if one.trial not in selected:  # a new round begins
                paused = [
                    _until(study.curves[t], j.step)
                    for t, j in sorted(current.items())
                    if j.verdict.decision is Decision.PAUSE
                ]
                whole = [_until(study.curves[t], reached.get(t, 0)) for t in study.curves]
                selected = policy.select(paused, whole)
            if selected.pop(one.trial) != one.verdict:
                yield one.trial, one.step
        current[one.trial] = one
        reached[one.trial] = one.step


def _until(curve: Curve, step: int) -> Curve:
    return replace(curve, evaluations=tuple(e for e in curve.evaluations if e.step <= step))


def _segments(study: Study, count: int, seed: int) -> list[Check]:
    """Train some segments again: from stored states where there are any, else from seeds."""
    curves = study.database.curves(logits=True)
    candidates = [curve for curve in curves.values() if curve.evaluations]
    if not candidates or count < 1:
        return []
    chosen = random.Random(seed).sample(candidates, min(count, len(candidates)))
    learner = build_learner(study.layout.root)
    folder = CheckpointFolder(study.layout.checkpoints)
    states = latest_states(study.database.files())
    return [_segment(learner, folder, curve, states.get(curve.trial)) for curve in chosen]


def _segment(
    learner: Learner,
    folder: CheckpointFolder,
    curve: Curve,
    state: tuple[FileFact, FileFact] | None,
) -> Check:
    start = Start(curve.trial, curve.seeds)
    if state and state[0].step < curve.step and all(folder.whole(file) for file in state):
        weights, optimizer = (folder.path(file) for file in state)
        start = Start(curve.trial, curve.seeds, state[0].step, saved=Saved(weights, optimizer))
    recorded = next(e for e in curve.evaluations if e.step > start.step)
    again = learner.array([start]).advance(recorded.step)[curve.trial]
    name = f"trial {curve.trial}, steps {start.step} to {recorded.step}, trained again"
    if isinstance(again, Failure):
        return Check(name, False, f"failed: {again.reason}")
    return Check(name, *_compared(again, recorded))


def _compared(again: Evaluation, recorded: Evaluation) -> tuple[bool, str]:
    same = replace(again, seconds=0.0) == replace(recorded, seconds=0.0)
    if same:
        return True, "the same bits: loss, scores and every logit"
    return False, (
        f"differs: loss {again.loss!r} instead of {recorded.loss!r}, "
        f"score {again.score!r} instead of {recorded.score!r}"
    )


def _reservations(study: Study) -> Iterator[str]:
    """Say where this machine is not the one that trained."""
    from seedbed.train.hardware import describe

    here = describe(study.facts["how"]["device"])
    for kind, detail, _ in study.database.events():
        if kind != "started":
            continue
        for key, there in detail.get("platform", {}).items():
            if key in here and here[key] != there:
                yield f"trained with {key} {there}, verified with {here[key]}: bits may differ"
    if study.facts["how"]["device"] == "cuda":
        yield "on a GPU the order of sums is not fixed: bits may differ between runs"
