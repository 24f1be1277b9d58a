"""The commands that read curves: analyze, replay, plan, compare, power, curves.

Each reads its options, calls api, and prints; nothing is decided here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seedbed.api.recordings import Source

Input = Annotated[
    Path, typer.Argument(metavar="DIR|CURVES", help="A study's folder, or a .csv/.parquet table.")
]
Metric = Annotated[
    str | None,
    typer.Option(help="The metric to go by (larger is better; loss is negated)."),
]
Task = Annotated[str | None, typer.Option(help="Which task, where a table has several.")]
Confidence = Annotated[float, typer.Option(help="Of each interval, between 0 and 1.")]
Seed = Annotated[int, typer.Option(help="Of whatever is drawn at random.")]
Resamples = Annotated[int, typer.Option(help="Bootstrap draws.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (analyze, replay, plan, compare, power, curves):
        app.command()(command)


def _source(
    path: Path,
    metric: str | None,
    *,
    majority: float | None = None,
    score_range: tuple[float, float] | None = None,
) -> Source:
    from seedbed.api.recordings import Source

    return Source(path=path, metric=metric, majority=majority, score_range=score_range)


def analyze(  # noqa: PLR0917 (typer reads the options off the signature)
    source: Input,
    metric: Metric = None,
    task: Task = None,
    majority: Annotated[
        float | None, typer.Option(help="The majority class's score: at or below it is failed.")
    ] = None,
    score_range: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LOW HIGH", help="Least and largest possible score."),
    ] = None,
    confidence: Confidence = 0.95,
    resamples: Resamples = 1_000,
    permutations: Annotated[int, typer.Option(help="Shuffles of each test.")] = 2_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say how much of the scores is luck, and how far to trust the best."""
    from seedbed.api.analyze import Settings
    from seedbed.api.analyze import analyze as analyze_source
    from seedbed.cli import show_analysis

    settings = Settings(
        confidence=confidence, resamples=resamples, permutations=permutations, seed=seed
    )
    given = _source(source, metric, majority=majority, score_range=score_range)
    found = analyze_source(given, task=task, settings=settings)
    show_analysis.show(found.json(), show_analysis.analyses, json=json)


def replay(  # noqa: PLR0917
    source: Input,
    start: Annotated[int, typer.Option(help="How many trials are started.")],
    at: Annotated[float, typer.Option(help="The share of training at which they are ranked.")],
    keep: Annotated[int, typer.Option(help="How many are trained to the end.")],
    replacement: Annotated[
        bool, typer.Option("--with-replacement", help="Draw trials with replacement.")
    ] = False,
    patience: Annotated[
        int | None, typer.Option(help="Also stop after so many evaluations without a better loss.")
    ] = None,
    metric: Metric = None,
    task: Task = None,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say what a stopping rule would have earned on recorded trials."""
    from seedbed.api.analyze import Rule
    from seedbed.api.analyze import replay as replay_source
    from seedbed.cli import show_rules
    from seedbed.cli.show_analysis import show

    found = replay_source(
        _source(source, metric),
        Rule(start, at, keep),
        task=task,
        patience=patience,
        replacement=replacement,
        confidence=confidence,
        seed=seed,
    )
    show(found.json(), show_rules.replayed, json=json)


def plan(  # noqa: PLR0917
    source: Input,
    budget: Annotated[float, typer.Option(help="To spend, in full trials.")],
    metric: Metric = None,
    task: Task = None,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Choose a stopping rule for a budget, and say what it will earn."""
    from seedbed.api.analyze import plan as plan_source
    from seedbed.cli import show_rules
    from seedbed.cli.show_analysis import show

    found = plan_source(
        _source(source, metric), budget, task=task, confidence=confidence, seed=seed
    )
    show(found.json(), show_rules.planned, json=json)


def compare(  # noqa: PLR0917
    first: Annotated[Path, typer.Argument(metavar="A", help="A study's folder, or a table.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, with the same seeds.")],
    metric: Metric = None,
    task: Task = None,
    confidence: Confidence = 0.95,
    resamples: Resamples = 1_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare two recipes by the trials that share their seeds."""
    from seedbed.api.analyze import compare as compare_sources
    from seedbed.cli import show_rules
    from seedbed.cli.show_analysis import show

    found = compare_sources(
        _source(first, metric),
        _source(second, metric),
        task=task,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    show(found.json(), show_rules.compared, json=json)


def power(  # noqa: PLR0917
    difference: Annotated[
        float, typer.Option(help="The difference of mean scores that should be found.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR|CURVES]", help="Measures the spread; or give numbers."),
    ] = None,
    init: Annotated[float | None, typer.Option(help="Variance of the init seed.")] = None,
    order: Annotated[float | None, typer.Option(help="Variance of the order seed.")] = None,
    rest: Annotated[float | None, typer.Option(help="Variance of the rest.")] = None,
    power: Annotated[float, typer.Option(help="The chance to find it.")] = 0.8,
    level: Annotated[float, typer.Option(help="The test's false-alarm rate.")] = 0.05,
    metric: Metric = None,
    task: Task = None,
    json: Json = False,
) -> None:
    """Say how many trials two recipes need so that a difference is found."""
    from seedbed.api.analyze import power as trials_for
    from seedbed.cli import show_rules
    from seedbed.cli.show_analysis import show

    numbers = None
    if init is not None and order is not None and rest is not None:
        numbers = (init, order, rest)
    found = trials_for(
        None if source is None else _source(source, metric),
        difference,
        variances=numbers,
        task=task,
        power=power,
        level=level,
    )
    show(found.json(), show_rules.power, json=json)


def curves(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    to: Annotated[Path, typer.Option(help="The file, .csv or .parquet.")],
) -> None:
    """Write a study's curves as a table: a row for each evaluation of each trial."""
    from seedbed.api.analyze import export_curves

    export_curves(folder, to)
    print(to)
