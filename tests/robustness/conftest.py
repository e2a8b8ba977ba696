"""One world for all cases, and a place of its own for each."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import huggingface_hub
import pytest
from hypothesis import settings
from outcome import SURROUNDINGS
from place import Place
from world import World, make_world

settings.register_profile("tests", derandomize=True, deadline=None, database=None)
settings.load_profile("tests")


@pytest.fixture(autouse=True, scope="session")
def offline() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SURROUNDINGS.items():
            patch.setenv(name, value)
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # it read the environment when it was imported
        yield


@pytest.fixture(scope="session")
def world(offline: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def place(world: World, tmp_path: Path) -> Place:
    return Place(tmp_path, world)
