"""The commands. Each reads its options, calls api, and prints; nothing is decided here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from seedbed import __version__
from seedbed.cli import analysis, report, show
from seedbed.cli.options import spec_from
from seedbed.core.errors import SeedbedError, printable

app = typer.Typer(
    name="seedbed",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Start many fine-tuning seeds, stop the weak early, continue the best exactly.",
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"seedbed {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Take the options before the command."""


@app.command()
def run(  # noqa: PLR0917 (typer reads the options off the signature)
    study: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.toml]", help="A study file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The study's folder (new).")] = None,
    model: Annotated[str | None, typer.Option(help="minilm, a folder, or a hub id.")] = None,
    task: Annotated[str | None, typer.Option(help="mrpc, rte, cola, sst2, docmatch, ...")] = None,
    data: Annotated[str | None, typer.Option(help="The folder of a GLUE task.")] = None,
    train: Annotated[str | None, typer.Option(help="Training rows: csv, tsv, jsonl.")] = None,
    validation: Annotated[str | None, typer.Option(help="Validation rows.")] = None,
    metric: Annotated[str | None, typer.Option(help="What trials are ranked by.")] = None,
    budget: Annotated[float | None, typer.Option(help="To spend, in full trials.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any key of the study file."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in --out, with more trials or budget.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train many seeds, stop the weak ones early, write the best model."""
    from seedbed.api.prepare import extend, prepare
    from seedbed.api.study import Study

    flags = {
        "model.name": model,
        "task.name": task,
        "task.data": data,
        "task.train": train,
        "task.validation": validation,
        "evaluation.metric": metric,
        "policy.budget": budget,
    }
    spec = spec_from(study, flags, settings or [])
    folder = out or show.default_folder(spec)
    begun = resume and (folder / "study.db").is_file()
    opened = extend(Study(folder), spec) if begun else prepare(spec, folder)
    _train(opened, quiet=quiet, json=json)


@app.command()
def resume(folder: Folder, json: Json = False, quiet: Quiet = False) -> None:
    """Go on with an interrupted study, exactly where it was."""
    from seedbed.api.study import Study

    _train(Study(folder), quiet=quiet, json=json)


@app.command()
def status(folder: Folder, json: Json = False) -> None:
    """Say where a study stands (also while it runs)."""
    from seedbed.api.study import Study

    show.status(Study(folder).status(), json=json)


@app.command()
def export(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="The new folder for the model.")],
    kind: Annotated[
        str, typer.Option(help="best; soup: mean of weights; ensemble: mean of logits.")
    ] = "best",
    quiet: Quiet = False,
) -> None:
    """Write a model as a folder that Transformers opens."""
    from seedbed.api.blend import export as export_model
    from seedbed.api.study import Study
    from seedbed.core.errors import InputError

    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError("the folder is not empty", where=f"--to {to}", allowed="a new folder")
    written = export_model(Study(folder), to, kind)
    if written.note:
        print(f"seedbed: {written.note}", file=sys.stderr)
    if not quiet:
        print(written.folder)


@app.command()
def verify(
    folder: Folder,
    segments: Annotated[int, typer.Option(min=0, help="How many to train again.")] = 2,
    seed: Annotated[int, typer.Option(help="Chooses the segments.")] = 0,
    json: Json = False,
) -> None:
    """Check files, facts and verdicts, and train segments again to compare their bits."""
    from seedbed.api.verify import verify as check

    result = check(folder, segments=segments, seed=seed)
    show.verification(result, json=json)
    if not result.holds:
        raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The study's folder.")] = Path("demo"),
    budget: Annotated[float, typer.Option(help="To spend, in full trials.")] = 3.0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the main job on a bundled model and real text that every Python has."""
    from seedbed.api.prepare import prepare
    from seedbed.api.study import Study
    from seedbed.cli.options import DEMO

    spec = spec_from(None, {**DEMO, "policy.budget": budget}, [])
    opened = Study(out) if (out / "study.db").is_file() else prepare(spec, out)
    _train(opened, quiet=quiet, json=json)


def _train(study: Any, *, quiet: bool, json: bool) -> None:
    """Train with a progress view, then show the result."""
    from seedbed.api.train import train
    from seedbed.cli.progress import Progress

    if quiet or json:
        done = train(study.layout.root)
    else:
        console = Console()
        show.plan(study, console)
        with Progress(study, console) as progress:
            done = train(study.layout.root, progress, progress.expect)
    if json or not quiet:
        show.status(done.status(), json=json)


analysis.register(app)
report.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with 0, 2 (wrong input), 130 (interrupted) or 1."""
    try:
        app(args=arguments, prog_name="seedbed")
    except SeedbedError as error:
        print(f"seedbed: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
