"""What can go wrong, as classes; each says which exit code the command line gives it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class SeedbedError(Exception):
    """Anything seedbed says itself. Its message is meant for a person."""

    exit_code: ClassVar[int] = 1


class InputError(SeedbedError):
    """The user's input is wrong: says where, what was given and what is allowed."""

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        given: object = None,
        allowed: str | None = None,
    ) -> None:
        self.problem, self.where, self.given, self.allowed = problem, where, given, allowed
        message = problem if where is None else f"{where}: {problem}"
        if given is not None:
            message += f"\n  given:   {clipped(given)}"
        if allowed is not None:
            message += f"\n  allowed: {allowed}"
        super().__init__(message)


class StudyError(SeedbedError):
    """A study folder cannot be used as asked (damaged, incomplete)."""


class NoStudyError(StudyError):
    """The folder that was named holds no study."""

    exit_code: ClassVar[int] = 2


class BusyError(StudyError):
    """Another process is writing this study."""


class StorageError(SeedbedError):
    """The disk is full, read-only or over its quota; the study can be resumed."""


class WorkerError(SeedbedError):
    """A worker process could not do its work (not: one trial failed)."""


class InterruptedStudyError(SeedbedError):
    """The user stopped the study; it can be resumed."""

    exit_code: ClassVar[int] = 130


def clipped(value: object, length: int = 200) -> str:
    """Show ``value`` as a person would type it, printable and at most ``length`` long."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except ValueError:  # Python refuses to write very long integers
        text = f"a {type(value).__name__} too long to show"
    text = printable(text[: length + 1]).replace("\n", "\\n")
    return text if len(text) <= length else text[: length - 1] + "…"


def printable(text: str) -> str:
    """Escape what a terminal would act upon instead of showing it; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def nearest(word: str, valid: Iterable[str]) -> str:
    """List the ``valid`` words, and name the one ``word`` was probably meant to be."""
    words = sorted(valid)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    listing = ", ".join(words)
    return f"{listing} (did you mean {close[0]!r}?)" if close else listing
