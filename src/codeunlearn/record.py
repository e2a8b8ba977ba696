"""What a figure needs beside it to be repeated: versions, machine, time."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

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


def public_name(name: str) -> str:
    """A Hub name as it is; of a local path the last part, so that records name no folders of the machine."""
    return Path(name).name if Path(name).exists() else name


def plain(content: Any) -> Any:
    """The same content with numbers that JSON cannot hold (nan, infinity) as None."""
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, dict):
        return {key: plain(value) for key, value in cast(dict[Any, Any], content).items()}
    if isinstance(content, (list, tuple)):
        return [plain(item) for item in cast(list[Any], content)]
    return content


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file whole or not at all: a killed process leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
