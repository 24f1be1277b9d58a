"""Are the same init seeds good on several tasks?

Legend: K tasks, I init seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedbed.report.plain import plain
from seedbed.report.recording import Recording
from seedbed.stats.seed_tests import Concordance, kendall_w


@dataclass(frozen=True, kw_only=True)
class AcrossTasks:
    """Kendall's W over the init seeds that every task has; ``result`` None where too few."""

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    result: Concordance | None
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Give the agreement as plain values, seeds best first."""
        found = self.result
        ranks = [] if found is None else list(zip(self.seeds, found.mean_ranks, strict=True))
        return dict(
            plain(
                {
                    "tasks": self.tasks,
                    "kendall_w": None if found is None else found.w,
                    "p_permutation": None if found is None else found.p_permutation,
                    "init_seeds": [
                        {"init": seed, "mean_rank": rank}
                        for seed, rank in sorted(ranks, key=lambda pair: (pair[1], pair[0]))
                    ],
                    "warnings": self.warnings,
                }
            )
        )


def across_tasks(
    recordings: Sequence[tuple[str, Recording]], *, permutations: int = 10_000, seed: int = 0
) -> AcrossTasks:
    """Ask whether tasks agree about which init seeds are good (Kendall's W).

    A seed's score on a task is its mean over the order seeds that met every common init
    seed there, so that missing trials favour nobody.
    """
    tasks = tuple(task for task, _ in recordings)
    inits = [set(recording.inits.tolist()) for _, recording in recordings]
    common = sorted(set.intersection(*inits)) if inits else []
    warnings = []
    everywhere = set.union(*inits) if inits else set()
    if len(common) < len(everywhere):
        warnings.append(
            f"{len(common)} of {len(everywhere)} init seeds finished on every task; only these "
            "are compared"
        )
    means = [_means(recording, common) for _, recording in recordings]
    if len(common) < 2 or any(mean is None for mean in means):
        warnings.append(
            "fewer than two init seeds finished with common order seeds on every task: whether "
            "tasks agree about good seeds cannot be said"
        )
        return AcrossTasks(tasks=tasks, seeds=(), result=None, warnings=tuple(warnings))
    result = kendall_w(np.array(means), permutations=permutations, seed=seed)
    return AcrossTasks(tasks=tasks, seeds=tuple(common), result=result, warnings=tuple(warnings))


def _means(recording: Recording, inits: Sequence[int]) -> list[float] | None:
    """Give each init seed's mean over the order seeds that all of ``inits`` finished with."""
    if not inits:
        return None
    scores: dict[int, dict[int, list[float]]] = {init: {} for init in inits}
    cells = zip(recording.inits.tolist(), recording.orders.tolist(), recording.finals, strict=True)
    for init, order, score in cells:
        if init in scores:
            scores[init].setdefault(order, []).append(float(score))
    shared = set.intersection(*(set(by_order) for by_order in scores.values()))
    if not shared:
        return None
    return [
        float(np.mean([np.mean(scores[init][order]) for order in sorted(shared)])) for init in inits
    ]
