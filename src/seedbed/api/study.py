"""A study folder, opened for reading: where every trial stands and which is best."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.core.curves import Curve, Evaluation, rank
from seedbed.core.errors import StudyError
from seedbed.core.schedule import Schedule
from seedbed.core.spec import Spec, make_spec
from seedbed.core.work import Decision, Verdict
from seedbed.store.database import Database
from seedbed.store.layout import Layout


@dataclass(frozen=True)
class Winner:
    """The best evaluation of the study and the trial it belongs to."""

    curve: Curve
    evaluation: Evaluation


class Study:
    """Reads a study folder; a snapshot of its facts at the moment each is first asked for."""

    def __init__(self, folder: str | Path) -> None:
        """Open the study in ``folder``; NoStudyError if there is none."""
        self.layout = Layout(Path(folder))
        self.database = Database(self.layout.database)
        missing = {"spec", "task", "schedule", "model", "how"} - set(self.facts)
        if missing:
            raise StudyError(f"{folder}: the study was never fully begun; delete it and run again")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What is known about the study as a whole."""
        return self.database.facts()

    @cached_property
    def spec(self) -> Spec:
        """The resolved study file."""
        return make_spec(self.facts["spec"], where=str(self.layout.database))

    @property
    def metric(self) -> str:
        """The metric trials are ranked by."""
        return str(self.facts["task"]["metric"])

    @property
    def schedule(self) -> Schedule:
        """The steps of a full trial."""
        return Schedule(**self.facts["schedule"])

    @cached_property
    def curves(self) -> dict[int, Curve]:
        """Every trial's curve, without logits, by trial number."""
        return self.database.curves()

    @cached_property
    def verdicts(self) -> dict[int, Verdict]:
        """Each started trial's latest verdict."""
        return {j.trial: j.verdict for j in self.database.verdicts()}

    @property
    def winner(self) -> Winner | None:
        """The best evaluation of all trials that did not fail; None before the first."""
        failed = {t for t, v in self.verdicts.items() if v.decision is Decision.FAIL}
        sound = [curve for t, curve in self.curves.items() if t not in failed]
        best = rank(sound)[0] if sound else None
        evaluation = best.best() if best else None
        return Winner(best, evaluation) if best and evaluation else None

    @property
    def spent(self) -> float:
        """Training so far, in full-trial equivalents."""
        return sum(curve.progress for curve in self.curves.values())

    def status(self) -> dict[str, Any]:
        """Say where the study stands, as plain values (the JSON of ``seedbed status``)."""
        decisions = Counter(v.decision for v in self.verdicts.values())
        started = [c for t, c in self.curves.items() if c.evaluations or t in self.verdicts]
        finished = [
            best.score
            for c in started
            if self.verdicts[c.trial].decision is Decision.FINISH and (best := c.best())
        ]
        going = sum(not v.decision.final for v in self.verdicts.values())
        return {
            "folder": str(self.layout.root),
            "model": self.spec.model.name,
            "task": self.spec.task.name,
            "metric": self.metric,
            "majority_score": self.facts["task"]["majority_score"],
            "learner": self.facts["how"]["learner"],
            "policy": self.facts["how"]["policy"],
            "state": self._state(going),
            "trials": {
                "designed": len(self.curves),
                "started": len(started),
                "going_on": decisions[Decision.CONTINUE],
                "paused": decisions[Decision.PAUSE],
                "stopped": decisions[Decision.STOP],
                "failed": decisions[Decision.FAIL],
                "finished": decisions[Decision.FINISH],
            },
            "spent": self.spent,
            "seconds": sum(c.last.seconds for c in started if c.last),
            "best": self._best(),
            "finished_scores": _spread(finished),
            "model_folder": str(self.layout.best) if self.layout.best.is_dir() else None,
        }

    def _state(self, going: int) -> str:
        kinds = [kind for kind, _, _ in self.database.events()]
        run = [k for k in kinds if k in {"started", "finished", "interrupted", "stopped"}]
        last = run[-1] if run else "prepared"
        if last == "started":
            return "running or killed"
        return last if last != "finished" or not going else "resumable"

    def _best(self) -> dict[str, Any] | None:
        if self.winner is None:
            return None
        curve, evaluation = self.winner.curve, self.winner.evaluation
        seeds = {k: getattr(curve.seeds, k) for k in ("init", "order", "dropout")}
        return {
            "trial": curve.trial,
            "seeds": seeds,
            "score": evaluation.score,
            "loss": evaluation.loss,
            "scores": dict(evaluation.scores),
            "step": evaluation.step,
            "progress": evaluation.progress,
        }

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def _spread(scores: list[float]) -> dict[str, float | int | None]:
    """Say count, median, standard deviation and range of ``scores``."""
    return {
        "count": len(scores),
        "median": statistics.median(scores) if scores else None,
        "sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "lowest": min(scores, default=None),
        "highest": max(scores, default=None),
    }
