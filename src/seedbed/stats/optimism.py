"""Is the best really that good? The best of N on the validation split flatters itself.

Legend: R rows (a row is one evaluation of one trial), T trials, M examples, S splits,
K values of n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from seedbed.stats._checks import Floats, Ints, count, labels, share, whole
from seedbed.stats.expected_best import best_weights
from seedbed.stats.scorers import Scorer, whole_split

BATCH_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class Optimism:
    """How much the best of n trials on a validation split flatters, and the honest estimate.

    ``selected`` and ``held_out`` (K numbers each): what the best of n scores, on average, on
    the examples that chose it and on the others. ``optimism`` (K): what that makes for the
    whole validation split. ``row`` and ``trial`` are the winner on the whole split, with
    ``score`` there; ``honest`` is that less the optimism of the best of all T.
    """

    ns: Ints
    selected: Floats
    held_out: Floats
    optimism: Floats
    row: int
    trial: object
    score: float
    honest: float
    lower: float
    upper: float
    confidence: float
    splits: int
    selection_share: float


def best_of_n_optimism(
    scorer: Scorer,
    *,
    trial: ArrayLike,
    examples: int,
    ns: ArrayLike | None = None,
    splits: int = 200,
    selection_share: float = 0.5,
    confidence: float = 0.95,
    seed: int = 0,
) -> Optimism:
    """Estimate the optimism of the best of n by splitting the examples again and again.

    Each split takes a share of the examples, finds every trial's best evaluation there and
    the best of n trials by it, and scores that same evaluation on the other examples. The
    mean over all subsets of n trials is exact (the weights of ``expected_best``); equal
    scores count as drawn at random.

    The held-out score estimates without bias what the best of n, chosen on that share of
    the examples, does on new ones. The luck of a choice shrinks as 1 / sqrt(examples), so
    on the whole split

        optimism = (selected - held_out) * sqrt(selection_share),

    which errs to the careful side where trials really differ (their luck then shrinks
    faster). The interval of ``honest`` is the luck of the M examples, which is also that of
    which trial wins: the larger of the standard error of the winner's score (delete-d
    jackknife, Shao, Wu 1989) and of the held-out score of the best (corrected for overlapping
    splits, Nadeau, Bengio 2003), normal quantile. It covers the winner's score on new data in
    93-99 % of studies with the default share.

    Args:
        scorer: scores of R rows on weighted examples (``scorers``).
        trial: R labels, which trial each row belongs to.
        examples: M.
        ns: the numbers of trials, each 1..T; default: 1..T.
        splits: S >= 2.
        selection_share: share of the examples that select, between 0 and 1.
        confidence: of the interval of ``honest``.
        seed: of the splits.

    Raises:
        ValueError: for wrong arguments.

    Reference: Cawley, Talbot (2010), On over-fitting in model selection, JMLR 11; Dodge et
    al. (2020); Jordan (2024).
    """
    count("examples", examples, low=2)
    count("splits", splits, low=2)
    share("selection_share", selection_share)
    share("confidence", confidence)
    scores_R = scorer(whole_split(examples))[:, 0]
    labels_R = labels("trial", trial, length=len(scores_R))
    trials, trial_R = np.unique(labels_R, return_inverse=True)
    ns_K = np.arange(1, len(trials) + 1) if ns is None else whole("ns", ns, low=1, high=len(trials))
    weights_KT = best_weights(len(trials), ns_K)

    rng = np.random.default_rng(seed)
    selecting = min(max(round(selection_share * examples), 1), examples - 1)
    batch = max(1, BATCH_NUMBERS // max(len(scores_R), examples))
    sums = np.zeros((2, len(ns_K)))
    of_row, of_best, flattery = [], [], 0.0
    row = int(scores_R.argmax())
    for start in range(0, splits, batch):
        size = min(batch, splits - start)
        order_SM = rng.permuted(np.tile(np.arange(examples), (size, 1)), axis=1)
        chosen_SM = (order_SM < selecting).astype(np.float64)
        inside_SR = scorer(chosen_SM).T
        of_row.append(inside_SR[:, row])
        inside_ST, outside_ST = _best_evaluations(inside_SR, scorer(1.0 - chosen_SM).T, trial_R)
        inside_ST, outside_ST = _by_rank(inside_ST, outside_ST)
        sums += np.stack([inside_ST.sum(axis=0), outside_ST.sum(axis=0)]) @ weights_KT.T
        of_best.append(outside_ST[:, -1])
        flattery += float((inside_ST[:, -1] - outside_ST[:, -1]).sum())

    score = float(scores_R[row])
    shrink = float(np.sqrt(selecting / examples))
    honest = score - shrink * flattery / splits
    error = _standard_error(np.concatenate(of_row), np.concatenate(of_best), selecting / examples)
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return Optimism(
        ns=ns_K,
        selected=sums[0] / splits,
        held_out=sums[1] / splits,
        optimism=shrink * (sums[0] - sums[1]) / splits,
        row=row,
        trial=labels_R[row].item(),
        score=score,
        honest=honest,
        lower=honest - half,
        upper=honest + half,
        confidence=confidence,
        splits=splits,
        selection_share=selecting / examples,
    )


def _best_evaluations(
    inside_SR: Floats, outside_SR: Floats, trial_R: Ints
) -> tuple[Floats, Floats]:
    """Give each trial's best score inside, and the score outside of the same evaluation.

    Of several equally good evaluations the mean outside: as if drawn at random.
    """
    order_R = np.argsort(trial_R, kind="stable")
    starts_T = np.searchsorted(trial_R[order_R], np.arange(int(trial_R.max()) + 1))
    inside_SR, outside_SR = inside_SR[:, order_R], outside_SR[:, order_R]
    best_ST = np.maximum.reduceat(inside_SR, starts_T, axis=1)
    is_best_SR = inside_SR == best_ST[:, trial_R[order_R]]
    sums_ST = np.add.reduceat(outside_SR * is_best_SR, starts_T, axis=1)
    return best_ST, sums_ST / np.add.reduceat(is_best_SR, starts_T, axis=1, dtype=np.int64)


def _by_rank(inside_ST: Floats, outside_ST: Floats) -> tuple[Floats, Floats]:
    """Sort each split's trials by their score inside; equal ones share their mean outside."""
    order_ST = np.argsort(inside_ST, axis=1, kind="stable")
    inside_ST = np.take_along_axis(inside_ST, order_ST, axis=1)
    outside_ST = np.take_along_axis(outside_ST, order_ST, axis=1)
    new_ST = np.ones(inside_ST.shape, dtype=np.bool_)
    new_ST[:, 1:] = inside_ST[:, 1:] != inside_ST[:, :-1]
    group_N = np.cumsum(new_ST.reshape(-1)) - 1
    means_G = np.bincount(group_N, weights=outside_ST.reshape(-1)) / np.bincount(group_N)
    return inside_ST, means_G[group_N].reshape(outside_ST.shape)


def _standard_error(of_row_S: Floats, of_best_S: Floats, kept: float) -> float:
    """Give the standard error of the winner's honest score from its spread over splits.

    ``of_row_S``: the winner's score on the selecting examples, a share ``kept`` of all. The
    variance of such a part is (1 - kept) / kept times that of all examples as a sample.
    ``of_best_S``: the held-out score of each split's own winner; its mean over splits has the
    variance of one times 1/S plus the ratio of held-out to selecting examples.
    """
    ratio = (1.0 - kept) / kept
    winner = of_row_S.var(ddof=1) / ratio
    choice = of_best_S.var(ddof=1) * (1.0 / len(of_best_S) + ratio)
    return float(np.sqrt(max(winner, choice)))
