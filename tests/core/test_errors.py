"""Messages name what was given and what is allowed, and never break themselves."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core import errors
from seedbed.core.errors import InputError, SeedbedError, clipped, nearest


def test_every_error_has_an_exit_code_of_the_contract() -> None:
    codes = {
        kind.__name__: kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SeedbedError)
    }
    assert set(codes.values()) == {1, 2, 130}
    assert codes["InputError"] == codes["NoStudyError"] == 2
    assert codes["InterruptedStudyError"] == 130


def test_an_input_error_says_where_given_and_allowed() -> None:
    error = InputError("no", where="here", given=3, allowed="1 or 2")
    assert str(error) == "here: no\n  given:   3\n  allowed: 1 or 2"
    assert (error.where, error.given, error.allowed) == ("here", 3, "1 or 2")


@given(st.text() | st.integers() | st.binary() | st.lists(st.text(max_size=5)))
def test_clipped_is_printable(value: object) -> None:
    shown = clipped(value)
    assert shown.isprintable()
    assert len(shown) <= 200


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, "\x1b[2J" * 1000, 1 << 100_000, ["a"] * 10**5],
    ids=["long", "escapes", "integer", "list"],
)
def test_clipped_is_short_whatever_comes(value: object) -> None:
    shown = clipped(value)
    assert len(shown) <= 200
    assert shown.isprintable()
    assert sys.getsizeof(shown) < 2000


def test_nearest_names_the_nearest_and_lists_all() -> None:
    assert nearest("learning_rte", ["learning_rate", "batch_size"]) == (
        "batch_size, learning_rate (did you mean 'learning_rate'?)"
    )
    assert nearest("zzz", ["b", "a"]) == "a, b"
