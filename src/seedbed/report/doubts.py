"""Which assumptions the curves break, in plain words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from seedbed.report.recording import Recording
from seedbed.stats.best_intervals import BestOfN
from seedbed.stats.layout import two_way
from seedbed.stats.validation_noise import ValidationNoise
from seedbed.stats.variance import VarianceComponents

FEW_SEEDS = 5
FEW_TRIALS = 10
LOWER_IS_BETTER = ("loss", "error", "perplexity", "nll", "mse", "mae", "rmse")


def warnings_of(
    recording: Recording,
    *,
    crossed: bool,
    failed: int | None,
    collapsed: int | None,
    best: BestOfN | None,
    variance: VarianceComponents | None,
    noise: ValidationNoise | None,
) -> tuple[str, ...]:
    """Say what a reader of the analysis must know before trusting it."""
    return (
        *recording.warnings,
        *_about_metric(recording),
        *_about_trials(recording, failed, collapsed),
        *_about_seeds(recording, crossed=crossed),
        *_about_curves(recording),
        *_about_ties(recording),
        *_about_best(recording, best),
        *_about_variance(variance, noise),
    )


def counted(trials: int) -> str:
    """Say how many trials."""
    return "1 trial" if trials == 1 else f"{trials} trials"


def _about_metric(recording: Recording) -> Iterator[str]:
    words = recording.metric.lower().replace("-", "_").split("_")
    if recording.metric == "loss":
        yield "the loss is shown negated, so that larger is better: -0.3 is a loss of 0.3"
    elif any(word in words for word in LOWER_IS_BETTER):
        yield (
            f"{recording.metric} sounds like a metric whose smaller values are better; here "
            "larger values count as better: negate the column if that is wrong"
        )


def _about_trials(recording: Recording, failed: int | None, collapsed: int | None) -> Iterator[str]:
    finished, started = len(recording.finished), recording.started
    if recording.unfinished:
        said = (
            f"final scores are those of the {finished} finished of {counted(started)} started; "
            f"{recording.unfinished} did not reach the end of training"
        )
        if recording.chosen and finished:
            said += (
                ". A stopping rule chose which trials finish, so these scores are better and "
                "closer together than those of all trials would be"
            )
        elif recording.chosen is None and finished:
            said += ". If a rule stopped the weak ones, the scores look better than they are"
        yield said
    if recording.diverged:
        yield (
            f"{counted(len(recording.diverged))} diverged (NaN or infinite) and got no final "
            "score: estimates of final scores are for trials that do not diverge"
        )
    if not finished:
        yield "no trial was trained to the end: there are no final scores to analyse"
    elif finished < FEW_TRIALS:
        yield f"only {counted(finished)} finished: too few to say much about the spread"
    if failed is None and finished:
        yield (
            "the majority class's score is not known, so failed trials cannot be counted "
            "(give it with --majority)"
        )
    elif failed and failed > len(recording.diverged):
        yield (
            f"{failed} of {counted(started)} failed (no better than always answering the majority "
            "class), part of the spread below"
        )
    if collapsed:
        yield f"one class predicted for every validation example: {counted(collapsed)}"


def _about_seeds(recording: Recording, *, crossed: bool) -> Iterator[str]:
    if not recording.finished:
        return
    inits, orders = len(set(recording.inits.tolist())), len(set(recording.orders.tolist()))
    layout = two_way(recording.finals, recording.inits, recording.orders)
    if crossed:
        if not layout.balanced:
            held, cells = int((layout.counts > 0).sum()), layout.counts.size
            yield (
                f"the grid of seeds is not full ({held} of {cells} cells, {layout.trials} "
                "trials): the spread is split by REML, which takes the missing trials as "
                "missing by chance"
            )
        if min(inits, orders) < FEW_SEEDS:
            yield (
                f"few seeds ({inits} init, {orders} order): the variance of init and of order is "
                "known only roughly"
            )
    elif len(recording.finished) > 1:
        one = [name for name, n in (("init", inits), ("order", orders)) if n == 1]
        why = f"only one {' and one '.join(one)} seed" if one else "their seeds do not cross"
        yield (
            f"{why}: what init, order and the rest add to the spread cannot be told apart "
            "(run every init seed with every order seed, at least two of each)"
        )


def _about_curves(recording: Recording) -> Iterator[str]:
    grid = recording.grid
    if grid is None:
        return
    if not grid.same:
        lengths = [len(curve.evaluations) for curve in recording.finished]
        starts = sorted({round(c.evaluations[0].progress, 6) for c in recording.finished})
        said = f"{min(lengths)} to {max(lengths)} evaluations"
        if len(starts) > 1:
            said += f", the first between {starts[0]:g} and {starts[-1]:g} of training"
        yield (
            f"trials were not all evaluated at the same points ({said}): early and late are "
            f"compared at the {len(grid.progress_E)} points that all have, and who is evaluated "
            "more often has more chances at a high best score"
        )
    elif len(grid.progress_E) == 1:
        yield "one evaluation a trial: nothing can be said about early and late scores"


def _about_ties(recording: Recording) -> Iterator[str]:
    finals = recording.finals
    tied = sum(n for n in Counter(finals.tolist()).values() if n > 1)
    if len(finals) > 1 and tied * 2 >= len(finals):
        by = "the lower loss" if recording.has_loss else "the smaller trial number (no loss given)"
        yield (
            f"ties: {tied} of {len(finals)} final scores equal another one; ranks between them "
            f"go to {by}"
        )


def _about_best(recording: Recording, best: BestOfN | None) -> Iterator[str]:
    if best is None:
        return
    if not np.isfinite(best.upper).all():
        why = (
            "the scores do not lie in the metric's usual or given range"
            if math.isfinite(recording.score_range[1])
            else "the largest possible score of the metric is not known"
        )
        yield f"{why}, so intervals of the expected best have no upper end (give it with --range)"
    if not best.trusted.all():
        most = int(best.ns[best.trusted].max(initial=1))
        yield (
            f"with so few seeds the intervals of the expected best hold up to n = {most}; "
            "beyond they are only a hint"
        )


def _about_variance(
    variance: VarianceComponents | None, noise: ValidationNoise | None
) -> Iterator[str]:
    if variance is not None:
        below = [n for n in ("init", "order") if getattr(variance, n).negative]
        if below:
            yield f"the estimated variance of {' and '.join(below)} is below zero and shown as 0"
    if noise is not None and noise.noise_sd > 0 and noise.real_sd < noise.noise_sd:
        yield (
            f"the validation split ({noise.examples} examples) is too small for the differences "
            f"at hand: its luck alone spreads trials by {noise.noise_sd:.4f} (standard "
            f"deviation), real differences by {noise.real_sd:.4f}"
        )
