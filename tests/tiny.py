"""A tiny model with a tokenizer, and a tiny task, for tests that run a whole study."""

from __future__ import annotations

import csv
import string
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seedbed.train.pretrained import quiet_transformers, untouched_generators

WORDS = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay", "kite", "lark")


def tiny_model(folder: Path) -> Path:
    """Save a BERT of 2 layers and 24 units, without a classifier, and its tokenizer."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    letters = [*string.ascii_lowercase, *("##" + c for c in string.ascii_lowercase)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters]
    (folder / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=24,
        num_attention_heads=3,
        num_hidden_layers=2,
        intermediate_size=48,
        max_position_embeddings=40,
        initializer_range=0.15,  # learns in 36 steps
    )
    with untouched_generators(), quiet_transformers():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
        transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def tiny_rows(path: Path, rows: int, seed: int, label_names: tuple[str, ...]) -> Path:
    """Write a csv task: the first word says the label, three times out of four."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "label"])
        for _ in range(rows):
            label = int(rng.integers(len(label_names)))
            tells = label if rng.random() < 0.75 else int(rng.integers(len(label_names)))
            words = [WORDS[tells], *rng.choice(WORDS[4:], int(rng.integers(1, 9)))]
            writer.writerow([" ".join(words), label_names[label]])
    return path


def tiny_values(folder: Path, **sections: dict[str, Any]) -> dict[str, Any]:
    """Give the sections of a study file for the tiny model and task, made in ``folder``."""
    names = ("left", "right", "straight")
    values: dict[str, Any] = {
        "model": {"name": str(tiny_model(folder / "model"))},
        "task": {
            "name": "turns",
            "train": str(tiny_rows(folder / "train.csv", 96, 1, names)),
            "validation": str(tiny_rows(folder / "validation.csv", 60, 2, names)),
        },
        "recipe": {
            "num_train_epochs": 3.0,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "max_length": 32,
        },
        "evaluation": {"per_epoch": 4},
        "seeds": {"init": 2, "order": 3},
        "run": {"processes": 2},
    }
    for section, keys in sections.items():
        values[section] = {**values.get(section, {}), **keys}
    return values
