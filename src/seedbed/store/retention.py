"""Which checkpoint files stay: full state for trials that may go on, the best few's weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from seedbed.core.curves import Curve, rank
from seedbed.store.database import FileFact


@dataclass(frozen=True, slots=True)
class Retention:
    """The rule: weights of the ``keep_best`` best trials, state within ``budget_bytes``."""

    keep_best: int
    budget_bytes: int | None = None

    def superfluous(
        self,
        files: Collection[FileFact],
        curves: Mapping[int, Curve],
        resting: Sequence[int],
        running: Collection[int],
    ) -> list[tuple[FileFact, str]]:
        """Say which ``files`` can go, each with the reason.

        ``running`` trials are being trained, ``resting`` ones may be taken up again; of
        both the latest full state stays. Beyond the budget the states of resting trials
        go, the worst trial's first: they can be recomputed from their seeds.
        """
        best = self._best_weights(curves.values())
        alive = set(resting) | set(running)
        states = latest_states(files)
        kept = {id for t, pair in states.items() if t in alive for id in (f.id for f in pair)}
        kept |= {f.id for f in files if f.kind == "weights" and best.get(f.trial) == f.step}
        gone = [(f, "no longer needed") for f in files if f.id not in kept]
        if self.budget_bytes is None:
            return gone
        total = sum(f.bytes for f in files if f.id in kept)
        worst_first = reversed(rank([curves[t] for t in resting if t not in running]))
        for curve in worst_first:
            if total <= self.budget_bytes:
                break
            for file in states.get(curve.trial, ()):
                if not (file.kind == "weights" and best.get(file.trial) == file.step):
                    gone.append((file, "disk budget; the trial is recomputed if it goes on"))
                    total -= file.bytes
        return gone

    def _best_weights(self, curves: Iterable[Curve]) -> dict[int, int]:
        """Give the step of the best evaluation of each of the best trials."""
        best = {}
        for curve in rank(list(curves))[: self.keep_best]:
            evaluation = curve.best()
            if evaluation is not None:
                best[curve.trial] = evaluation.step
        return best


def latest_states(files: Iterable[FileFact]) -> dict[int, tuple[FileFact, FileFact]]:
    """Give each trial's latest full state: its (weights, optimizer) files of one step."""
    parts: dict[tuple[int, int], dict[str, FileFact]] = {}
    for file in files:
        parts.setdefault((file.trial, file.step), {})[file.kind] = file
    states: dict[int, tuple[FileFact, FileFact]] = {}
    for (trial, _), kinds in sorted(parts.items(), key=lambda item: item[0]):
        if len(kinds) == 2:
            states[trial] = (kinds["weights"], kinds["optimizer"])
    return states
