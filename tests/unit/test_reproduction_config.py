"""A configuration mirrors its YAML file, the committed ones can be read, and a mistake is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.reproduction.config import ReproductionConfig, TopicConfig, train_config
from codeunlearn.reproduction.reading import settings_of
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.losses import LossWeights
from codeunlearn.unlearning import S_PRIMES

CONFIGS = Path(__file__).parents[2] / "configs"
SMALLEST: dict[str, Any] = {"text": {"data": "stories"}, "base": {"model": "some/model"}, "topics": ["love"]}


def load(tmp_path: Path, **content: Any) -> ReproductionConfig:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SMALLEST, **content}), encoding="utf-8")
    return ReproductionConfig.load(path)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_committed_configurations_can_be_read_and_name_no_folder_of_a_machine(path: Path) -> None:
    config = ReproductionConfig.load(path)
    assert config.search.s_primes == S_PRIMES
    assert config.scores.placebo_draws >= 20
    texts = [part.data for part in (config.text, *config.base.text)]
    assert not any(text.startswith(("/", "~")) for text in texts)
    for make, options in ((TrainConfig.finetune, config.plain), (TrainConfig.joint, config.joint.train)):
        train_config(make, options)


def test_the_papers_configuration_is_the_papers() -> None:
    config = ReproductionConfig.load(CONFIGS / "paper.yaml")
    assert (config.base.model, config.text.data, config.text.config) == (
        "google-t5/t5-small", "Helsinki-NLP/opus_books", "en-fr",
    )  # fmt: skip
    assert config.joint.bottleneck == {"num_codes": 25_000, "code_dim": 512, "top_s": 8, "layer": 2}
    losses = train_config(TrainConfig.joint, config.joint.train).losses
    assert isinstance(losses, LossWeights)
    assert losses.l1 == 1e-6
    assert [topic.word for topic in config.topics] == ["love", "Julien", "captain", "poor", "wish", "white", "black"]
    assert config.joint.start == "base"
    assert config.search.preset == "paper"
    assert len(config.gold) >= 3
    assert len(config.seeds) >= 3


def test_a_topic_is_a_word_or_a_mapping(tmp_path: Path) -> None:
    config = load(tmp_path, topics=["love", {"word": "sea", "forms": ["sea", "seas"], "neighbours": []}])
    assert config.topics == (TopicConfig("love"), TopicConfig("sea", ("sea", "seas"), (), ()))
    assert config.topics[0].neighbours is None


def test_the_command_line_overrules_the_file_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SMALLEST, "text": {"data": "x.tsv", "limit": 5}}), encoding="utf-8")
    config = ReproductionConfig.load(path, text={"data": "y.tsv"})
    assert (config.text.data, config.text.limit) == ("y.tsv", 5)


def test_settings_of_the_command_line_are_nested_yaml() -> None:
    found = settings_of(["joint.train.max_steps=20", "seeds=[3, 4]", "joint.train.losses=paper"])
    assert found == {"joint": {"train": {"max_steps": 20, "losses": "paper"}}, "seeds": [3, 4]}
    assert settings_of(["plain.learning_rate=1e-3"]) == {"plain": {"learning_rate": 0.001}}
    for entry in ("seeds", "=3", "a..b=1"):
        with pytest.raises(CodeUnlearnError, match="takes KEY=VALUE"):
            settings_of([entry])
    with pytest.raises(CodeUnlearnError, match="not YAML"):
        settings_of(["seeds=[3"])


def test_a_text_of_a_known_file_name_keeps_the_options_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    text = [{"data": "tales.tsv", "max_characters": 180}, {"data": "other.tsv"}]
    path.write_text(yaml.safe_dump({**SMALLEST, "base": {"size": "tiny", "text": text}}), encoding="utf-8")
    given = [{"data": "/some/where/tales.tsv"}, {"data": "new.tsv"}]
    found = ReproductionConfig.load(path, base={"text": given}).base.text
    assert found == (DataConfig("/some/where/tales.tsv", max_characters=180), DataConfig("new.tsv"))


def test_the_base_may_be_a_name_alone(tmp_path: Path) -> None:
    assert load(tmp_path, base="some/model").base.model == "some/model"


def test_models_are_trained_once_or_once_per_seed(tmp_path: Path) -> None:
    once = load(tmp_path, seeds=[3, 4])
    assert (once.model_seeds, once.model_seed(4)) == ((3,), 3)
    each = load(tmp_path, seeds=[3, 4], models_per_seed=True)
    assert (each.model_seeds, each.model_seed(4)) == ((3, 4), 4)


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ("sets 'topicz', which is none of", {"topicz": []}),
        ("search sets 's_prime', which is none of", {"search": {"s_prime": 8}}),
        ("plain sets 'epoch', which is none of", {"plain": {"epoch": 3}}),
        ("joint: bottleneck sets 'codes', which is none of", {"joint": {"bottleneck": {"codes": 8}}}),
        ("pools is 'mixed'; choose one of disjoint, paper", {"search": {"pools": ["mixed"]}}),
        ("seeds must be of type int", {"seeds": ["a"]}),
        ("either a saved model .* or trained here", {"base": {"size": "tiny", "model": "x"}}),
        ("needs text of its own", {"base": {"size": "tiny"}}),
        ("no topic 'hate' for a gold model", {"gold": ["hate"]}),
        ("no topic 'hate' for the ablations", {"ablations": {"topics": ["hate"]}}),
        ("S' = 72 is to be shown but not searched", {"search": {"s_primes": [8, 24]}}),
        ("each topic once", {"topics": ["love", "love"]}),
        ("is not complete: missing .*'data'", {"text": {"limit": 3}}),
        ("Unknown preset 'best'", {"search": {"preset": "best"}}),
        ("mode is 'skip'; choose one of refill", {"ablations": {"variants": [{"name": "a", "mode": "skip"}]}}),
        (
            "has a mode, so nothing else",
            {"ablations": {"variants": [{"name": "a", "mode": "drop", "train": {"epochs": 1}}]}},
        ),
        ("needs a name of its own", {"ablations": {"variants": ["reference"]}}),
        ("plain: learning_rate must be of type float, not '1e-3'", {"plain": {"learning_rate": "1e-3"}}),
        (
            "variant 'a': bottleneck sets 'codes'",
            {"ablations": {"variants": [{"name": "a", "bottleneck": {"codes": 1}}]}},
        ),
        ("concept is 'hate', which is none of the topics", {"concept": "hate"}),
    ],
)
def test_a_mistake_is_said_in_one_sentence(tmp_path: Path, said: str, content: dict[str, Any]) -> None:
    with pytest.raises(CodeUnlearnError, match=said):
        load(tmp_path, **content)
