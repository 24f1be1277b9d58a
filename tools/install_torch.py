"""Install the torch that constraints.txt names: its CPU build where there is no GPU.

On Linux the package registry's own build brings gigabytes of CUDA libraries. Where no
NVIDIA driver answers, the build of PyTorch's CPU index is taken instead, unless pip is
already set up to prefer one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def pinned() -> str:
    """Read the pinned requirement, for example ``torch==2.13.0``."""
    text = (Path(__file__).resolve().parents[1] / "constraints.txt").read_text()
    match = re.search(r"^torch==\S+", text, re.MULTILINE)
    if match is None:
        sys.exit("constraints.txt pins no torch")
    return match[0]


def has_gpu() -> bool:
    """Whether an NVIDIA driver answers."""
    tool = shutil.which("nvidia-smi")
    return (
        tool is not None
        and subprocess.run([tool, "-L"], capture_output=True, check=False).returncode == 0
    )


def prefers_cpu(requirement: str) -> bool:
    """Whether pip, as it is set up here, takes a CPU build by itself."""
    if sys.platform != "linux":
        return True
    command = [*PIP, "install", "--dry-run", "--no-deps", "--quiet", "--report", "-", requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "+cpu" in done.stdout


def main() -> None:
    """Install torch; what it depends on comes with the rest."""
    requirement = pinned()
    command = [*PIP, "install", "--quiet", "--no-deps", requirement]
    if not has_gpu() and not prefers_cpu(requirement):
        command += ["--index-url", CPU_INDEX]
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
