"""Text becomes token ids: a split, packed without padding.

Axes: N rows, T tokens of all rows together. Row i has the tokens offsets[i]..offsets[i+1].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.core.errors import InputError, StudyError
from seedbed.tasks.task import Split

ROWS_AT_ONCE = 4096
"""Rows given to the tokenizer at once; bounds the memory for its Python lists."""

_DTYPES = {"tokens": np.int32, "types": np.uint8, "offsets": np.int64, "labels": np.int64}


@dataclass(frozen=True, eq=False)
class Encoded:
    """A split as the model sees it, special tokens included.

    ``tokens`` int32 [T] ids; ``types`` uint8 [T] which text a token belongs to
    (``token_type_ids``; zeros where the model has none); ``offsets`` int64 [N + 1];
    ``labels`` int64 [N].
    """

    tokens: NDArray[np.int32]
    types: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, int64 [N]."""
        return np.diff(self.offsets)

    def save(self, folder: Path) -> None:
        """Write one ``.npy`` file an array into ``folder``, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, dtype in _DTYPES.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    @staticmethod
    def load(folder: Path) -> Encoded:
        """Open what ``save`` wrote, mapped read-only: many workers share its memory.

        Raises StudyError where files are missing, damaged or do not belong together.
        """
        arrays: dict[str, Any] = {}
        for name, dtype in _DTYPES.items():
            path = folder / f"{name}.npy"
            try:
                arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise StudyError(f"{path}: cannot be read ({error})") from error
            if arrays[name].dtype != dtype or arrays[name].ndim != 1:
                raise StudyError(f"{path}: not an array of {np.dtype(dtype).name} [n]")
        encoded = Encoded(**arrays)
        offsets = encoded.offsets
        if (
            len(offsets) != len(encoded.labels) + 1
            or offsets[0] != 0
            or offsets[-1] != len(encoded.tokens)
            or len(encoded.types) != len(encoded.tokens)
            or (encoded.lengths < 0).any()
        ):
            raise StudyError(f"{folder}: the arrays of encoded rows do not belong together")
        return encoded


def encode(split: Split, tokenizer: Any, max_length: int) -> Encoded:
    """Encode ``split`` with a Transformers tokenizer, at most ``max_length`` tokens a row.

    Special tokens are added; of a pair too long, tokens are cut from the longer text first
    (``longest_first``). Raises InputError where ``max_length`` leaves no room for text.
    """
    _check_length(max_length, tokenizer.num_special_tokens_to_add(split.second is not None), split)
    has_types = "token_type_ids" in tokenizer.model_input_names
    tokens, types, lengths = [], [], [np.zeros(1, np.int64)]
    for start in range(0, len(split), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        texts = [list(split.first[rows])]
        if split.second is not None:
            texts.append(list(split.second[rows]))
        batch = tokenizer(
            *texts,
            truncation="longest_first",
            max_length=max_length,
            padding=False,
            add_special_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=has_types,
        )
        ids = batch["input_ids"]
        kinds = batch["token_type_ids"] if has_types else [[0] * len(row) for row in ids]
        tokens.append(np.array([token for row in ids for token in row], np.int32))
        types.append(np.array([kind for row in kinds for kind in row], np.uint8))
        lengths.append(np.array([len(row) for row in ids], np.int64))
    return Encoded(
        tokens=np.concatenate(tokens),
        types=np.concatenate(types),
        offsets=np.cumsum(np.concatenate(lengths)),
        labels=np.array(split.labels, np.int64),
    )


def _check_length(max_length: int, special: int, split: Split) -> None:
    least = special + (1 if split.second is None else 2)
    if max_length < least:
        raise InputError(
            "no room for text beside the special tokens",
            where="max_length",
            given=max_length,
            allowed=f"at least {least} for this tokenizer and task",
        )
