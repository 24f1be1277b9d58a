"""Checkpoint files: written aside, renamed when whole, checked by sha256 before use."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from seedbed.core.errors import StorageError
from seedbed.store.database import FileFact, Kind

ASIDE = ".writing"
SUFFIX = ".safetensors"


class CheckpointFolder:
    """The folder ``checkpoints/`` of a study."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``; it is made when the first file is written."""
        self.folder = folder

    def aside(self, trial: int, step: int, kind: Kind) -> Path:
        """Name the file to write; :meth:`publish` gives it its final name."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {self.folder}: {error.strerror}") from error
        return self.folder / f"{trial:05d}-{step:07d}.{kind}{SUFFIX}{ASIDE}"

    def publish(self, aside: Path, trial: int, step: int, kind: Kind) -> FileFact:
        """Rename a file that is written in full, and say what it holds."""
        final = aside.with_name(aside.name.removesuffix(ASIDE))
        try:
            digest, size = sha256(aside), aside.stat().st_size
            aside.replace(final)
        except OSError as error:
            raise StorageError(f"cannot keep {final}: {error.strerror}") from error
        return FileFact(trial, step, kind, final.name, digest, size)

    def path(self, file: FileFact) -> Path:
        """Say where ``file`` is."""
        return self.folder / Path(file.file).name

    def whole(self, file: FileFact) -> bool:
        """Whether the file is there, of the recorded size and sha256."""
        path = self.path(file)
        try:
            return path.stat().st_size == file.bytes and sha256(path) == file.sha256
        except OSError:
            return False

    def sync(self, files: Iterable[FileFact]) -> None:
        """Force ``files`` to the disk, so that they outlive a loss of power."""
        for path in [*(self.path(file) for file in files), self.folder]:
            _on_descriptor(path, os.fsync)

    def delete(self, file: FileFact) -> None:
        """Delete the file, if it is there."""
        self.path(file).unlink(missing_ok=True)

    def sweep(self, known: Iterable[FileFact]) -> list[str]:
        """Delete what a killed process left: files that no fact speaks of. Gives names."""
        if not self.folder.is_dir():
            return []
        kept = {self.path(file).name for file in known}
        strays = [p for p in sorted(self.folder.iterdir()) if p.is_file() and p.name not in kept]
        for path in strays:
            path.unlink(missing_ok=True)
        return [path.name for path in strays]


def sha256(path: Path) -> str:
    """Give the sha256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _on_descriptor(path: Path, act: Callable[[int], None]) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            act(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"cannot sync {path}: {error.strerror}") from error
