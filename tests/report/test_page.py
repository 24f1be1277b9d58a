"""The page and its files: self-contained, escaped, complete, for every kind of study."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from report_accounts import account, curve, grid_of
from seedbed.api.recordings import Source
from seedbed.api.report import write_report
from seedbed.core.curves import Curve
from seedbed.core.errors import InputError
from seedbed.report import look
from seedbed.report.account import Account
from seedbed.report.analysis import Settings
from seedbed.report.files import as_csv, as_latex, write_files
from seedbed.report.page import report_of
from seedbed.report.section import Table
from seedbed.stopping.policies import StartMany
from small_studies import (
    HEADER,
    grid_rows,
    labels_and_curves,
    make_study,
    random_scores,
    write_csv,
)

QUICK = Settings(resamples=100, permutations=50)
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=http://x.example/y> $x^2$ \\input{a} \x07\x1b[31m &amp;"
)


class Page(HTMLParser):
    """What a page holds: ids, addresses, elements by name, text."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"a handler in {tag}"
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "action", "data", "srcset"}:
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def check_page(path: Path) -> Page:
    """Check what holds for every page, and give it."""
    page = Page(path)
    assert len(page.ids) == len(set(page.ids)), "ids are unique across figures"
    assert not {"script", "link", "iframe", "object", "img"} & set(page.tags)
    for address in page.addresses:
        assert address.startswith(("#", "data:image/png;base64,")), address
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.ids)
    styled = re.findall(r"url\(([^)]*)\)", page.source)
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in styled)
    assert "@import" not in page.source
    assert 'name="viewport"' in page.source
    assert "prefers-color-scheme: dark" in page.source
    assert "@media print" in page.source
    assert "font-family: 'DejaVu" not in page.source
    return page


def write(accounts: list[Account], to: Path) -> Page:
    return check_page(write_files(report_of(accounts, None, "Written by a test."), to, ["svg"]))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with predictions in which a rule stopped trials."""
    labels_M, curves = labels_and_curves(16, seed=4, examples=120)
    folder = tmp_path_factory.mktemp("page") / "study"
    return make_study(folder, labels_M, curves, policy=StartMany(16, 0.5, 9))


@pytest.fixture(scope="module")
def page(study: Path) -> Path:
    return write_report(Source(path=study), settings=QUICK)


def test_a_study_s_report_lies_in_its_folder_with_figures_and_tables(
    study: Path, page: Path
) -> None:
    assert page == study / "report" / "index.html"
    found = check_page(page)
    drawn = {path.stem for path in (page.parent / "figures").glob("*.svg")}
    assert {"curves", "honest", "optimism", "saved", "expected_best_n"} <= drawn
    for name in drawn:
        assert f"{name}-figure" in found.ids
        assert (page.parent / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert (page.parent / "figures" / f"{name}.pdf").read_bytes()[:5] == b"%PDF-"
        ET.parse(page.parent / "figures" / f"{name}.svg")  # well-formed
    tables = page.parent / "tables"
    with (tables / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert (
        sum(row["fate"] == "stopped early" for row in rows)
        + sum(row["fate"] == "winner" and float(row["progress"]) < 1 for row in rows)
        == 7
    )
    assert (tables / "trials.tex").read_text().count(r"\\") == 17
    assert not list(page.parent.parent.glob("report.writing"))


def test_every_figure_has_its_sentence_and_its_doubt(page: Path) -> None:
    found = check_page(page)
    figures = sum(name.endswith("-section") for name in found.ids)
    assert figures >= 4
    assert found.source.count('class="shows"') == figures
    assert found.source.count('class="caution"') == figures
    assert "7 were stopped early" in found.text or "stopping 7 trials early" in found.text.lower()


def test_a_report_is_written_anew_and_the_same(study: Path, page: Path) -> None:
    before = page.read_bytes(), (page.parent / "figures" / "curves.svg").read_bytes()
    mine = page.parent / "mine.txt"
    mine.write_text("my notes")
    again = write_report(str(study), settings=QUICK, kinds=["svg"])
    assert (again.read_bytes(), (page.parent / "figures" / "curves.svg").read_bytes()) == before
    assert mine.read_text() == "my notes"
    mine.unlink()


def test_a_folder_that_holds_something_else_is_not_touched(study: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>my site</p>")
    with pytest.raises(InputError, match="holds something else"):
        write_report(Source(path=study), tmp_path, settings=QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_hostile_text_is_shown_not_obeyed(tmp_path: Path) -> None:
    header = ("task", *HEADER)
    rows = [(task, *row) for task in (HOSTILE, "b") for row in grid_rows(random_scores(1, 3, 3, 3))]
    path = write_csv(tmp_path / "<b>&amp;.csv", rows, header)
    made = check_page(
        write_report(Source(path=path), tmp_path / "out", settings=QUICK, kinds=["svg"])
    )
    assert "<script>alert(1)</script>" in made.text
    assert "<script>alert" not in made.source
    assert "\x07" not in made.source
    assert "\x1b" not in made.source
    for svg in (tmp_path / "out" / "figures").rglob("*.svg"):
        root = ET.parse(svg).getroot()
        assert not [e for e in root.iter() if e.tag.endswith(("}script", "}img"))]
    for part in (tmp_path / "out" / "figures").iterdir():
        assert re.fullmatch(r"[a-z0-9-]+", part.name)


def test_hostile_facts_and_titles(tmp_path: Path) -> None:
    made = write(
        [account(thinned(), title=HOSTILE, majority=0.5, facts={"model": HOSTILE})], tmp_path / "r"
    )
    assert made.text.count("<script>alert(1)</script>") >= 2
    assert "script" not in made.tags


def thinned() -> list[Curve]:
    full = [
        curve(k, (k // 3 + 1, k % 3 + 1), [0.5, 0.6 + 0.01 * k, 0.7 + 0.01 * k]) for k in range(6)
    ]
    return [*full, curve(6, (3, 1), [0.52], of=3), curve(7, (3, 2), [0.51], of=3)]


def test_one_trial(tmp_path: Path) -> None:
    made = write([account([curve(0, (1, 1), [0.5, 0.7])], majority=0.5)], tmp_path / "r")
    assert "the only trial" in made.text
    assert "curves-figure" in made.ids
    assert "one finished trial has no best of several" in made.text


def test_all_trials_failed(tmp_path: Path) -> None:
    same = [curve(k, (k // 2 + 1, k % 2 + 1), [0.5, 0.5, 0.5]) for k in range(4)]
    made = write([account(same, majority=0.5)], tmp_path / "r")
    assert (
        "4 of 4 trials failed; all were visible by 33\N{NO-BREAK SPACE}% of training" in made.text
    )
    assert "all finished trials have the same score" in made.text


def test_no_trial_was_evaluated(tmp_path: Path) -> None:
    made = write([account([])], tmp_path / "r")
    assert "No score yet" in made.text
    assert "svg" not in made.tags


def test_every_trial_diverged(tmp_path: Path) -> None:
    lost = [curve(k, (1, k), [], of=3) for k in (1, 2)]
    made = write([account(lost, diverged=frozenset({1, 2}), majority=0.5)], tmp_path / "r")
    assert "No score yet: 2 trials started." in made.text


def test_several_tasks_share_a_page(tmp_path: Path) -> None:
    both = [
        account(grid_of(random_scores(k, 3, 4, 3)), title=title, majority=0.4)
        for k, title in ((1, "one task"), (2, "one task!"))
    ]
    made = write(both, tmp_path / "r")
    assert {"all-tasks", "one-task", "one-task-2"} <= set(made.ids)
    assert (tmp_path / "r" / "tables" / "one-task-2" / "trials.csv").is_file()


def test_a_study_of_many_trials_stays_small(tmp_path: Path) -> None:
    """2,100 trials of 30 evaluations: their curves are one image, the page below 5 MB."""
    rng = np.random.default_rng(2)
    rise = 1 - np.exp(-np.arange(1, 31) / 8)
    level_IO = 0.8 + 0.02 * rng.normal(size=(42, 50))
    score_IOE = 0.6 + (level_IO[..., None] - 0.6) * rise + 0.005 * rng.normal(size=(42, 50, 30))
    rows = grid_rows(np.round(score_IOE, 4))
    path = write_csv(tmp_path / "many.csv", rows)
    source = Source(path=path, majority=0.6)
    made = check_page(
        write_report(source, tmp_path / "r", epochs=3.0, settings=QUICK, kinds=["svg"])
    )
    assert len(made.source) < 5_000_000
    assert made.tags.count("path") < 10_000
    assert "2,100" in made.text


def test_tables_are_exact_and_escaped() -> None:
    table = Table(("a_b", "c"), (("50 % & <x>", 1 / 3), ("=cmd", None), ("n", 7)))
    assert as_csv(table).splitlines()[1:] == [f"50 % & <x>,{1 / 3!r}", "=cmd,", "n,7"]
    latex = as_latex(table)
    assert r"a\_b & c \\" in latex
    assert r"50 \% \& \textless{}x\textgreater{} & $0.3333$ \\" in latex
    assert r"=cmd & -- \\" in latex


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with look.style():
        assert mpl.rcParams["svg.hashsalt"] == "seedbed"
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it_without_asking_anyone(page: Path, tmp_path: Path, width: int) -> None:
    """Chromium loads the page: no console error, nothing wider than the window, all visible."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path")
    probe = """<script>addEventListener('load', () => {
      const hidden = [...document.querySelectorAll('figure svg')].filter(
        s => s.getBoundingClientRect().width < 200 || s.getBoundingClientRect().height < 80);
      const asked = performance.getEntriesByType('resource').filter(
        r => !r.name.startsWith('data:')).map(r => r.name);
      document.title = JSON.stringify({hidden: hidden.length, asked: asked,
        figures: document.querySelectorAll('figure svg').length,
        wide: document.documentElement.scrollWidth - innerWidth});
    });</script>"""
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", probe + "</body>"))
    flags = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom "
        f"--window-size={width},900"
    ).split()
    done = subprocess.run(
        [chromium, *flags, f"--user-data-dir={tmp_path / 'profile'}", probed.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
    )
    assert ":CONSOLE" not in done.stderr
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert '"hidden":0' in title[1]
    assert '"asked":[]' in title[1]
    assert f'"figures":{page.read_text(encoding="utf-8").count("<figure")}' in title[1]
    wide = re.search(r'"wide":(-?\d+)', title[1])
    assert wide is not None
    assert int(wide[1]) <= 0
