"""A bottleneck from data alone: the same from the same seed, and fed with the sentences that the model will see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from codeunlearn.codebook import Frame, fingerprint, load_model, load_tokenizer
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.training import initialise, run
from codeunlearn.training.asked import set_frame
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig

DATA = DataConfig("stories", limit=2000)
SHAPE = {"num_codes": 256, "code_dim": 64}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A plain model that was trained with a prefix."""
    out = tmp_path_factory.mktemp("base")
    run.train_plain(DATA, "tiny", out, TrainConfig(max_steps=2, batch_tokens=1500, device="cpu", source_prefix="fr: "))
    return str(out)


def test_the_seed_decides_the_whole_bottleneck(base: str, tmp_path: Path) -> None:
    prints: list[str] = []
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        torch.rand(len(prints) + 1)  # what ran before must not matter
        run.build(DATA, base, tmp_path / name, BuildConfig(seed=seed), SHAPE)
        prints.append(fingerprint(load_model(tmp_path / name)))
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(("asked", "expected"), [("", "fr: "), ("to French: ", "to French: ")])
def test_codes_are_made_from_sentences_with_the_prefix(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, expected: str
) -> None:
    read: list[str] = []
    original = initialise.initialise_from_data

    def reading(model: Any, tokenizer: Any, sentences: list[str], *others: Any) -> dict[str, float]:
        read.extend(sentences)
        return original(model, tokenizer, sentences, *others)

    monkeypatch.setattr(run, "initialise_from_data", reading)
    run.build(DATA, base, tmp_path / "built", BuildConfig(), SHAPE, source_prefix=asked)
    assert all(sentence.startswith(expected) for sentence in read)
    assert load_model(tmp_path / "built").config.source_prefix == expected


def test_plain_training_keeps_the_prefix_of_its_base(base: str, tmp_path: Path) -> None:
    run.train_plain(DATA, base, tmp_path / "further", TrainConfig(max_steps=1, batch_tokens=1500, device="cpu"))
    assert load_model(tmp_path / "further").config.source_prefix == "fr: "


def test_a_base_with_task_prefixes_asks_for_one(base: str) -> None:
    model = load_model(base)
    model.config.source_prefix = ""
    model.config.task_specific_params = {"translation_en_to_fr": {"prefix": "translate English to French: "}}
    with pytest.warns(UserWarning, match="'translate English to French: '.*--source-prefix"):
        set_frame(model, load_tokenizer(base), Frame())


def test_a_frozen_bottleneck_stays_as_it_was_built(base: str, tmp_path: Path) -> None:
    run.build(DATA, base, tmp_path / "built", BuildConfig(new_basis=False), SHAPE)
    config = TrainConfig.joint(max_steps=4, batch_tokens=1500, device="cpu", frozen="bottleneck", revive_steps=1)
    run.train_joint(DATA, base, tmp_path / "joint", config, BuildConfig(new_basis=False), SHAPE)
    built, joint = (load_model(tmp_path / name).state_dict() for name in ("built", "joint"))
    same = {name for name in built if torch.equal(built[name], joint[name])}
    assert {name for name in built if ".bottleneck." in name} <= same
    assert len(same) < len(built)
