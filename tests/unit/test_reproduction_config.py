"""A configuration mirrors its YAML file, the committed ones can be read, and a mistake is one sentence."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.config import ReproductionConfig, TopicConfig, train_config
from codeunlearn.reading import read, settings_of
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.losses import LossWeights
from codeunlearn.unlearning import S_PRIMES, Paper, Recommended

CONFIGS = Path(__file__).parents[2] / "configs"
SMALLEST: dict[str, Any] = {"text": {"data": "stories"}, "base": {"model": "some/model"}, "topics": ["love"]}


def load(tmp_path: Path, **content: Any) -> ReproductionConfig:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SMALLEST, **content}), encoding="utf-8")
    return ReproductionConfig.load(path)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_committed_configurations_can_be_read_and_name_no_folder_of_a_machine(path: Path) -> None:
    config = ReproductionConfig.load(path)
    if config.search.preset == "paper":
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


def test_a_recipe_may_be_a_name_alone_and_knows_its_mode_where_it_has_one(tmp_path: Path) -> None:
    drop = {"name": "drop", "recipe": "recommended", "options": {"max_codes": 5}, "mode": "drop"}
    paper, recommended = load(tmp_path, recipes={"compared": ["paper", drop]}).recipes.compared
    assert (paper.preset, recommended.preset) == ("paper", "recommended")
    assert recommended.make() == Recommended(max_codes=5, mode="drop")
    assert replace(paper, mode="drop").make() == Paper(), "it is how its codes are deleted, and no option of its search"


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
        ("a saved codebook model, so nothing is trained; leave base", {"joint": "some/model"}),
        ("Unknown preset 'best'", {"recipes": {"compared": ["best"]}}),
        ("two have the same", {"recipes": {"compared": ["paper", "paper"]}}),
        (
            "placebo has 'paired', which is none of those compared: paper",
            {"recipes": {"compared": "paper", "placebo": "paired"}},
        ),
        (
            "recipe 'paper': options sets 'fdr', which is none",
            {"recipes": {"compared": [{"name": "paper", "options": {"fdr": 1}}]}},
        ),
        (
            "options: alpha must be of type float",
            {"recipes": {"compared": [{"name": "paper", "options": {"alpha": "x"}}]}},
        ),
        ("called 'before'", {"recipes": {"compared": [{"name": "before", "recipe": "paper"}]}}),
        ("Unknown method 'nothing'", {"scores": {"methods": ["nothing"]}}),
        ("Unknown attack 'nothing'", {"scores": {"attacks": ["nothing"]}}),
        ("method gold needs folder", {"scores": {"methods": ["gold"]}}),
        ("leave scores: methods", {"recipes": {"compared": "paper"}, "scores": {"attacks": ["skip"]}}),
        ("losses is 101", {"recipes": {"losses": [101]}}),
        ("has no ablations beside it", {"recipes": {"compared": "paper"}, "search": {"pools": ["disjoint", "paper"]}}),
    ],
)
def test_a_mistake_is_said_in_one_sentence(tmp_path: Path, said: str, content: dict[str, Any]) -> None:
    with pytest.raises(CodeUnlearnError, match=said):
        load(tmp_path, **content)


OUTSIDE = [
    "..",
    "../x",
    "a/b",
    "/tmp/x",
    "a\\b",
    ".",
    ".hidden",
    "",
    " ",
    " love",
    "a\x00b",
    "a\nb",
    "x" * 101,
    "é" * 60,
]


@pytest.mark.parametrize("name", [*OUTSIDE, "changed", "Ablations"])
def test_a_topic_that_is_no_name_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CodeUnlearnError, match="cannot be the name of a folder"):
        load(tmp_path, topics=["love", name])


@pytest.mark.parametrize("name", [*OUTSIDE, "reference"])
def test_a_variant_that_is_no_name_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CodeUnlearnError, match="needs a name of its own"):
        load(tmp_path, ablations={"variants": ["other", name]})


# YAML.


def of_text(tmp_path: Path, text: str, **smallest: str) -> ReproductionConfig:
    path = tmp_path / "config.yaml"
    lines = {"text": "stories", "base": "some/model", "topics": "[love]", **smallest}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()) + text, encoding="utf-8")
    return ReproductionConfig.load(path)


def test_words_that_yaml_takes_for_truth_values_are_words(tmp_path: Path) -> None:
    config = of_text(tmp_path, "", topics="[no, Yes, on, off, y, love]")
    assert [topic.word for topic in config.topics] == ["no", "Yes", "on", "off", "y", "love"]


@pytest.mark.parametrize(
    ("said", "meant"), [("yes", True), ("No", False), ("on", True), ("true", True), ("False", False)]
)
def test_where_a_truth_value_is_wanted_yaml_s_words_are_ones(tmp_path: Path, said: str, meant: bool) -> None:
    assert of_text(tmp_path, f"gold_together: {said}\n").gold_together is meant


@pytest.mark.parametrize("word", ["2024-01-01", "12:30:45", "1:30", "017", "1_000", "0x10", "truelove"])
def test_what_older_yaml_takes_for_a_date_a_number_or_a_truth_value_is_a_word(tmp_path: Path, word: str) -> None:
    assert of_text(tmp_path, "", topics=f"[{word}]").topics[0].word == word


def test_what_stands_alone_is_the_one_item_of_a_list(tmp_path: Path) -> None:
    config = of_text(tmp_path, "seeds: 4\nscores: {example_s_primes: 8}\n", topics="{word: love, forms: loves}")
    assert (config.seeds, config.scores.example_s_primes, config.topics) == (
        (4,),
        (8,),
        (TopicConfig("love", ("loves",)),),
    )


def test_weights_of_losses_may_be_a_mapping(tmp_path: Path) -> None:
    config = of_text(tmp_path, "joint: {train: {losses: {l1: 0.5}}}\n")
    assert train_config(TrainConfig.joint, config.joint.train).losses == LossWeights(l1=0.5)
    with pytest.raises(CodeUnlearnError, match="joint: train: losses sets 'l2', which is none of"):
        of_text(tmp_path, "joint: {train: {losses: {l2: 0.5}}}\n")


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30))
MISTAKES = [
    ("title: a\ntitle: b\n", "title stands here a second time in line 5"),
    ("joint: {start: base, start: plain}\n", "start stands here a second time in line 4"),
    ("5: x\n", "a key is no text; put it in quotes in line 4"),
    ("null: x\n", "a key is no text"),
    ("? [a, b]\n: x\n", "a key is no text"),
    ("? {a: b}\n: x\n", "a key is no text"),
    (BOMB, "holds more than 10,000 values"),
    ("title: &a [*a]\n", "holds itself"),
    ("joint: {<<: {start: base}}\n", "joint sets '<<', which is none of"),
    ("\ttitle: x\n", "cannot be read: .* in line 4"),
    ("title: [x\n", "cannot be read"),
    ("title: 'a\n", "cannot be read"),
    ("title: !!python/object:os.system x\n", "cannot be read: could not determine a constructor"),
    ("title: !!binary aGk=\n", "cannot be read: could not determine a constructor"),
    ("title: !!set {a, b}\n", "cannot be read: could not determine a constructor"),
    ("title: !unknown x\n", "cannot be read: could not determine a constructor"),
    ("--- {}\n", "cannot be read"),
    ("title: " + "[" * 3000 + "\n", "cannot be read"),
    ("seeds: [" + "9" * 5000 + "]\n", "cannot be read"),
    ("seeds: [" + "9" * 40 + "]\n", "seeds must be a number of at most 19 digits"),
    ("seeds: [-1]\n", "seeds is -1: Input should be greater than or equal to 0"),
    ("search: {size: 0}\n", "search: size is 0: Input should be greater than or equal to 1"),
    ("title: 5\n", "title must be of type str, not 5; put it in quotes"),
    ("title: true\n", "title must be of type str, not True; put it in quotes"),
    ("title:\n", "title must be of type str, not None; put it in quotes"),
    ("title: [a]\n", r"title must be of type str, not \['a'\]"),
    ("title: {a: b}\n", "title must be of type str, not {'a': 'b'}"),
    ('title: "\\ud800"\n', "no text and no number|cannot be read"),
    ("gold_together: maybe\n", "gold_together must be of type bool, not 'maybe'; write true or false"),
    ("gold_together: 1\n", "gold_together must be of type bool, not 1; write true or false"),
    ("seeds: [1.5]\n", "seeds must be of type int, not 1.5"),
    ("seeds: [true]\n", "seeds must be of type int, not True"),
    ("seeds: [[1]]\n", r"seeds must be of type int, not \[1\]"),
    ("seeds: {a: 1}\n", "seeds must be of type int, not {'a': 1}"),
    ("seeds: []\n", "at least one seed"),
    ("plain: 5\n", "plain must be of type mapping, not 5"),
    ("plain:\n", "plain must be of type mapping, not None"),
    ("plain: {epochs: .nan}\n", "plain: epochs must be a number, not nan"),
    ("plain: {epochs: .inf}\n", "plain: epochs must be a number, not inf"),
    ("plain: {learning_rate: 1e-3}\n", "not '1e-3'; write 0.001"),
    ("plain: {optimizer: sgd}\n", "plain: optimizer is 'sgd'; choose one of muon, adamw"),
    ("plain: {max_steps: '5'}\n", "plain: max_steps must be of type int, not '5'"),
    ("joint: {build: {seed: 1.0}}\n", "joint: build: seed must be of type int, not 1.0"),
    ("joint: {bottleneck: {top_s: 8.5}}\n", "joint: bottleneck: top_s must be of type int"),
    ("joint: {start: other}\n", "joint: start is 'other'; choose one of base, plain"),
    ("joint: 5\n", "joint: model must be of type str, not 5; put it in quotes"),
    ("search: {pools: 5}\n", "pools is 5; choose one of disjoint, paper"),
    ("ablations: {variants: [{}]}\n", "variants is not complete: missing 'name'"),
    ("ablations: {variants: [5]}\n", "variants: name must be of type str, not 5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=lambda value: value[:40])
def test_yaml_that_does_not_fit_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CodeUnlearnError, match=said) as error:
        of_text(tmp_path, text)
    assert "\n" not in str(error.value)


def test_what_has_a_name_in_yaml_may_stand_in_several_places(tmp_path: Path) -> None:
    config = of_text(tmp_path, "plain: &short {max_steps: 7}\njoint: {train: *short}\n")
    assert config.plain == config.joint.train == {"max_steps": 7}


@pytest.mark.parametrize("topics", ["[5]", "[null]", "[true]", "[1.5]", "5", "null", "", "[[love]]", "[{}]", "[{word: 5}]",
                                    "{}", "[{word: love, forms: [5]}]", "[{word: love, form: x}]", "[]"])  # fmt: skip
def test_topics_that_are_none_are_one_sentence(tmp_path: Path, topics: str) -> None:
    with pytest.raises(CodeUnlearnError):
        of_text(tmp_path, "", topics=topics)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"text: \x00", b"topics: \xe9t\xe9", b"[]", b"5", b"- a", b"love"])
def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(CodeUnlearnError, match=r"config\.yaml"):
        ReproductionConfig.load(tmp_path / "config.yaml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([f.name for f in fields(ReproductionConfig)]), VALUES, max_size=3))
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_is_read_or_one_sentence(content: dict[str, Any]) -> None:
    with suppress(CodeUnlearnError):
        read(ReproductionConfig, {**SMALLEST, **content}, "config.yaml")
