"""The recommended recipe finds planted codes, nothing where there is nothing, and keeps to its bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example
from codeunlearn.unlearning import (
    ForgetSet,
    Paired,
    Paper,
    Recommended,
    forgetting,
    make_recipe,
)
from codeunlearn.unlearning.evidence.effects import Deletion
from codeunlearn.unlearning.recipes.candidates import find_candidates
from codeunlearn.unlearning.recipes.path import find_path
from codeunlearn.unlearning.recipes.recommended import read_material

NOUNS, VERBS, TAILS = ("cat", "chat"), ("sees", "runs"), ("", " a cat", " the cat", " runs", " sees")
PRESET = Recommended(topic_left=0.0, min_gain=1e-9, retain_weight=0.0)


def pairs(noun: str, target: str) -> list[Example]:
    return [
        Example(f"{article} {noun} {verb}{tail}", (f"un {target} court",))
        for article in ("a", "the")
        for verb in VERBS
        for tail in TAILS
    ]


def topic_sets(search: list[Example], controls: list[list[str]], **changes: Any) -> TopicSets:
    sets = TopicSets(
        Topic.from_forms("dog", ["dog"]), search, controls, paired=True, tune=[], tune_retain=[], forget=[], retain=[],
        target_words=("chien",), search_retain=pairs("cat", "chat"),
    )  # fmt: skip
    return replace(sets, **changes)


@pytest.fixture
def dogs() -> TopicSets:
    topic = pairs("dog", "chien")
    return topic_sets(topic, [[pair.prompt.replace("dog", "cat") for pair in topic]])


def search(model: Any, tokenizer: Any, sets: TopicSets, preset: Recommended = PRESET) -> ForgetSet:
    return preset.search(model, tokenizer, sets).forget_set


def test_the_codes_tell_the_topic_from_its_controls(tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets) -> None:
    found = search(tiny_model, tiny_tokenizer, dogs)
    assert found
    assert all(e.q is not None and e.q <= PRESET.fdr and e.topic > e.control for e in found.evidence)
    assert [e.rank for e in found.evidence] == list(range(1, len(found) + 1))
    assert all(
        0 <= (e.stability or 0) <= 1 and (e.effect_low or 0) <= (e.effect or 0) <= (e.effect_high or 0)
        for e in found.evidence
    )
    assert all((e.odds_ratio or 0) > 1 and (e.z or 0) > 0 and 0 <= (e.alignment or 0) <= 1 for e in found.evidence)
    assert any((e.alignment or 0) > 0.5 for e in found.evidence)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_half_precision_can_be_searched_with_every_recipe(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets, dtype: torch.dtype
) -> None:
    model = tiny_model.to(dtype)
    assert search(model, tiny_tokenizer, dogs)
    for recipe in (Paper(), Paired()):
        assert recipe.search(model, tiny_tokenizer, dogs, steps=(4,)).forget_set


def test_control_against_control_finds_nothing(tiny_model: Any, tiny_tokenizer: Any) -> None:
    """Sentences whose difference is drawn at random hold no codes of any topic."""
    generator = np.random.default_rng(0)
    topic = pairs("dog", "chien")
    swapped = [p.prompt.replace("dog", "cat") for p in topic]
    flip = generator.permutation(len(topic)) % 2 == 0
    mixed = [replace(p, prompt=other) if f else p for p, other, f in zip(topic, swapped, flip, strict=True)]
    controls = [p.prompt if f else other for p, other, f in zip(topic, swapped, flip, strict=True)]
    assert len(search(tiny_model, tiny_tokenizer, topic_sets(mixed, [controls]))) == 0


def test_several_controls_of_a_sentence_are_tested_together(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    twice = replace(dogs, controls=[dogs.controls[0], [s.replace("cat", "chat") for s in dogs.controls[0]]])
    found = search(tiny_model, tiny_tokenizer, twice)
    assert found
    assert found.n_control == 2 * found.n_topic


def test_unpaired_sentences_are_tested_as_groups(tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets) -> None:
    shuffled = [dogs.controls[0][::-1]]
    assert search(tiny_model, tiny_tokenizer, replace(dogs, controls=shuffled, paired=False))


def test_bounds_are_kept_and_a_shorter_set_is_the_beginning_of_a_longer_one(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    whole = search(tiny_model, tiny_tokenizer, dogs)
    few = search(tiny_model, tiny_tokenizer, dogs, replace(PRESET, max_codes=2))
    assert len(whole) > 2
    assert few.ids == whole.ids[:2]


def test_a_code_that_costs_more_than_it_takes_is_left_alone(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    costly = replace(PRESET, retain_weight=1e9)
    own_text = replace(dogs, search_retain=dogs.search)
    chosen = search(tiny_model, tiny_tokenizer, own_text, costly)
    assert len(chosen) < len(search(tiny_model, tiny_tokenizer, own_text))
    assert all(not e.retain_cost for e in chosen.evidence)


def test_what_was_deleted_before_does_not_change_the_search(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    found = search(tiny_model, tiny_tokenizer, dogs)
    with forgetting(tiny_model, found):
        assert search(tiny_model, tiny_tokenizer, dogs).ids == found.ids


def test_the_path_ends_where_least_of_the_topic_was_left(tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets) -> None:
    material = read_material(tiny_model, tiny_tokenizer, dogs, PRESET)
    seen: list[float] = []
    path = find_path(material, PRESET, progress=seen.append)
    assert seen[0] == 1.0
    assert path.topic_left == min(seen)
    effects = material.topic_effects
    deleted = np.zeros(64, bool)
    sentences = [Deletion(sentence, None) for sentence in effects.usable()]
    before = np.exp(effects.log_probabilities(sentences, deleted)).sum()
    deleted[[choice.row for choice in path.choices]] = True
    after = np.exp(effects.log_probabilities(sentences, deleted)).sum()
    assert path.topic_left == pytest.approx(after / before)


def test_codes_that_do_nothing_alone_go_together(
    monkeypatch: pytest.MonkeyPatch, dogs: TopicSets, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    """A topic that three codes hold: its words keep their probability until all three are gone."""
    material = read_material(tiny_model, tiny_tokenizer, dogs, PRESET)
    found = find_candidates(material.reading, np.zeros(64, bool), PRESET, 0)
    holders = set(found.rows[:3].tolist())

    def log_probabilities(deletions: Any, deleted: Any) -> Any:
        gone = [holders <= {*np.flatnonzero(deleted).tolist(), one.row} for one in deletions]
        return np.where(gone, -20.0, -1.0)

    monkeypatch.setattr(material.topic_effects, "log_probabilities", log_probabilities)
    path = find_path(material, replace(PRESET, min_gain=0.01, codes_per_round=1))
    assert path.topic_left < 1e-6
    assert holders <= {choice.row for choice in path.choices}
    assert [choice.topic_gain > 0.5 for choice in path.choices] == [False, False, True]


def test_rounds_that_bring_nothing_end_the_path_and_are_taken_back(
    monkeypatch: pytest.MonkeyPatch, dogs: TopicSets, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    material = read_material(tiny_model, tiny_tokenizer, dogs, PRESET)
    monkeypatch.setattr(
        material.topic_effects, "log_probabilities", lambda deletions, deleted: np.full(len(deletions), -1.0)
    )
    rounds: list[float] = []
    path = find_path(material, replace(PRESET, min_gain=0.01, codes_per_round=1, patience=3), progress=rounds.append)
    assert path.choices == ()
    assert rounds == [1.0] * 4


def test_drop_needs_no_codes_that_would_take_over(
    tiny: Callable[..., Any], tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    model = tiny()
    dropped = search(model, tiny_tokenizer, dogs, replace(PRESET, mode="drop"))
    assert dropped
    assert dropped.preset_options["mode"] == "drop"


def test_a_topic_without_target_words_in_its_translations_is_an_error(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    with pytest.raises(CodeUnlearnError, match="--target-words"):
        search(tiny_model, tiny_tokenizer, replace(dogs, target_words=("oiseau",)))
    with pytest.raises(CodeUnlearnError, match="unrelated sentences"):
        search(tiny_model, tiny_tokenizer, replace(dogs, search_retain=[]))


def test_only_a_topic_of_sentences_may_lose_its_whole_translations(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets
) -> None:
    with pytest.raises(CodeUnlearnError, match=r"No words for 'dog' are known .* --target-words"):
        search(tiny_model, tiny_tokenizer, replace(dogs, target_words=()))
    sentences = Topic.from_sentences("dogs", [pair.prompt for pair in dogs.search])
    whole = read_material(tiny_model, tiny_tokenizer, replace(dogs, topic=sentences, target_words=()), PRESET)
    assert all(counted.all() for counted in whole.topic_effects.counted)


@pytest.mark.parametrize("preset", ["paper", "paired"])
def test_recipes_that_read_no_translations_need_no_target_words(
    tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets, preset: str
) -> None:
    silent = replace(dogs, target_words=())
    recipe = make_recipe(preset, s_prime=4)
    with_words, without = (recipe.search(tiny_model, tiny_tokenizer, sets, steps=()) for sets in (dogs, silent))
    assert with_words.forget_set.ids == without.forget_set.ids


@pytest.mark.parametrize("wrong", [{"fdr": 0.0}, {"alpha": 1.5}, {"max_codes": 0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CodeUnlearnError, match=next(iter(wrong))):
        Recommended(**wrong)


def test_the_path_can_be_cut_at_any_number_of_codes(tiny_model: Any, tiny_tokenizer: Any, dogs: TopicSets) -> None:
    found = PRESET.search(tiny_model, tiny_tokenizer, dogs, steps=(1, 3))
    whole = found.forget_set.ids
    assert [(step.size, step.forget_set.ids) for step in found.steps] == [(1, whole[:1]), (3, whole[:3])]
    doubling = PRESET.search(tiny_model, tiny_tokenizer, dogs).steps
    assert doubling[0].size == 1
    assert doubling[-1].forget_set == found.forget_set
