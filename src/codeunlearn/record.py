"""What a figure needs beside it to be repeated: versions, machine, time."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import codeunlearn
from codeunlearn.device import has_fast_bf16, pick_device


def environment() -> dict[str, Any]:
    """Versions and machine, without names or paths of the machine."""
    return {
        "codeunlearn": codeunlearn.__version__,
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "fast_bf16": has_fast_bf16(pick_device("auto")),
        "platform": sys.platform,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def now() -> str:
    """The time, in ISO form and UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def public_name(name: str) -> str:
    """A Hub name as it is; of a local path the last part, so that records name no folders of the machine."""
    return Path(name).name if Path(name).exists() else name
