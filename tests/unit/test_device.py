"""What a user may call a device, and what is said when it is not there."""

import pytest
import torch

from codeunlearn.device import pick_device, processes
from codeunlearn.errors import CodeUnlearnError


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
