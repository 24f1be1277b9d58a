"""From flags and ``--set`` to a study file's sections."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.spec import Spec, make_spec, read_spec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEMO: dict[str, Any] = {
    "task.name": "docmatch",
    "recipe.learning_rate": 5e-5,
    "recipe.num_train_epochs": 2.0,
    "evaluation.per_epoch": 10,
    "seeds.init": 4,
    "seeds.order": 4,
}
"""The demo's study: MiniLM on docstrings of the standard library."""


def spec_from(study: Path | None, flags: Mapping[str, Any], settings: Sequence[str]) -> Spec:
    """Build a Spec from a study file, then flags, then ``--set section.key=value``.

    Paths in a file start at the file's folder, paths in flags at the working folder.
    """
    values: dict[str, Any] = {}
    if study is not None:
        values = read_spec(study).model_dump(mode="json", exclude_none=True)
    for key, value in flags.items():
        if value is not None:
            _put(values, key, value, where=f"--{key.rpartition('.')[2]}")
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise InputError(
                "a setting needs a value",
                where="--set",
                given=setting,
                allowed="section.key=value, for example recipe.learning_rate=3e-5",
            )
        _put(values, key.strip(), _value(text.strip()), where="--set")
    return make_spec(values, where="study", base=Path.cwd())


def _put(values: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    section, dot, name = key.partition(".")
    if not dot or not name:
        raise InputError(
            "a setting is named by its section and key",
            where=where,
            given=key,
            allowed="section.key, for example recipe.learning_rate",
        )
    values.setdefault(section, {})[name] = value


def _value(text: str) -> Any:
    """Read a value as TOML does; what is no TOML value is a string."""
    if "\n" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # TOMLDecodeError, or a number of too many digits
        return text
