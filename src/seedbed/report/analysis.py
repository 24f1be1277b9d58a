"""The account of a study's luck: every estimate that its curves allow, and what to doubt.

      Recording ─▶ counts, expected best, variance, tests, early and late, optimism ─▶ Analysis
                        what an estimate cannot be made of is None, and a warning says why

Legend: T finished trials, E evaluations, K values of n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seedbed.report.doubts import warnings_of
from seedbed.report.predictions import Collapsed, collapsed, optimism, validation_noise
from seedbed.report.recording import Floats, Ints, Recording
from seedbed.stats.best_intervals import BestOfN, best_of_n
from seedbed.stats.early_late import (
    RankCorrelations,
    WinnerKept,
    rank_correlations,
    winner_kept,
)
from seedbed.stats.failed import FailedTrials, failed_trials
from seedbed.stats.layout import two_way
from seedbed.stats.optimism import Optimism
from seedbed.stats.seed_tests import SeedTest, seed_test
from seedbed.stats.validation_noise import ValidationNoise
from seedbed.stats.variance import VarianceComponents, variance_components

SMALL_N = 20
"""Up to here the expected best is given for every n, beyond for a few."""

MOST_STARTED = 20
FEWEST_RANKED = 4
KEEPS = (1, 2, 3, 5, 10, 15)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How intervals and p-values are made; ``seed`` settles whatever is drawn at random."""

    confidence: float = 0.95
    resamples: int = 1_000
    permutations: int = 2_000
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class EarlyLate:
    """Early against late scores at ``progress_E``; None for what too few trials can tell."""

    progress_E: Floats
    correlations: RankCorrelations | None
    kept: WinnerKept | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """What a recording's curves say; None for what they cannot say."""

    recording: Recording
    settings: Settings
    failed: FailedTrials | None
    collapsed: Collapsed | None
    best: BestOfN | None
    total_variance: float | None
    variance: VarianceComponents | None
    noise: ValidationNoise | None
    init_test: SeedTest | None
    order_test: SeedTest | None
    early_late: EarlyLate
    optimism: Optimism | None
    warnings: tuple[str, ...]

    @property
    def failed_count(self) -> int | None:
        """How many trials failed; None where the majority class's score is not known."""
        return None if self.failed is None else self.failed.count


def analyze(recording: Recording, settings: Settings | None = None) -> Analysis:
    """Make every estimate of ``methods`` that the recording allows.

    Final scores are those of finished trials, each its best over its whole curve. A full
    grid of seeds is analysed as one (crossed bootstrap, mean squares), a grid with holes by
    REML, trials whose seeds never repeat as independent ones; each result names its method.
    """
    settings = settings or Settings()
    finals_T = recording.finals
    crossed = len(finals_T) > 0 and two_way(finals_T, recording.inits, recording.orders).crossed
    failed, flat = _failed(recording), collapsed(recording)
    variance = _variance(recording, settings) if crossed else None
    noise = validation_noise(recording, resamples=settings.resamples, seed=settings.seed)
    tests = {factor: _test(recording, factor, settings) if crossed else None for factor in FACTORS}
    best, early_late = _best(recording, settings), _early_late(recording, settings)
    honest = optimism(recording, confidence=settings.confidence, seed=settings.seed)
    return Analysis(
        recording=recording,
        settings=settings,
        failed=failed,
        collapsed=flat,
        best=best,
        total_variance=_total(finals_T, variance),
        variance=variance,
        noise=noise,
        init_test=tests["init"],
        order_test=tests["order"],
        early_late=early_late,
        optimism=honest,
        warnings=warnings_of(
            recording,
            crossed=crossed,
            failed=None if failed is None else failed.count,
            collapsed=None if flat is None else len(flat.trials),
            best=best,
            variance=variance,
            noise=noise,
        ),
    )


FACTORS: tuple[Literal["init", "order"], ...] = ("init", "order")


def _failed(recording: Recording) -> FailedTrials | None:
    """Find failed trials; None where the majority class's score is not known."""
    if recording.majority is None or not recording.curves:
        return None
    longest = max(1, *(len(c.evaluations) for c in recording.curves))
    scores_SE = np.full((recording.started, longest), np.nan)
    for s, curve in enumerate(recording.curves):
        scores_SE[s, : len(curve.evaluations)] = [e.score for e in curve.evaluations]
    finished = {curve.trial for curve in recording.finished}
    return failed_trials(
        scores_SE,
        majority=recording.majority,
        finished=np.array([c.trial in finished for c in recording.curves]),
        diverged=np.array([c.trial in recording.diverged for c in recording.curves]),
    )


def numbers_of_trials(trials: int) -> Ints:
    """Choose the n whose expected best is given: all up to 20, then ever fewer, and all."""
    if trials <= SMALL_N:
        return np.arange(1, trials + 1)
    wide = np.geomspace(SMALL_N, trials, num=16).round().astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, SMALL_N + 1), wide, [trials]]))


def _best(recording: Recording, settings: Settings) -> BestOfN | None:
    finals_T = recording.finals
    if not len(finals_T):
        return None
    low, high = recording.score_range
    if not low <= finals_T.min() <= finals_T.max() <= high:
        low, high = -np.inf, np.inf  # not on the metric's usual scale, percent perhaps
    return best_of_n(
        finals_T,
        numbers_of_trials(len(finals_T)),
        init=recording.inits,
        order=recording.orders,
        support=(low, high),
        confidence=settings.confidence,
        resamples=settings.resamples,
        seed=settings.seed,
    )


def _variance(recording: Recording, settings: Settings) -> VarianceComponents:
    return variance_components(
        recording.finals,
        recording.inits,
        recording.orders,
        confidence=settings.confidence,
        seed=settings.seed,
    )


def _total(finals_T: Floats, variance: VarianceComponents | None) -> float | None:
    """Give the variance of one trial's score: the components' sum, else that of the sample."""
    if variance is not None:
        return variance.total
    return float(finals_T.var(ddof=1)) if len(finals_T) > 1 else None


def _test(
    recording: Recording, factor: Literal["init", "order"], settings: Settings
) -> SeedTest | None:
    return seed_test(
        recording.finals,
        recording.inits,
        recording.orders,
        factor=factor,
        permutations=settings.permutations,
        seed=settings.seed,
    )


def _early_late(recording: Recording, settings: Settings) -> EarlyLate:
    grid = recording.grid
    if grid is None:
        return EarlyLate(progress_E=np.empty(0), correlations=None, kept=None)
    trials = len(recording.finals)
    started = min(MOST_STARTED, trials // 2)
    correlations = kept = None
    if trials >= FEWEST_RANKED:
        correlations = rank_correlations(
            grid.best_TE,
            init=recording.inits,
            order=recording.orders,
            confidence=settings.confidence,
        )
    if started >= 2:
        kept = winner_kept(
            grid.best_TE,
            started=started,
            keeps=[keep for keep in KEEPS if keep < started],
            losses=grid.loss_TE,
        )
    return EarlyLate(progress_E=grid.progress_E, correlations=correlations, kept=kept)
