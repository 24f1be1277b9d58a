"""The model card: what a model is, best of how many, and how far to trust it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedbed.api.recordings import Source, recording
from seedbed.api.study import Study
from seedbed.core.seeds import Seeds
from seedbed.core.spec import Spec
from seedbed.core.units import duration
from seedbed.report.predictions import optimism
from seedbed.stats.optimism import Optimism

CONFIDENCE = 0.95


def card(study: Study, made: Mapping[str, object] | None = None) -> str:
    """Say in Markdown what the model is; ``made``: rows on a model of several trials."""
    status = study.status()
    best = status["best"]
    honest = optimism(recording(Source(path=study.layout.root)), confidence=CONFIDENCE, seed=0)
    facts = {**(made or {}), **_facts(study, status, honest)}
    how = "Made from the best of" if made else "The best of"
    model, task = Path(study.spec.model.name).name, study.facts["task"]["name"]
    seeds = Seeds(*(best["seeds"][name] for name in ("init", "order", "dropout")))
    parts = [
        *_metadata(study, honest, None if made else best["score"]),
        f"# {_line(model)} fine-tuned on {_line(task)}",
        "",
        f"{how} {status['trials']['started']} trials that differ in nothing but their seeds.",
        "",
        *_table({name: _cell(value) for name, value in facts.items()}),
        "",
        _trust(honest),
        "",
        "## Recipe",
        "",
        *_table({name: _setting(value) for name, value in study.spec.recipe}),
        "",
        "## The best trial again",
        "",
        "```sh",
        command(study.spec, seeds),
        "```",
        "",
    ]
    return "\n".join(parts)


def _facts(study: Study, status: Mapping[str, Any], honest: Optimism | None) -> dict[str, object]:
    """Give the numbers of the card by name."""
    best, task, trials = status["best"], study.facts["task"], status["trials"]
    spread, seeds = status["finished_scores"], status["best"]["seeds"]
    rows = task["rows"]["validation"]
    counts = " / ".join(str(trials[k]) for k in ("started", "stopped", "failed", "finished"))
    return {
        f"{status['metric']} of the best trial on validation ({rows} rows)": best["score"],
        "honest estimate of the same on new data": _honest(honest),
        "the same, always predicting the majority class": task["majority_score"],
        f"median of the {spread['count']} finished trials (each at its best)": spread["median"],
        "their standard deviation": spread["sd"],
        "trials started / stopped early / diverged / finished": counts,
        "finished trials no better than the majority class at their end": _failed(study),
        "training spent, in full trials": status["spent"],
        "computing time": duration(status["seconds"]),
        "best trial's seeds": ", ".join(f"{name} {seed}" for name, seed in seeds.items()),
        "taken at": f"step {best['step']}, {best['progress']:.0%} of training",
    }


def _table(rows: Mapping[str, str]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {_line(name)} | {value} |" for name, value in rows.items())]


def command(spec: Spec, seeds: Seeds) -> str:
    """Give the command that trains this one trial again, from what differs from defaults."""
    values, plain = spec.identity(), Spec().identity()
    words = ["seedbed", "run", "--out", "again"]
    for section, keys in values.items():
        for key, value in keys.items():
            if value is not None and value != plain[section][key]:
                words += ["--set", f"{section}.{key}={json.dumps(value, ensure_ascii=False)}"]
    trial = f"{{init = {seeds.init}, order = {seeds.order}, dropout = {seeds.dropout}}}"
    words += ["--set", 'seeds.design="list"', "--set", f"seeds.trials=[{trial}]"]
    return shlex.join(words)


def _honest(honest: Optimism | None) -> str | None:
    if honest is None:
        return None
    return f"{honest.honest:.4f} ({honest.lower:.4f} to {honest.upper:.4f})"


def _failed(study: Study) -> int:
    """Count finished trials that end at or below the majority class's score."""
    majority = study.facts["task"]["majority_score"]
    ended = [c.last for c in study.curves.values() if c.finished and c.last is not None]
    return sum(last.score <= majority for last in ended)


def _trust(honest: Optimism | None) -> str:
    said = "The same rows chose this trial and scored it, so its validation score is optimistic"
    if honest is None:
        return f"{said}."
    return (
        f"{said}: by about {honest.score - honest.honest:.4f}. The honest estimate has that taken "
        f"off; its {CONFIDENCE:.0%} interval is for new data drawn like the validation rows."
    )


def _metadata(study: Study, honest: Optimism | None, score: float | None) -> list[str]:
    """Write the hub's metadata; every text is quoted as JSON, which is YAML."""
    name, task, metric = study.spec.model.name, study.facts["task"], study.metric
    lines = ["---", "library_name: transformers", "pipeline_tag: text-classification"]
    lines += ["tags: [seedbed]"]
    if "/" in name and not Path(name).exists():
        lines.append(f"base_model: {json.dumps(name)}")
    if score is not None:
        values = [(metric, score)]
        if honest is not None:
            values.append((f"{metric}, honest estimate", honest.honest))
        lines += [
            "model-index:",
            f"- name: {json.dumps(Path(name).name)}",
            "  results:",
            "  - task: {type: text-classification}",
            f"    dataset: {{name: {json.dumps(task['name'])}, type: {json.dumps(task['name'])}, "
            "split: validation}",
            "    metrics:",
            *(
                f"    - {{type: {json.dumps(metric)}, name: {json.dumps(text)}, "
                f"value: {value:.6f}}}"
                for text, value in values
            ),
        ]
    return [*lines, "---"]


def _line(text: object) -> str:
    """Make text one line that Markdown shows as it is."""
    plain = " ".join(str(text).split())
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in plain)


def _setting(value: object) -> str:
    if value is None:
        return "the model's own"
    return _line(f"{value:g}" if isinstance(value, float) else value)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return _line(f"{value:.4f}" if isinstance(value, float) else value)
