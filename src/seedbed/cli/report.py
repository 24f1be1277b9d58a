"""The command report: reads its options, calls api, prints the page's path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(report)


def report(  # noqa: PLR0917 (typer reads the options off the signature)
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR|CURVES...", help="Studies' folders or .csv/.parquet tables of curves."
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(help="The report's folder; report/ in the study if not given."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The metric to go by (larger is better; loss is negated)."),
    ] = None,
    majority: Annotated[
        float | None, typer.Option(help="The majority class's score: at or below it is failed.")
    ] = None,
    score_range: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LOW HIGH", help="Least and largest possible score."),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Epochs of full training, for curves of a table.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of each interval, between 0 and 1.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of whatever is drawn at random.")] = 0,
) -> None:
    """Write one page that shows what the luck was and what to trust, with all its figures."""
    from seedbed.api.analyze import Settings
    from seedbed.api.recordings import Source
    from seedbed.api.report import write_report

    given = [
        Source(path=path, metric=metric, majority=majority, score_range=score_range)
        for path in sources
    ]
    print(
        write_report(given, to, epochs=epochs, settings=Settings(confidence=confidence, seed=seed))
    )
