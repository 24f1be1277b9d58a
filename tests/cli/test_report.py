"""`seedbed report`: what it writes and prints, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Run
from small_studies import grid_rows, random_scores, write_csv


def test_it_prints_the_page_s_path(run: Run, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "curves.csv", grid_rows(random_scores(1, 2, 2, 2)))
    code, out, _ = run("report", table, "--majority", "0.5", "--epochs", "2")
    assert code == 0
    assert Path(out.strip()) == tmp_path / "curves-report" / "index.html"
    assert Path(out.strip()).is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "none"),
        (["."], "holds no study"),
        (["curves.csv", "--metric", "nope"], "nope"),
        (["curves.csv", "--epochs", "0"], "--epochs"),
        (["curves.csv", "--to", "curves.csv"], "--to"),
        (["curves.csv", "curves.csv"], "--to"),
        (["curves.csv", "--confidence", "2"], "--confidence"),
    ],
)
def test_wrong_input_is_said(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    write_csv(tmp_path / "curves.csv", grid_rows(random_scores(1, 2, 2, 2)))
    monkeypatch.chdir(tmp_path)
    code, _, err = run("report", *arguments)
    assert code == 2
    assert said in err
    assert [path.name for path in tmp_path.iterdir()] == ["curves.csv"]
