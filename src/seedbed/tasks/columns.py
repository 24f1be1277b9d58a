"""Which columns of a table hold the texts and the label: named, or guessed if unambiguous."""

from __future__ import annotations

from dataclasses import dataclass

from seedbed.core.errors import InputError
from seedbed.tasks.table import Table, some_of

LABELS = ("label", "labels", "class", "target", "quality", "category", "gold_label", "y")
PAIRS = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("#1 string", "#2 string"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("text", "text_pair"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "answer"),
    ("question", "passage"),
    ("question", "context"),
    ("query", "document"),
    ("query", "passage"),
)
SINGLES = ("sentence", "text", "review", "comment", "content", "question", "document", "tweet")
IGNORED = ("", "index", "idx", "id", "guid", "uid", "#1 id", "#2 id", "pairid", "unnamed: 0")


@dataclass(frozen=True)
class Columns:
    """The names of the columns used; ``second`` is None where a row has one text."""

    first: str
    second: str | None
    label: str


def find_columns(
    table: Table, *, text: str | None, text_pair: str | None, label: str | None
) -> Columns:
    """Take the columns named, guess the others from the names of the table's columns.

    Raises InputError for a name that is not there, and where a guess would be ambiguous.
    """
    for key, name in (("text", text), ("text_pair", text_pair), ("label", label)):
        if name is not None and name not in table.columns:
            raise InputError(
                f"the column named by {key} is missing",
                where=str(table.path),
                given=name,
                allowed=some_of(name, table.columns),
            )
    if text_pair is not None and text is None:
        raise InputError(
            "the second text is named, the first is not",
            where=str(table.path),
            given=f"text_pair = {text_pair!r}",
            allowed="text and text_pair, text alone, or neither",
        )
    named = [name for name in (text, text_pair, label) if name is not None]
    if len(set(named)) != len(named):
        raise InputError(
            "one column is named twice",
            where=str(table.path),
            given=", ".join(named),
            allowed="a column of its own for each of text, text_pair and label",
        )
    if label is None:
        label = _guess_label(table, {name for name in (text, text_pair) if name})
    if text is None:
        text, text_pair = _guess_texts(table, label)
    return Columns(text, text_pair, label)


def _guess_label(table: Table, used: set[str]) -> str:
    found = [c for c in table.columns if c.lower() in LABELS and c not in used]
    if len(found) != 1:
        _ambiguous(table, "label", found)
    return found[0]


def _guess_texts(table: Table, label: str) -> tuple[str, str | None]:
    """Guess by known names first; else the one or two columns that are left."""
    rest = [c for c in table.columns if c != label and c.lower() not in IGNORED]
    by_name = {c.lower(): c for c in rest}
    pairs = [pair for pair in PAIRS if pair[0] in by_name and pair[1] in by_name]
    paired = {name for pair in pairs for name in pair}
    singles = [name for name in SINGLES if name in by_name and name not in paired]
    if len(pairs) == 1 and not singles:
        return by_name[pairs[0][0]], by_name[pairs[0][1]]
    if len(singles) == 1 and not pairs:
        return by_name[singles[0]], None
    if not pairs and not singles and 1 <= len(rest) <= 2:
        return rest[0], rest[1] if len(rest) == 2 else None
    return _ambiguous(table, "text", [*(" + ".join(pair) for pair in pairs), *singles])


def _ambiguous(table: Table, what: str, found: list[str]) -> tuple[str, str | None]:
    problem = f"cannot tell which column holds the {what}"
    if found:
        problem += f" (it may be {' or '.join(found)})"
    example = 'label = "NAME"' if what == "label" else 'text = "NAME" (and text_pair = "NAME")'
    raise InputError(
        problem,
        where=str(table.path),
        given="columns " + ", ".join(repr(column) for column in table.columns),
        allowed=f"name it: {example}",
    )
