"""Start many fine-tuning seeds, stop the weak early, continue the best exactly."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedbed.api.blend import export as export
    from seedbed.api.export import export_best as export_best
    from seedbed.api.prepare import extend as extend
    from seedbed.api.prepare import prepare as prepare
    from seedbed.api.report import write_report as write_report
    from seedbed.api.study import Study as Study
    from seedbed.api.train import train as train
    from seedbed.core.errors import InputError as InputError
    from seedbed.core.errors import SeedbedError as SeedbedError
    from seedbed.core.spec import make_spec as make_spec
    from seedbed.core.spec import read_spec as read_spec

__version__ = "0.1.0"

_HOMES = {
    "Study": "seedbed.api.study",
    "prepare": "seedbed.api.prepare",
    "extend": "seedbed.api.prepare",
    "train": "seedbed.api.train",
    "export": "seedbed.api.blend",
    "export_best": "seedbed.api.export",
    "write_report": "seedbed.api.report",
    "make_spec": "seedbed.core.spec",
    "read_spec": "seedbed.core.spec",
    "SeedbedError": "seedbed.core.errors",
    "InputError": "seedbed.core.errors",
}
"""The public names and where they live; each is imported when it is first used."""

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
