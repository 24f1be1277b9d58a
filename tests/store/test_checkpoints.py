"""Checkpoint files: whole or known not to be."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from seedbed.core.errors import StorageError
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import FileFact


def published(folder: CheckpointFolder, trial: int = 1, content: bytes = b"0123456789") -> FileFact:
    aside = folder.aside(trial, 30, "weights")
    aside.write_bytes(content)
    return folder.publish(aside, trial, 30, "weights")


def test_aside_then_published_then_whole(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    aside = folder.aside(1, 30, "weights")
    aside.write_bytes(b"0123456789")
    file = folder.publish(aside, 1, 30, "weights")
    assert not aside.exists()
    assert folder.path(file).read_bytes() == b"0123456789"
    assert file.sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert (file.trial, file.step, file.kind, file.bytes) == (1, 30, "weights", 10)
    assert folder.whole(file)
    folder.sync([file])


def test_any_damaged_byte_and_any_other_length_is_noticed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    file = published(folder)
    path = folder.path(file)
    for place in range(file.bytes):
        content = bytearray(b"0123456789")
        content[place] ^= 1 << (place % 8)
        path.write_bytes(content)
        assert not folder.whole(file)
    for content in (b"", b"012345678", b"0123456789\x00"):
        path.write_bytes(content)
        assert not folder.whole(file)
    path.write_bytes(b"0123456789")
    assert folder.whole(file)
    path.unlink()
    assert not folder.whole(file)


def test_names_never_collide_over_trials_steps_and_kinds(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    names = {
        folder.aside(t, s, k).name
        for t in (0, 1, 10, 123456)
        for s in (1, 10, 12345678)
        for k in ("weights", "optimizer")
    }
    assert len(names) == 4 * 3 * 2


def test_a_new_version_replaces_the_old_one(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    old, new = published(folder), published(folder, content=b"abc")
    assert folder.path(old) == folder.path(new)
    assert folder.whole(new)
    assert not folder.whole(old)


def test_sweep_removes_what_no_fact_speaks_of(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.sweep([]) == []
    kept, lost = published(folder, 1), published(folder, 2)
    folder.aside(3, 30, "weights").write_bytes(b"half writ")
    (folder.folder / "sub").mkdir()
    swept = folder.sweep([kept])
    assert swept == [lost.file, "00003-0000030.weights.safetensors.writing"]
    assert sorted(p.name for p in folder.folder.iterdir()) == [kept.file, "sub"]
    assert folder.whole(kept)


def test_a_recorded_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    file = published(folder)
    outside = tmp_path / "precious"
    outside.write_bytes(b"x")
    for name in ("../precious", str(outside)):
        folder.delete(replace(file, file=name))
    assert outside.exists()


def test_deleting_twice_is_no_error(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    file = published(folder)
    folder.delete(file)
    folder.delete(file)
    assert not folder.whole(file)


def test_what_cannot_be_kept_or_synced_is_a_storage_error(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(StorageError, match="cannot keep"):
        folder.publish(folder.aside(1, 2, "weights"), 1, 2, "weights")
    file = published(folder)
    folder.delete(file)
    with pytest.raises(StorageError, match="cannot sync"):
        folder.sync([file])


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(StorageError):
        CheckpointFolder(tmp_path / "checkpoints").aside(1, 2, "weights")
