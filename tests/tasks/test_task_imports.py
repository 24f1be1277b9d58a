"""Reading tasks needs numpy alone, until a tokenizer or the hub is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import seedbed.tasks


def test_importing_every_module_imports_no_heavy_library() -> None:
    folder = Path(seedbed.tasks.__file__).parent
    modules = [f"seedbed.tasks.{path.stem}" for path in sorted(folder.glob("[a-z]*.py"))]
    assert len(modules) > 5
    heavy = ["torch", "transformers", "tokenizers", "datasets", "sklearn", "scipy", "pandas"]
    code = f"import sys, {', '.join(modules)}\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(folder.parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
