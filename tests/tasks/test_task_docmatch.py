"""docmatch: real, the same every time, balanced, and nothing of training in what is held."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.tasks import docmatch as docmatch_module
from seedbed.tasks.docmatch import (
    Function,
    families,
    first_sentence,
    functions,
    in_words,
    is_prose,
    pairs,
)
from seedbed.tasks.load import load_task
from seedbed.tasks.metrics import majority_score
from seedbed.tasks.task import Split, Task


@pytest.fixture(scope="module")
def library() -> list[Function]:
    """The functions of this Python's library; reading them takes seconds, so once."""
    return list(functions(Path(sysconfig.get_path("stdlib"))))


@pytest.fixture(scope="module")
def task(library: list[Function]) -> Iterator[Task]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docmatch_module, "functions", lambda _: iter(library))
        docmatch_module.docmatch.cache_clear()
        made = docmatch_module.docmatch()
    yield made
    docmatch_module.docmatch.cache_clear()


def seen(split: Split) -> tuple[set[str], set[str]]:
    assert split.second is not None
    return set(split.first), {sentence.lower() for sentence in split.second}


def test_sizes_and_balance(task: Task) -> None:
    assert task.test is not None
    assert len(task.train) >= 2500
    for held in (task.validation, task.test):
        assert len(held) == 500
        assert sum(held.labels) == 250
        assert majority_score(held.labels, "accuracy", 2) == 0.5
    assert abs(sum(task.train.labels) / len(task.train) - 0.5) < 0.01


def test_no_name_or_sentence_in_two_splits(task: Task) -> None:
    splits = [seen(s) for s in (task.train, task.validation, task.test) if s is not None]
    for i, (names, sentences) in enumerate(splits):
        for other_names, other_sentences in splits[:i]:
            assert not names & other_names
            assert not sentences & other_sentences


def test_rows_say_the_truth(task: Task, library: list[Function]) -> None:
    """Against the library itself, asked without the code that makes rows."""
    by_name: dict[str, set[tuple[str, str]]] = {}
    modules: dict[str, set[str]] = {}
    for function in library:
        by_name.setdefault(function.words, set()).add((function.module, function.sentence))
        modules.setdefault(function.sentence, set()).add(function.module)
    for split in (task.train, task.validation):
        assert split.second is not None
        for name, sentence, label in zip(split.first, split.second, split.labels, strict=True):
            own = by_name[name]
            assert label == (sentence in {s for _, s in own})
            assert {module for module, _ in own} & modules[sentence]


def test_found_functions_are_those_that_python_shows(library: list[Function]) -> None:
    """Against the imported modules and their documentation as Python itself gives it."""
    import json.decoder
    import textwrap

    for module in (json, json.decoder, textwrap):
        for function in library:
            if function.module in {module.__name__, f"{module.__name__}.__init__"}:
                shown = module
                for name in function.place.split("."):
                    shown = getattr(shown, name)
                doc = " ".join((inspect.getdoc(shown) or "").split())
                assert doc.startswith(function.sentence)
    places = {(f.module, f.place) for f in library}
    assert {("textwrap", "dedent"), ("json.__init__", "dumps")} <= places
    assert ("json.decoder", "JSONDecoder.raw_decode") in places


def test_loading_takes_the_fixed_first_rows(task: Task) -> None:
    default = load_task(name="docmatch")
    assert len(default.train) == 1000
    assert default.validation == task.validation
    assert load_task(name="docmatch", train_samples=50).train.first == default.train.first[:50]
    everything = load_task(name="docmatch", train_samples=len(task.train))
    assert sorted(everything.train.first) == sorted(task.train.first)
    with pytest.raises(InputError, match=f"1 to {len(task.train)}"):
        load_task(name="docmatch", train_samples=len(task.train) + 1)
    with pytest.raises(InputError, match="takes no folder"):
        load_task(name="docmatch", data=Path())


def test_another_process_with_other_hashes_makes_the_same_rows(task: Task) -> None:
    code = "from seedbed.tasks.docmatch import docmatch; print(docmatch().fingerprint)"
    source = Path(docmatch_module.__file__).parents[2]
    environment = os.environ | {"PYTHONHASHSEED": "4242", "PYTHONPATH": str(source)}
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == task.fingerprint


def test_sources_are_read_and_never_run(tmp_path: Path) -> None:
    """Only modules of the library count; broken ones are passed over."""
    code = 'raise SystemExit\ndef read_all(x):\n    """Read all of it. At once."""\n'
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "tool.py").write_text(code)
    (tmp_path / "csv.py").write_text("def broken(:\n")
    (tmp_path / "ast.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "not_in_the_library.py").write_text(code)
    (tmp_path / "tkinter").mkdir()
    (tmp_path / "tkinter" / "dialog.py").write_text(code)
    assert list(functions(tmp_path)) == [
        Function("json.tool", "read_all", "read all", "Read all of it.")
    ]


def test_a_python_without_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docmatch_module.sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(InputError, match="too few documented sources"):
        docmatch_module.docmatch.__wrapped__()
    monkeypatch.setattr(docmatch_module.sysconfig, "get_path", lambda _: str(tmp_path / "none"))
    with pytest.raises(InputError, match="too few documented sources"):
        docmatch_module.docmatch.__wrapped__()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("read_all", "read all"),
        ("assertRaisesRegex", "assert raises regex"),
        ("getHTTPStatus_2", "get http status 2"),
        ("__init__", "init"),
        ("utf8_encode", "utf 8 encode"),
        ("_", ""),
    ],
)
def test_names_in_words(name: str, words: str) -> None:
    assert in_words(name) == words


def test_first_sentences() -> None:
    assert first_sentence("Read it.  Then close.") == "Read it."
    assert first_sentence("\n  Read it\n  in pieces\n\n  More. ") == "Read it in pieces"
    assert first_sentence("Version 1.5 of it") == "Version 1.5 of it"


@pytest.mark.parametrize(
    ("sentence", "prose"),
    [
        ("Read it all.", True),
        ("Read it.", False),
        ("wrap(text : string) -> [string]", False),
        (">>> wrap('a b c') == 1", False),
        ("word " * 41, False),
    ],
)
def test_prose(sentence: str, prose: bool) -> None:
    assert is_prose(sentence) is prose


@st.composite
def small_libraries(draw: st.DrawFn) -> list[Function]:
    """Few names, sentences and modules, so that they are often shared."""
    size = draw(st.integers(0, 40))
    letter = st.integers(0, 20).map(lambda k: f"w{k}")
    return [
        Function(f"m{draw(st.integers(0, 3))}", f"f{i}", draw(letter), f"Does {draw(letter)} now.")
        for i in range(size)
    ]


@given(small_libraries(), st.randoms(use_true_random=False))
def test_laws_of_any_library(found: list[Function], random: object) -> None:
    groups = families(found)
    shared = [({f.words for f in g}, {f.sentence for f in g}) for g in groups]
    for i, (names, sentences) in enumerate(shared):
        for other_names, other_sentences in shared[:i]:
            assert not names & other_names
            assert not sentences & other_sentences
    distinct = {(f.words, f.sentence) for f in found}
    assert sum(map(len, groups)) == len(distinct)

    splits = pairs(found, held=6)
    own = {f.words: {g.sentence for g in found if g.words == f.words} for f in found}
    for split in splits.values():
        assert split.second is not None
        for name, sentence, label in zip(split.first, split.second, split.labels, strict=True):
            assert (sentence in own[name]) == bool(label)
    for held in (splits["validation"], splits["test"]):
        assert len(held) in {0, 6}
        assert sum(held.labels) * 2 == len(held)

    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pairs(shuffled, held=6) == splits
