"""A trial's state as two safetensors files: its weights, and its optimizer's moments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from seedbed.core.errors import StorageError, StudyError


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write ``tensors`` to ``path`` in the safetensors format (never pickle)."""
    try:
        save_file({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, path)
    except (OSError, SafetensorError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def read_tensors(path: Path, expected: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Read ``path``; names and shapes must be those of ``expected``.

    Raises StudyError where they are not, or where the file is not safetensors.
    """
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise StudyError(f"cannot read {path}: {error}") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    if shapes != wanted:
        different = sorted(set(shapes.items()) ^ set(wanted.items()))[:3]
        raise StudyError(f"{path} belongs to another model: {different}")
    return tensors
