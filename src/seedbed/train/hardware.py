"""What this machine is, and what a study should use of it."""

from __future__ import annotations

import os
import platform
from typing import Literal

import torch

from seedbed.core.errors import InputError


def resolve_device(wanted: str) -> str:
    """Give ``cpu`` or ``cuda``; ``auto`` takes a GPU where there is one."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "this machine (or this build of torch) has no GPU",
            where="[run] device",
            given=wanted,
            allowed="cpu, auto",
        )
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def resolve_precision(wanted: str, device: str) -> Literal["float32", "bfloat16"]:
    """Give the precision of the products; ``auto`` takes bfloat16 where it is native."""
    if wanted == "auto":
        return "bfloat16" if _multiplies_bfloat16(device) else "float32"
    return "bfloat16" if wanted == "bfloat16" else "float32"


def _multiplies_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def cores() -> int:
    """Count the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(device: str) -> dict[str, str]:
    """Say what the bits of a curve may depend on beyond seeds, data and recipe."""
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "system": platform.system(),
    }
