"""Facts go in and come out as they were, all or nothing, and are only added."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import SeedbedError, StorageError, StudyError
from seedbed.core.seeds import SEED_LIMIT, Seeds
from seedbed.core.work import Decision, Verdict
from seedbed.store.database import Database, FileFact, Judged
from toys import grid

finite = st.floats(allow_nan=False, allow_infinity=False)


def evaluation(step: int, **others: Any) -> Evaluation:
    return Evaluation(**{"step": step, "progress": step / 24, "score": 0.5, "loss": 1.0, **others})


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    score=finite,
    loss=finite,
    seconds=finite,
    scores=st.dictionaries(st.text(max_size=8), finite, max_size=3),
    logits=st.none() | st.binary(max_size=40),
)
def test_an_evaluation_comes_back_to_the_last_bit(database: Database, **fields: Any) -> None:
    trial = 2
    step = len(database.curves()[trial].evaluations) + 1
    one = Evaluation(step=step, progress=step / 1000, **fields)
    database.record(evaluated=[(trial, one)])
    back = database.curves(logits=True)[trial].evaluations[-1]
    assert back == one
    assert np.float64(back.loss).tobytes() == np.float64(one.loss).tobytes() or one.loss == 0
    assert database.curves()[trial].evaluations[-1].logits is None


def test_everything_survives_closing_and_opening(database: Database) -> None:
    evaluated = [(0, evaluation(6)), (0, evaluation(3)), (3, evaluation(3, logits=b"\x00\xff"))]
    judged = [
        Judged(0, 3, Verdict(Decision.CONTINUE, "going on")),
        Judged(0, 6, Verdict(Decision.PAUSE, "waits; 'quoted' \n [bold] ☃")),
        Judged(3, 3, Verdict(Decision.FAIL, "")),
    ]
    files = [
        FileFact(0, 6, "weights", "a", "00", 5, id=1),
        FileFact(0, 6, "optimizer", "b", "01", 6, id=2),
    ]
    database.record(evaluated=evaluated, judged=judged, files=files)
    database.add_fact("answer", {"a": [1, None, "x"]})
    database.add_event("happened", where="here", n=1)
    database.close()
    again = Database(database.path)
    assert again.trials() == dict(enumerate(grid(4)))
    assert [e.step for e in again.curves()[0].evaluations] == [3, 6]
    assert again.curves(logits=True)[3] == Curve(3, grid(4)[3], (evaluated[2][1],))
    assert again.curves()[1] == Curve(1, grid(4)[1])
    assert again.verdicts() == judged
    assert again.files() == files
    assert again.next_file_id() == 3
    assert again.facts()["answer"] == {"a": [1, None, "x"]}
    ((kind, detail, at),) = again.events()
    assert (kind, detail) == ("happened", {"where": "here", "n": 1})
    assert at > 1e9
    again.close()


def test_of_facts_under_one_key_the_latest_holds_and_none_is_lost(database: Database) -> None:
    database.add_fact("policy", "a")
    database.add_fact("policy", "b")
    assert database.facts()["policy"] == "b"
    with sqlite3.connect(database.path) as raw:
        rows = raw.execute("select value from facts where key = 'policy' order by id").fetchall()
    assert rows == [('"a"',), ('"b"',)]


def test_trials_are_added_once_and_keep_their_numbers(database: Database) -> None:
    before = database.trials()
    database.add_trials([*grid(9), *grid(9)])
    after = database.trials()
    assert {t: after[t] for t in before} == before
    assert sorted(after) == list(range(len(set(grid(9)) | set(grid(4)))))
    assert len(set(after.values())) == len(after)


def test_the_largest_seeds_fit(database: Database) -> None:
    seeds = Seeds(SEED_LIMIT - 1, 0, SEED_LIMIT - 1)
    database.add_trials([seeds])
    assert database.trials()[4] == seeds


@pytest.mark.parametrize("bad", ["evaluation twice", "unknown trial", "file id twice"])
def test_a_record_is_written_in_full_or_not_at_all(database: Database, bad: str) -> None:
    first = FileFact(0, 3, "weights", "a", "00", 5, id=1)
    database.record(evaluated=[(0, evaluation(3))], files=[first])
    before = (database.curves(), database.verdicts(), database.files())
    judged = [Judged(0, 6, Verdict(Decision.STOP, "no"))]
    evaluated, files = [(0, evaluation(6)), (1, evaluation(3))], []
    if bad == "evaluation twice":
        evaluated.append((0, evaluation(3)))
    elif bad == "unknown trial":
        judged.append(Judged(99, 3, Verdict(Decision.STOP, "no")))
    else:
        files.append(FileFact(1, 3, "weights", "b", "01", 5, id=1))
    with pytest.raises(SeedbedError):
        database.record(evaluated=evaluated, judged=judged, files=files, removed=[(first, "x")])
    assert (database.curves(), database.verdicts(), database.files()) == before


def test_a_removed_file_is_no_longer_listed_but_not_forgotten(database: Database) -> None:
    file = FileFact(0, 3, "weights", "a", "00", 5, id=database.next_file_id())
    database.record(files=[file])
    database.record(removed=[(file, "no longer needed")])
    assert database.files() == []
    assert database.next_file_id() == file.id + 1, "ids are never used again"


def foreign_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("create table songs (title text)")


def other_facts(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("create table facts (id integer primary key, key text, value text)")
        raw.execute("insert into facts (key, value) values ('format', 'not json')")


def newer_format(path: Path) -> None:
    database = Database(path, create=True)
    database.add_fact("format", 2)
    database.close()


FOREIGN = {
    "text": lambda path: path.write_text("hello, this is no database\n" * 100),
    "noise": lambda path: path.write_bytes(np.random.default_rng(1).bytes(9000)),
    "empty": lambda path: path.touch(),
    "sqlite": foreign_sqlite,
    "facts": other_facts,
    "newer": newer_format,
    "cut header": lambda path: path.write_bytes(b"SQLite format 3\x00" + b"\x00" * 20),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_study_is_refused_in_words_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "study.db"
    FOREIGN[kind](path)
    before = path.read_bytes()
    with pytest.raises(StudyError, match="study"):
        Database(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["study.db"]


def test_a_database_damaged_in_the_middle_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    database = Database(path, create=True)
    database.add_trials(grid(400))
    database.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StudyError, match="damaged"):
        Database(path).curves()


def test_a_folder_without_a_study_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study") as caught:
        Database(tmp_path / "study.db")
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["what?mode=memory", "50%20off", "a#b", "ü ☃", "file:x"])
def test_a_study_may_live_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    database = Database(folder / "study.db", create=True)
    database.add_trials(grid(2))
    database.close()
    assert (folder / "study.db").is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert len(Database(folder / "study.db").trials()) == 2


def test_a_locked_or_unwritable_database_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"study\.db"):
        Database(tmp_path / "missing folder" / "study.db", create=True)


def test_a_reader_sees_whole_transactions_while_another_writes(database: Database) -> None:
    reader = Database(database.path)
    for step in (3, 6, 9):
        database.record(
            evaluated=[(t, evaluation(step)) for t in range(4)],
            judged=[Judged(t, step, Verdict(Decision.CONTINUE, "going on")) for t in range(4)],
        )
        assert {c.step for c in reader.curves().values()} == {step}
        assert len(reader.verdicts()) == 4 * step // 3
    reader.close()
