"""A forget set is a small file that says which codes, why, and for which model; a search makes the same one again."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from codeunlearn.codebook import BottleneckConfig, attach, fingerprint
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import (
    CodeEvidence,
    ForgetSet,
    Paper,
    TopicSearch,
    forget,
    union,
)

NAMES = ["cat", "dog", "bird", "horse", "fish", "cow"]
TOPIC = [f"the {a} loves a very old {b}" for a in NAMES for b in NAMES]
CONTROL = [sentence.replace("loves", "paints" if i % 2 else "sees") for i, sentence in enumerate(TOPIC)]
WORDS = ("<pad>", "</s>", "the", "a", "very", "old", "loves", "paints", "sees", *NAMES)
TOKENIZER = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "</s>"))
)
TOKENIZER.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
LOVE = ForgetSet(
    topic="love",
    ids=(41, 7),
    fingerprint="a" * 64,
    forms=("love", "loves"),
    target_forms=("aimer", "été"),
    evidence=(
        CodeEvidence(41, 30, 0, 0.6, 0.0, 19.2, 1e-12, (("▁love", 28), ("s", 2))),
        CodeEvidence(7, 20, 5, 0.4, 0.1, 2.0, 3e-4, ()),
    ),
    preset="paper",
    preset_options={"alpha": 0.05, "unit": "sentence"},
    s_prime=72,
    seed=3,
    num_codes=100,
    n_topic=50,
    n_control=50,
    codes_tested=80,
    expected_false_positives=2.0,
    created="2026-11-23T12:00:00+00:00",
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def model() -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 2, "num_layers": 2, "num_decoder_layers": 1}
    base = T5ForConditionalGeneration(T5Config(vocab_size=len(TOKENIZER), decoder_start_token_id=0, **sizes))
    site = "encoder.block.1.layer.0"
    return attach(base.eval(), BottleneckConfig(d_model=16, num_codes=60, code_dim=8, top_s=2, site=site))


SETS = TopicSets.from_sentences("love", TOPIC, [CONTROL], forms=["loves"], target_words=["aimer"])


def search(model: T5ForConditionalGeneration, s_prime: int = 4, **options: Any) -> TopicSearch:
    return Paper(s_prime=s_prime).search(model, TOKENIZER, SETS, steps=(), **options)


# The file.


def test_a_saved_forget_set_comes_back_equal(tmp_path: Path) -> None:
    LOVE.save(tmp_path / "sets" / "love.json")
    loaded = ForgetSet.load(tmp_path / "sets" / "love.json")
    assert loaded == LOVE
    assert loaded.to_dict() == LOVE.to_dict()
    assert [file.name for file in (tmp_path / "sets").iterdir()] == ["love.json"]


def test_the_file_is_plain_json_with_the_fields_people_look_for(tmp_path: Path) -> None:
    LOVE.save(tmp_path / "love.json")
    text = (tmp_path / "love.json").read_text(encoding="utf-8")
    content = json.loads(text)
    expected = {"topic", "forms", "ids", "evidence", "preset", "s_prime", "seed", "fingerprint", "version"}
    assert expected <= set(content)
    assert content["evidence"][0]["top_tokens"] == [["▁love", 28], ["s", 2]]
    assert "été" in text


def test_an_older_file_with_fewer_keys_is_read(tmp_path: Path) -> None:
    old = {"format": "codeunlearn-forget-set", "topic": "love", "ids": [3, 1], "fingerprint": "b" * 64}
    (tmp_path / "old.json").write_text(json.dumps(old))
    loaded = ForgetSet.load(tmp_path / "old.json")
    assert (loaded.topic, loaded.ids, loaded.evidence) == ("love", (3, 1), ())
    assert str(loaded) == "love: 2 codes"


def test_unknown_keys_warn_and_are_left_out(tmp_path: Path) -> None:
    content = LOVE.to_dict() | {"colour": "red"}
    content["evidence"] = [row | {"zeal": 0.1} for row in content["evidence"]]
    (tmp_path / "new.json").write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="ignored: (colour|zeal)") as caught:
        assert ForgetSet.load(tmp_path / "new.json") == LOVE
    assert len(caught) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSON"),
        ("\x00\xff", "JSON"),
        ("[]", "not a forget set"),
        ('{"model_type": "t5"}', "not a forget set"),
        ('{"format": "codeunlearn-forget-set", "topic": "love"}', "damaged"),
        ('{"format": "codeunlearn-forget-set", "topic": "x", "ids": 3, "fingerprint": ""}', "damaged"),
        ('{"format": "codeunlearn-forget-set", "topic": "x", "ids": [1, 1], "fingerprint": ""}', "distinct"),
        (
            '{"format": "codeunlearn-forget-set", "topic": "x", "ids": ["1"], "fingerprint": ""}',
            "ids must be of type int",
        ),
        ('{"format": "codeunlearn-forget-set", "format_version": 3}', "newer codeunlearn"),
    ],
)
def test_a_file_that_is_no_forget_set_gives_one_clear_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(CodeUnlearnError, match=message) as error:
        ForgetSet.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


CHANGED: list[dict[str, object]] = [
    {"ids": [41], "evidence": []}, {"ids": [7, 41], "evidence": []}, {"ids": [41, 8], "evidence": []}, {"evidence": []},
    {"topic": "hate"}, {"fingerprint": "c" * 64}, {"digest": "d" * 64}, {"digest": None}, {"preset": "paired"}, {"seed": 4},
    {"num_codes": 99}, {"created": ""}, {"forms": ["love"]}, {"topic_left": 0.5}, {"preset_options": {}},
]  # fmt: skip
NO_SET: list[dict[str, object]] = [
    {"ids": [41]}, {"ids": [7, 41]}, {"ids": []}, {"digest": 5}, {"digest": "x"}, {"digest": "d" * 64},
    {"ids": [True, 7]}, {"ids": [41.0, 7]}, {"ids": [-1, 7]}, {"ids": [10**30, 7]}, {"ids": {"41": 7}}, {"ids": "41"},
    {"ids": [41, None]}, {"ids": [[41], 7]}, {"topic": 5}, {"topic": None}, {"fingerprint": None}, {"forms": "love"},
    {"forms": [5]}, {"target_forms": {"a": 1}}, {"evidence": 5}, {"evidence": [5]}, {"evidence": [{}]}, {"seed": 1.5},
    {"seed": "3"}, {"seed": True}, {"s_prime": -1}, {"num_codes": "100"}, {"num_codes": 10**20}, {"preset": None},
    {"preset_options": []}, {"created": 5}, {"topic_left": float("nan")}, {"topic_left": "0.1"}, {"topic_left": -1},
    {"format_version": "2"}, {"format_version": 0}, {"format_version": True}, {"format_version": None},
    {"expected_false_positives": float("inf")}, {"topic": "\ud800"},
]  # fmt: skip
NO_EVIDENCE: list[dict[str, object]] = [
    {"id": 42}, {"id": "41"}, {"id": None}, {"p": float("nan")}, {"p": "0.1"}, {"p": None}, {"p": 2.0}, {"r": float("inf")},
    {"topic": -1}, {"topic": 1.5}, {"top_tokens": 5}, {"top_tokens": ["ab"]}, {"top_tokens": [["a"]]}, {"f_topic": 7},
    {"top_tokens": [["a", 1, 2]]}, {"top_tokens": [[1, "a"]]}, {"top_tokens": [["a", -1]]}, {"rank": 0}, {"q": []},
    {"alignment": -1},
]  # fmt: skip


def content_of(forget_set: ForgetSet) -> dict[str, Any]:
    return json.loads(json.dumps(forget_set.to_dict()))


def of_the_first_format() -> dict[str, Any]:
    """No digest betrays what is changed in it."""
    content = content_of(LOVE) | {"format_version": 1}
    del content["digest"]
    return content


@pytest.mark.parametrize("edit", CHANGED, ids=str)
def test_a_set_that_was_changed_after_it_was_made_is_refused(tmp_path: Path, edit: dict[str, object]) -> None:
    path = tmp_path / "love.json"
    path.write_text(json.dumps(content_of(LOVE) | edit))
    with pytest.raises(CodeUnlearnError, match=r"love\.json: .* was changed after it was made"):
        ForgetSet.load(path)


@pytest.mark.parametrize("edit", NO_SET, ids=ascii)
def test_content_that_is_no_forget_set_is_refused(tmp_path: Path, edit: dict[str, object]) -> None:
    path = tmp_path / "love.json"
    path.write_text(json.dumps(of_the_first_format() | edit))
    with pytest.raises(CodeUnlearnError, match=r"love\.json") as error:
        ForgetSet.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("edit", NO_EVIDENCE, ids=str)
def test_evidence_that_is_none_is_refused(edit: dict[str, object]) -> None:
    content = of_the_first_format()
    content["evidence"][0] |= edit
    with pytest.raises(CodeUnlearnError, match="forget set"):
        ForgetSet.from_dict(content)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"format": ' + "9" * 5000 + "}",
        '{"format": "codeunlearn-forget-set", "ids": [' + "9" * 5000 + "]}",
        "",
    ],
)
def test_json_that_breaks_a_reader_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "love.json").write_text(text)
    with pytest.raises(CodeUnlearnError, match="JSON"):
        ForgetSet.load(tmp_path / "love.json")


@given(st.dictionaries(st.sampled_from(sorted(set(LOVE.to_dict()) - {"format_version"})), JSON, max_size=3))
@settings(max_examples=150, deadline=None)
def test_whatever_a_set_is_changed_to_it_is_the_same_or_refused(edit: dict[str, object]) -> None:
    with suppress(CodeUnlearnError), warnings.catch_warnings(action="ignore"):
        assert ForgetSet.from_dict(content_of(LOVE) | edit).to_dict() == LOVE.to_dict()


def test_a_file_of_the_first_format_has_no_digest_and_is_read(tmp_path: Path) -> None:
    (tmp_path / "love.json").write_text(json.dumps(of_the_first_format()))
    assert ForgetSet.load(tmp_path / "love.json") == LOVE


def test_a_missing_file_gives_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="no file"):
        ForgetSet.load(tmp_path / "nowhere.json")


def test_evidence_belongs_to_the_ids() -> None:
    with pytest.raises(CodeUnlearnError, match="does not belong"):
        replace(LOVE, ids=(7, 41))
    assert len(replace(LOVE, ids=(5, 6, 8), evidence=())) == 3


def test_the_summary_names_counts_chance_and_tokens() -> None:
    lines = LOVE.summary(limit=1)
    assert lines[0].startswith("love: 2 codes of 100 (2.00%); preset paper, S' = 72, 50 topic and 50 control sentences")
    assert "80 tested, 2.0 expected by chance" in lines[0]
    assert lines[1] == "  code 41: 30 / 0, R = 19.20, p = 1.0e-12; ▁love 28, s 2"
    assert lines[2] == "  ... and 1 more"


def test_a_union_holds_every_code_once_and_names_the_shared_ones() -> None:
    captain = replace(LOVE, topic="captain", ids=(7, 9), evidence=())
    both = union(LOVE, union(captain, LOVE))
    assert both.ids == (7, 9, 41)
    assert both.shared_ids == (7,)
    assert both.topics == ("love", "captain")
    assert both.sets == (LOVE, captain)


def test_a_union_holds_something() -> None:
    with pytest.raises(CodeUnlearnError, match="at least one"):
        union()


# The search that makes it.


def test_the_same_seed_gives_the_same_forget_set(model: T5ForConditionalGeneration, tmp_path: Path) -> None:
    first, second = search(model, created="one time").forget_set, search(model, created="another").forget_set
    assert len(first) > 0
    assert first == second
    first.save(tmp_path / "one.json")
    assert ForgetSet.load(tmp_path / "one.json") == second


def test_most_codes_that_a_search_finds_fire_on_the_topic_word(model: T5ForConditionalGeneration) -> None:
    found = search(model)
    on_the_word = [e for e in found.forget_set.evidence if e.top_tokens[0][0] == "loves"]
    assert len(on_the_word) > len(found.forget_set) / 2
    assert all(e.r > 0 and e.p <= 0.05 for e in found.forget_set.evidence)
    assert [e.p for e in found.forget_set.evidence] == sorted(e.p for e in found.forget_set.evidence)


def test_the_forget_set_records_how_it_was_made(model: T5ForConditionalGeneration) -> None:
    recipe = Paper(s_prime=4, alpha=0.01, yates=True)
    found = recipe.search(model, TOKENIZER, SETS, seed=5, steps=()).forget_set
    assert found.fingerprint == fingerprint(model)
    assert (found.topic, found.forms, found.target_forms, found.seed) == ("love", ("loves",), ("aimer",), 5)
    assert (found.preset, found.s_prime, found.num_codes) == ("paper", 4, 60)
    assert found.preset_options == {"alpha": 0.01, "unit": "sentence", "epsilon": 1e-6, "yates": True}
    assert (found.n_topic, found.n_control) == (len(TOPIC), len(CONTROL))
    assert found.expected_false_positives == pytest.approx(0.005 * found.codes_tested)
    assert found.created.startswith("20")


def test_one_pass_gives_the_set_of_every_s_prime(model: T5ForConditionalGeneration) -> None:
    found = Paper(s_prime=4).search(model, TOKENIZER, SETS, steps=(2, 4, 16))
    assert [step.size for step in found.steps] == [2, 4, 16]
    assert found.forget_set == found.at(4)
    for step in found.steps:
        assert step.forget_set == search(model, step.size).forget_set


def test_control_against_control_finds_nothing(model: T5ForConditionalGeneration) -> None:
    nothing = TopicSets.from_sentences("nothing", CONTROL, [CONTROL])
    found = Paper(s_prime=4).search(model, TOKENIZER, nothing, steps=())
    assert found.forget_set.ids == ()
    assert found.forget_set.codes_tested > 0


def test_what_was_forgotten_before_does_not_change_a_search(model: T5ForConditionalGeneration) -> None:
    before = search(model).forget_set
    forget(model, before)
    assert search(model).forget_set == before
