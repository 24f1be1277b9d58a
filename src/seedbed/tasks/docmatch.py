"""docmatch: does this sentence document that function? Real text that every Python has.

A row is (name of a function in words, first sentence of a docstring); label 1 says that
they belong together. The functions are those of Python's standard library, read from its
sources (parsed, never imported), so that the rows are the same for the same version of
Python. A wrong sentence belongs to another function of the same module: the module's
subject gives nothing away. Functions that share a name or a sentence form a family, and a
family stands in one split: no name or sentence of training is seen in validation or test.

Order comes from hashes of what a function is, never from Python's own ``hash`` or from
the order of files on a disk.
"""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from seedbed.core.errors import InputError
from seedbed.core.streams import derive
from seedbed.tasks.task import Split, Task

TRAIN_DEFAULT = 1000
HELD = 500
"""Rows of validation, and of test, half of them belonging together."""

LABEL_NAMES = ("other", "match")

# Not code of the library itself, or shipped apart by some distributions of Python.
_EXCLUDED = frozenset(
    {
        *("test", "tests", "idlelib", "lib2to3", "distutils", "ensurepip", "tkinter", "turtle"),
        *("turtledemo", "pydoc_data", "antigravity", "this", "site-packages", "__pycache__"),
    }
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")


@dataclass(frozen=True)
class Function:
    """A documented function: its module, its place there, its name in words, its sentence."""

    module: str
    place: str
    words: str
    sentence: str

    @property
    def key(self) -> tuple[int, str, str]:
        """Where the function stands in the fixed random order."""
        return derive(0, "docmatch", self.module, self.place), self.module, self.place


@lru_cache(maxsize=1)
def docmatch() -> Task:
    """Build the task from the running Python's own library: all training rows there are.

    Raises InputError where the library's sources are missing or too few.
    """
    root = Path(sysconfig.get_path("stdlib"))
    splits = pairs(list(functions(root)), held=HELD)
    if len(splits["train"]) < TRAIN_DEFAULT:
        raise InputError(
            "this Python's library has too few documented sources for docmatch",
            where=str(root),
            given=f"{len(splits['train'])} training rows",
            allowed=f"at least {TRAIN_DEFAULT}; another installation of Python, or another task",
        )
    version = ".".join(map(str, sys.version_info[:3]))
    return Task(
        name="docmatch",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        label_names=LABEL_NAMES,
        metric="accuracy",
        source=f"docstrings of Python {version}'s standard library",
    )


def functions(root: Path) -> Iterator[Function]:
    """Yield the documented functions of the library at ``root``, module by module."""
    for path in _sources(root):
        parts = path.relative_to(root).with_suffix("").parts
        if _EXCLUDED & set(parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):  # a file that is no source of this Python
            continue
        yield from _documented(tree.body, ".".join(parts), ())


def _sources(root: Path) -> Iterator[Path]:
    """Yield the library's source files; not those of packages installed beside it."""
    if not root.is_dir():  # a library inside an archive
        return
    for top in sorted(root.iterdir()):
        if top.stem in sys.stdlib_module_names and top.stem not in _EXCLUDED:
            if top.is_dir():
                yield from sorted(top.rglob("*.py"))
            elif top.suffix == ".py":
                yield top


def _documented(body: list[ast.stmt], module: str, outer: tuple[str, ...]) -> Iterator[Function]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _documented(node.body, module, (*outer, node.name))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node)
            words = in_words(node.name)
            sentence = first_sentence(docstring or "")
            if words and is_prose(sentence):
                yield Function(module, ".".join((*outer, node.name)), words, sentence)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _documented(node.body, module, outer)
            yield from _documented(node.orelse, module, outer)


def in_words(name: str) -> str:
    """Spell the name of a function in words: ``getHTTPStatus_2`` is "get http status 2"."""
    return " ".join(_WORDS.findall(name)).lower()


def first_sentence(docstring: str) -> str:
    """Give the first sentence of the first paragraph, on one line."""
    paragraph = re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0]
    return _SENTENCE_END.split(" ".join(paragraph.split()), maxsplit=1)[0]


def is_prose(sentence: str) -> bool:
    """Whether it says something: three words or more, not too long, no code, no signature."""
    words = sentence.split()
    code = ">>>" in sentence or (words and "(" in words[0])
    return len(words) >= 3 and len(sentence) <= 200 and not code


def pairs(found: list[Function], *, held: int) -> dict[str, Split]:
    """Make the splits train, validation and test; the last two of ``held`` rows, balanced.

    Whole families go to a held split until it is full, in the fixed random order; the
    rest is training. Rows that overfill a held split are dropped.
    """
    chosen: dict[str, list[Function]] = {"validation": [], "test": [], "train": []}
    rows: dict[str, list[tuple[str, str, int]]] = {}
    for family in families(found):
        for name in ("validation", "test"):
            if name not in rows:
                chosen[name].extend(family)
                made = _rows(chosen[name]) if len(chosen[name]) >= held else []
                kept = _balanced(made, held)
                if len(kept) == held:
                    rows[name] = kept
                break
        else:
            chosen["train"].extend(family)
    rows["train"] = _rows(chosen["train"])
    return {
        name: Split(
            first=tuple(words for words, _, _ in rows.get(name, [])),
            second=tuple(sentence for _, sentence, _ in rows.get(name, [])),
            labels=tuple(label for _, _, label in rows.get(name, [])),
        )
        for name in chosen
    }


def families(found: list[Function]) -> list[list[Function]]:
    """Group the functions that share a name or a sentence, directly or through others.

    Of functions with the same name and sentence one is kept. In the fixed random order,
    by the first member; so are the members.
    """
    distinct: dict[tuple[str, str], Function] = {}
    for function in sorted(found, key=lambda f: f.key):
        distinct.setdefault((function.words, function.sentence.lower()), function)
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for words, sentence in distinct:
        parent[root("name " + words)] = root("sentence " + sentence)
    grouped: dict[str, list[Function]] = defaultdict(list)
    for (words, _), function in distinct.items():
        grouped[root("name " + words)].append(function)
    return list(grouped.values())


def _rows(members: list[Function]) -> list[tuple[str, str, int]]:
    """Make one row of each function, in the fixed random order.

    Every other function keeps its own sentence; those between take the next sentence of
    their module that no function of their name has. A function without such a sentence
    gives no row, so that neither label is the likelier one anywhere.
    """
    modules: dict[str, list[Function]] = defaultdict(list)
    for function in members:
        modules[function.module].append(function)
    own_sentences: dict[str, set[str]] = defaultdict(set)
    for function in members:
        own_sentences[function.words].add(function.sentence.lower())
    rows: list[tuple[tuple[int, str, str], tuple[str, str, int]]] = []
    for _, module in sorted(modules.items()):
        for place, function in enumerate(module):
            own = own_sentences[function.words]
            later = (*module[place + 1 :], *module[:place])
            wrong = next((f.sentence for f in later if f.sentence.lower() not in own), None)
            if wrong is None:
                continue
            label = len(rows) % 2
            sentence = function.sentence if label else wrong
            rows.append((function.key, (function.words, sentence, label)))
    return [row for _, row in sorted(rows)]


def _balanced(rows: list[tuple[str, str, int]], size: int) -> list[tuple[str, str, int]]:
    """Keep the first ``size`` rows, half of each label; fewer where there are not enough."""
    kept, left = [], {0: size // 2, 1: size - size // 2}
    for row in rows:
        if left[row[2]] > 0:
            left[row[2]] -= 1
            kept.append(row)
    return kept
