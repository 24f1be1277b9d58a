"""Small random models of each family, and small random tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from seedbed.core.schedule import Schedule
from seedbed.core.spec import Recipe
from seedbed.tasks.encode import Encoded
from seedbed.train.job import Job
from seedbed.train.pretrained import untouched_generators

FAMILIES = ("bert", "roberta", "distilbert", "electra")
VOCABULARY = 90
LONGEST = 27


def small_model(family: str, *, dropout: float = 0.0, seed: int = 0, **changes: Any) -> Any:
    """Build a classifier with 3 heads of 8, 2 layers, 3 labels; weights far from zero."""
    import transformers as t

    sizes = {
        "vocab_size": VOCABULARY,
        "num_labels": 3,
        "max_position_embeddings": 40,
    }
    if family == "distilbert":
        sizes |= {"dim": 24, "n_heads": 3, "n_layers": 2, "hidden_dim": 40}
        rates = ("dropout", "attention_dropout", "seq_classif_dropout")
    else:
        sizes |= {"hidden_size": 24, "num_attention_heads": 3, "num_hidden_layers": 2}
        sizes |= {"intermediate_size": 40}
        rates = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    if family == "electra":
        sizes["embedding_size"] = 16
    stem = {"bert": "Bert", "roberta": "Roberta", "distilbert": "DistilBert", "electra": "Electra"}
    config_class = getattr(t, stem[family] + "Config")
    model_class = getattr(t, stem[family] + "ForSequenceClassification")
    config = config_class(**{**sizes, **dict.fromkeys(rates, dropout), **changes})
    with untouched_generators():
        torch.manual_seed(seed)
        model = model_class(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape) * 0.1)
    return model.train()


def small_task(rows: int, seed: int, *, words: tuple[int, int] = (3, VOCABULARY)) -> Encoded:
    """Draw rows of mixed lengths, 1..LONGEST, with three labels that the tokens tell."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, LONGEST + 1, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = rng.integers(0, 3, rows)
    tokens = rng.integers(*words, offsets[-1]).astype(np.int32)
    tokens[offsets[:-1]] = words[0] + labels
    types = np.concatenate([np.sort(rng.integers(0, 2, n)) for n in lengths]).astype(np.uint8)
    return Encoded(tokens=tokens, types=types, offsets=offsets, labels=labels)


def small_job(folder: Path, family: str = "bert", **changes: Any) -> Job:
    """Save a small encoder, without classifier, and make a job of it; changes: the recipe's."""
    model = small_model(family)
    with untouched_generators():
        model.base_model.save_pretrained(folder)
    settings: dict[str, Any] = {
        "num_train_epochs": 4.0,
        "batch_size": 8,
        "learning_rate": 2e-3,
        "dropout": 0.1,
        "weight_decay": 0.1,
    }
    recipe = Recipe(**{**settings, **changes})
    train = small_task(100, 1, words=(10, 60))
    return Job(
        source=str(folder),
        train=train,
        validation=small_task(40, 2, words=(10, 70)),
        label_names=("a", "b", "c"),
        metric="accuracy",
        recipe=recipe,
        schedule=Schedule(len(train), recipe.batch_size, recipe.num_train_epochs, per_epoch=2),
        pad_token_id=model.config.pad_token_id,
        uses_token_types=model.config.model_type in {"bert", "electra"},
    )


def padded(model: Any, split: Encoded, rows: list[int]) -> dict[str, torch.Tensor]:
    """Give rows as Transformers wants them: padded to the longest."""
    config = model.config
    spans = [slice(split.offsets[i], split.offsets[i + 1]) for i in rows]
    longest = max(span.stop - span.start for span in spans)
    inputs = {
        "input_ids": torch.full((len(rows), longest), config.pad_token_id),
        "attention_mask": torch.zeros(len(rows), longest, dtype=torch.int64),
        "token_type_ids": torch.zeros(len(rows), longest, dtype=torch.int64),
    }
    for row, span in enumerate(spans):
        n = span.stop - span.start
        inputs["input_ids"][row, :n] = torch.from_numpy(split.tokens[span].astype(np.int64))
        inputs["attention_mask"][row, :n] = 1
        inputs["token_type_ids"][row, :n] = torch.from_numpy(split.types[span].astype(np.int64))
    if getattr(config, "type_vocab_size", 0) < 2:
        del inputs["token_type_ids"]
    return inputs
