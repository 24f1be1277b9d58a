"""The report on disk: the page, its figures and its numbers.

The page appears last and in one step; what an earlier report left is replaced.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

from seedbed.core.errors import InputError, StorageError
from seedbed.report import look
from seedbed.report.page import GENERATOR, Report, readable, render
from seedbed.report.section import Cell, Table

PAGE, FIGURES, TABLES = "index.html", "figures", "tables"
KINDS = ("svg", "png", "pdf")
LATEX = {
    "\\": r"\textbackslash{}",
    **{c: "\\" + c for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}


def write_files(report: Report, to: Path, kinds: Sequence[str] = KINDS) -> Path:
    """Write page, figures (each as ``kinds``) and tables to the folder ``to``; give the page.

    Raises InputError where ``to`` holds something else than a report, StorageError where
    it cannot be written.
    """
    check_free(to)
    aside = to.with_name(to.name + ".writing")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        drawn = _write_figures(report, aside / FIGURES, kinds)
        _write_tables(report, aside / TABLES)
        (aside / PAGE).write_text(render(report, drawn), encoding="utf-8")
        to.mkdir(parents=True, exist_ok=True)
        for name in (FIGURES, TABLES):
            shutil.rmtree(to / name, ignore_errors=True)
            (aside / name).rename(to / name)
        (aside / PAGE).replace(to / PAGE)
    except OSError as error:
        raise StorageError(f"cannot write {to}: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return to / PAGE


def check_free(to: Path) -> None:
    """Refuse a folder that holds something else than an earlier report."""
    try:
        page = to / PAGE
        ours = page.is_file() and GENERATOR in page.read_text(encoding="utf-8", errors="replace")
        taken = to.exists() and (not to.is_dir() or (any(to.iterdir()) and not ours))
    except (OSError, ValueError) as error:
        raise InputError(f"not a usable folder: {error}", where="--to", given=str(to)) from None
    if taken:
        raise InputError(
            "the folder holds something else",
            where=f"--to {to}",
            allowed="a new or empty folder, or that of an earlier report",
        )


def _write_figures(
    report: Report, folder: Path, kinds: Sequence[str]
) -> dict[tuple[str, str], bytes]:
    """Draw every panel once, write it in each kind, give the SVGs for the page."""
    drawn = {}
    for part in report.parts:
        (folder / part.slug).mkdir(parents=True, exist_ok=True)
        for section in part.sections:
            for drawing in section.drawings:
                found = look.save(drawing, ("svg", *(kind for kind in kinds if kind != "svg")))
                drawn[part.slug, drawing.name] = found["svg"]
                for kind in kinds:
                    (folder / part.slug / f"{drawing.name}.{kind}").write_bytes(found[kind])
    return drawn


def _write_tables(report: Report, folder: Path) -> None:
    for part in report.parts:
        (folder / part.slug).mkdir(parents=True, exist_ok=True)
        for section in part.sections:
            for name, table in section.tables:
                path = folder / part.slug / name
                path.with_suffix(".csv").write_text(as_csv(table), encoding="utf-8", newline="")
                path.with_suffix(".tex").write_text(as_latex(table), encoding="utf-8")


def as_csv(table: Table) -> str:
    """Write the numbers in full; an empty cell is a number that is not known."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([readable(heading) for heading in table.headings])
    for row in table.rows:
        writer.writerow(
            ["" if c is None else readable(c) if isinstance(c, str) else c for c in row]
        )
    return buffer.getvalue()


def as_latex(table: Table) -> str:
    r"""Write a ``tabular`` that needs no package, four decimals a number."""
    lines = [r"\begin{tabular}{l" + "r" * (len(table.headings) - 1) + "}", r"\hline"]
    lines += [" & ".join(_latex(heading) for heading in table.headings) + r" \\", r"\hline"]
    lines += [" & ".join(_latex(cell) for cell in row) + r" \\" for row in table.rows]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _latex(cell: Cell) -> str:
    if cell is None:
        return "--"
    if isinstance(cell, float):
        return f"${cell:.4f}$"
    text = str(cell) if not isinstance(cell, bool) else "yes" if cell else "no"
    return "".join(LATEX.get(c, c) for c in readable(text).replace("\n", " "))
