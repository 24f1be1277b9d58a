"""Shared by all tests: no network, and where the data is, if it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SHARED_GLUE = Path(__file__).resolve().parents[2] / "shared" / "data" / "glue"


@pytest.fixture(scope="session")
def glue() -> Path:
    """The folder with MRPC, RTE, CoLA and SST-2; tests that need it are skipped without."""
    folder = Path(os.environ.get("SEEDBED_GLUE", SHARED_GLUE))
    if not folder.is_dir():
        pytest.skip(f"no GLUE data at {folder} (set SEEDBED_GLUE)")
    return folder
