"""Replay of any policy: recorded curves are played through the code that runs live.

      draw trials ─▶ reveal evaluations ─▶ judge ─▶ continue │ stop, finish │ pause
                            ▲                                                  │
                            └──────── continue ◀── select ◀── all others wait ─┘

Axes: S samples, B bootstrap draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from seedbed.core.curves import Curve
from seedbed.core.errors import InputError, SeedbedError
from seedbed.core.streams import derive
from seedbed.core.work import Decision, Policy, Verdict
from seedbed.stopping.recorded import Floats, Integers, Recorded, as_recorded
from seedbed.stopping.replay import Replay, baseline, check_draws, summary
from seedbed.stopping.resample import resamples

SAMPLES_A_DRAW = 20
"""Plays for each bootstrap draw; their own noise is taken off the variance."""


def replay_policy(
    curves: Recorded | Iterable[Curve],
    policy: Policy,
    *,
    samples: int = 1000,
    draws: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
) -> Replay:
    """Play ``policy`` on random choices of the finished ones of ``curves``.

    Each sample draws as many trials as the policy starts, without replacement, and reveals
    their evaluations to it. Its result is the best score revealed of any trial, its cost
    the training revealed, in full trials. ``standard_error`` is that of the mean over
    ``samples``; the interval covers it and which trials were recorded (``draws`` bootstrap
    draws). All from ``seed``.

    Raises InputError where the policy cannot be played on these trials.
    """
    recorded = as_recorded(curves)
    if samples < 2:
        raise InputError("too few samples", where="samples", given=samples, allowed="2, 3, ...")
    player = _Player(recorded, policy)
    everyone = np.arange(len(recorded))
    result_S, cost_S = player.sample(everyone, samples, _generator(seed, "play"))
    cost = float(cost_S.mean())
    error = float(result_S.std(ddof=1) / math.sqrt(samples))

    generator = _generator(seed, "resample trials")
    places_BT = resamples(recorded, check_draws(draws), generator)
    expected_B, noise_B = np.empty(draws), np.empty(draws)
    for b, places_T in enumerate(places_BT):
        drawn_S, _ = player.sample(places_T, SAMPLES_A_DRAW, generator)
        expected_B[b], noise_B[b] = drawn_S.mean(), drawn_S.var(ddof=1) / SAMPLES_A_DRAW
    base_B = baseline(recorded.finals[places_BT], cost)
    return summary(
        recorded,
        expected=float(result_S.mean()),
        cost=cost,
        base=float(baseline(recorded.finals[None, :], cost)[0]),
        drawn=(expected_B, base_B),
        start=policy.starts(len(recorded)),
        noise=float(noise_B.mean()),
        confidence=confidence,
        standard_error=error,
    )


def play(recorded: Recorded, policy: Policy, places: Integers) -> tuple[float, float]:
    """Play ``policy`` once, with the trials at ``places`` (ascending) as all it starts.

    Gives the best score revealed and the cost in full-trial equivalents.
    """
    return _Player(recorded, policy).play(places)


def _generator(seed: int, role: str) -> np.random.Generator:
    return np.random.default_rng(derive(seed, role))


class _Player:
    """Plays one policy again and again; remembers what it said about each curve.

    It may: a policy is pure, and ``judge`` sees nothing but the trial's own curve.
    """

    def __init__(self, recorded: Recorded, policy: Policy) -> None:
        self.recorded, self.policy = recorded, policy
        self.halts: dict[tuple[int, int], tuple[int, Decision]] = {}

    def sample(
        self, places_N: Integers, samples: int, generator: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Play ``samples`` random choices of ``places_N``: results and costs, each [S]."""
        starts = self.policy.starts(len(places_N))
        played = [
            self.play(np.sort(generator.choice(places_N, starts, replace=False)))
            for _ in range(samples)
        ]
        return np.array([r for r, _ in played]), np.array([c for _, c in played])

    def play(self, places: Integers) -> tuple[float, float]:
        """Play once: the best score revealed and the cost in full trials."""
        trials = [int(i) for i in places]
        seen = [0] * len(trials)
        running, paused = list(range(len(trials))), list[int]()
        while running or paused:
            for slot in running:
                seen[slot], decision = self._until_halt(trials[slot], seen[slot])
                if decision is Decision.PAUSE:
                    paused.append(slot)
            verdicts = self._select(trials, seen, sorted(paused)) if paused else {}
            running = [s for s, v in verdicts.items() if v.decision is Decision.CONTINUE]
            paused = [s for s in paused if s not in verdicts]
        last = np.array(seen) - 1
        result = self.recorded.best_TE[places, last].max()
        return float(result), float(self.recorded.progress_E[last].sum())

    def _until_halt(self, trial: int, seen: int) -> tuple[int, Decision]:
        """Reveal evaluations from ``seen`` on until the policy does not say continue."""
        if (trial, seen) not in self.halts:
            curve, upto, decision = self.recorded.curves[trial], seen, Decision.FINISH
            while upto < len(curve.evaluations):
                upto += 1
                shown = Curve(curve.trial, curve.seeds, curve.evaluations[:upto])
                decision = self.policy.judge(shown).decision
                if decision is not Decision.CONTINUE:
                    break
            if upto == len(curve.evaluations) and decision is Decision.CONTINUE:
                decision = Decision.FINISH
            self.halts[trial, seen] = upto, decision
        return self.halts[trial, seen]

    def _select(self, trials: list[int], seen: list[int], paused: list[int]) -> dict[int, Verdict]:
        """Ask the policy about the paused slots; slots are the trials' numbers here.

        The slots stand in the order of the trials' own numbers, so ties fall as they would
        live, and a trial drawn twice by the bootstrap is two trials.
        """
        shown = [
            Curve(slot, self.recorded.curves[i].seeds, self.recorded.curves[i].evaluations[:k])
            for slot, (i, k) in enumerate(zip(trials, seen, strict=True))
        ]
        verdicts = self.policy.select([shown[slot] for slot in paused], shown)
        known = {slot: v for slot, v in verdicts.items() if slot in paused}
        if not known:
            raise SeedbedError("the policy gave no verdict on any of the paused trials")
        return known
