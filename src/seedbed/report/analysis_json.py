"""An analysis as plain values: the JSON of ``seedbed analyze``, whose keys are a contract."""

from __future__ import annotations

from typing import Any

from seedbed.report.analysis import Analysis, EarlyLate
from seedbed.report.plain import plain
from seedbed.stats.best_intervals import best_of_compute
from seedbed.stats.seed_tests import SeedTest
from seedbed.stats.variance import Component

SURE = 0.9
"""``earliest``: where the winner is kept with this probability."""


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """Give the analysis as one JSON object; None stands for what the curves cannot say."""
    recording, optimism = analysis.recording, analysis.optimism
    found: dict[str, Any] = {
        "source": recording.name,
        "metric": recording.metric,
        "majority_score": recording.majority,
        "confidence": analysis.settings.confidence,
        "trials": {
            "started": recording.started,
            "finished": len(recording.finished),
            "failed": analysis.failed_count,
            "collapsed": None if analysis.collapsed is None else len(analysis.collapsed.trials),
            "diverged": len(recording.diverged),
            "unfinished": recording.unfinished,
        },
        "spent": recording.spent,
        "failed_trials": _failed(analysis),
        "expected_best": _best(analysis),
        "expected_best_method": None if analysis.best is None else analysis.best.method,
        "variance": _variance(analysis),
        "validation_noise": None if analysis.noise is None else analysis.noise,
        "tests": {"init": _test(analysis.init_test), "order": _test(analysis.order_test)},
        "early_late": _early_late(analysis.early_late),
        "optimism": None,
        "warnings": analysis.warnings,
    }
    if optimism is not None:
        found["optimism"] = {
            "trial": optimism.trial,
            "score": optimism.score,
            "honest": optimism.honest,
            "lower": optimism.lower,
            "upper": optimism.upper,
            "best_of": [
                {"n": n, "optimism": o} for n, o in zip(optimism.ns, optimism.optimism, strict=True)
            ],
        }
    return dict(plain(found))


def _failed(analysis: Analysis) -> list[dict[str, Any]]:
    """List failed and collapsed trials with their seeds, and from when on it was visible."""
    flat = set() if analysis.collapsed is None else set(analysis.collapsed.trials)
    rows = []
    for k, curve in enumerate(analysis.recording.curves):
        failed = analysis.failed is not None and bool(analysis.failed.failed[k])
        diverged = curve.trial in analysis.recording.diverged
        if not (failed or diverged or curve.trial in flat):
            continue
        since = -1 if analysis.failed is None else int(analysis.failed.visible_from[k])
        visible = 0 <= since < len(curve.evaluations)
        rows.append(
            {
                "trial": curve.trial,
                "init": curve.seeds.init,
                "order": curve.seeds.order,
                "failed": failed if analysis.failed is not None else None,
                "diverged": diverged,
                "collapsed": None if analysis.collapsed is None else curve.trial in flat,
                "visible_at": curve.evaluations[since].progress if visible else None,
            }
        )
    return rows


def _best(analysis: Analysis) -> list[dict[str, Any]]:
    best = analysis.best
    if best is None:
        return []
    seconds_T = analysis.recording.seconds
    known = analysis.recording.has_seconds and bool((seconds_T > 0).all())
    seconds_K = best_of_compute(best, seconds_T).costs if known else [None] * len(best.ns)
    columns = (best.ns, best.estimate, best.lower, best.upper, best.trusted, seconds_K)
    return [
        {
            "n": n,
            "estimate": estimate,
            "lower": lower,
            "upper": upper,
            "trusted": trusted,
            "cost": float(n),
            "seconds": seconds,
        }
        for n, estimate, lower, upper, trusted, seconds in zip(*columns, strict=True)
    ]


def _variance(analysis: Analysis) -> dict[str, Any]:
    parts, noise = analysis.variance, analysis.noise
    return {
        "init": None if parts is None else _component(parts.init),
        "order": None if parts is None else _component(parts.order),
        "rest": None if parts is None else _component(parts.rest),
        "total": analysis.total_variance,
        "validation_noise": None if noise is None else noise.noise_sd**2,
        "method": None if parts is None else parts.method,
    }


def _component(part: Component) -> dict[str, Any]:
    return {
        "variance": part.variance,
        "share": part.share,
        "lower": part.lower,
        "upper": part.upper,
        "share_lower": part.share_lower,
        "share_upper": part.share_upper,
        "negative": part.negative,
    }


def _test(test: SeedTest | None) -> dict[str, Any] | None:
    if test is None:
        return None
    pair = test.best_vs_worst
    return {
        "f": test.f,
        "df_between": test.df_between,
        "df_error": test.df_error,
        "p_f": test.p_f,
        "p_permutation": test.p_permutation,
        "permutations": test.permutations,
        "best_vs_worst": {
            "best": pair.best,
            "worst": pair.worst,
            "p_classical": pair.p_classical,
            "p_corrected": pair.p_corrected,
            "note": "p_classical: chosen after looking",
        },
    }


def _early_late(found: EarlyLate) -> dict[str, Any]:
    pairs, kept = found.correlations, found.kept
    return {
        "progress": found.progress_E,
        "spearman": None if pairs is None else pairs.spearman,
        "spearman_lower": None if pairs is None else pairs.lower,
        "spearman_upper": None if pairs is None else pairs.upper,
        "spearman_method": None if pairs is None else pairs.method,
        "started": None if kept is None else kept.started,
        "winner_kept": []
        if kept is None
        else [
            {"progress": progress, "keep": keep, "probability": kept.probability[e, k]}
            for e, progress in enumerate(found.progress_E)
            for k, keep in enumerate(kept.keeps)
        ],
        "earliest": []
        if kept is None
        else [
            {
                "keep": keep,
                "probability": SURE,
                "progress": None
                if (e := kept.earliest(int(keep), SURE)) is None
                else found.progress_E[e],
            }
            for keep in kept.keeps
        ],
    }
