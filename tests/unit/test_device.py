"""What a user may call a device, what is said when it is not there, and where a process takes its memory from."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from codeunlearn.device import pick_device, processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.processor import keep_freed_memory


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for present, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        assert pick_device("auto").type == expected
        assert pick_device("cpu").type == "cpu"


def test_a_missing_or_unknown_device_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CodeUnlearnError, match="No CUDA device can be seen here; use --device cpu"):
        pick_device("cuda")
    with pytest.raises(CodeUnlearnError, match="Unknown device 'gpu'; use auto, cpu or cuda"):
        pick_device("gpu")


def test_a_process_knows_its_number_from_its_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes() == (0, 1)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes() == (1, 2)


_FAULTS = """
import resource, sys, torch
from codeunlearn.training.processor import keep_freed_memory

if sys.argv[1] == "kept":
    print(keep_freed_memory())
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(8, 1024, 1024)
before = faults()
for _ in range(4):
    torch.ones(8, 1024, 1024)
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_large_tensors_take_memory_that_was_freed_before() -> None:
    def faults(kind: str) -> list[str]:
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
        command = [sys.executable, "-c", _FAULTS, kind]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.split()

    (fresh,), (changed, kept) = faults("fresh"), faults("kept")
    assert changed == "True"
    assert int(kept) < int(fresh) / 10


def test_a_user_s_settings_of_the_allocator_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1000")
    assert not keep_freed_memory()


def test_denormal_numbers_count_as_zero_once_asked_for() -> None:
    program = "import torch; from codeunlearn.training.processor import flush_denormals\n"
    program += "print(flush_denormals(), float(torch.full((9,), 1e-39).mul(0.5).sum()))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    flushes, product = said[0] == "True", float(said[1])
    assert (product == 0) == flushes
