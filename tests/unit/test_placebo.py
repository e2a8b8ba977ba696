"""A placebo deletes as many codes as the topic has, used as often, and none of the topic's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from codeunlearn.codebook import require_bottleneck
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.systems import system_of
from codeunlearn.methods.codes import Codes
from codeunlearn.methods.placebo import Placebo, code_usage, draw_placebos, placebos, stand_in
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.unlearning import ForgetSet

CODES = 400
IDS = np.arange(CODES) * 3 + 1  # ids are not rows: a commit has moved them
USAGE = np.round(20_000 / (1 + np.arange(CODES)) ** 1.1).astype(np.int64)  # as skewed as the use of words
CHOSEN = ForgetSet(topic="love", ids=tuple(int(i) for i in IDS[[3, 20, 21, 60, 150, 390]]), fingerprint="f")


def used(forget_set: ForgetSet) -> int:
    return int(USAGE[np.isin(IDS, forget_set.ids)].sum())


def test_a_placebo_is_matched_in_number_and_use_and_disjoint_from_the_topic() -> None:
    drawn = placebos(CHOSEN, USAGE, IDS, draws=40)
    assert len({one.ids for one in drawn}) > 30
    for one in drawn:
        assert len(set(one.ids)) == len(CHOSEN)
        assert set(one.ids) <= set(IDS.tolist()) - set(CHOSEN.ids)
        assert one.fingerprint == CHOSEN.fingerprint
        assert one.preset == "placebo"
    assert np.mean([used(one) for one in drawn]) == pytest.approx(used(CHOSEN), rel=0.35)
    by_chance = len(CHOSEN) * USAGE.mean()
    assert abs(np.mean([used(one) for one in drawn]) - used(CHOSEN)) < abs(by_chance - used(CHOSEN)) / 2


def test_the_seed_decides_the_draws() -> None:
    assert placebos(CHOSEN, USAGE, IDS, draws=3, seed=1) == placebos(CHOSEN, USAGE, IDS, draws=3, seed=1)
    assert placebos(CHOSEN, USAGE, IDS, draws=3, seed=1) != placebos(CHOSEN, USAGE, IDS, draws=3, seed=2)


def test_codes_without_use_are_replaced_by_codes_without_use() -> None:
    usage = np.where(np.arange(CODES) < 300, 50, 0)
    unused = ForgetSet(topic="love", ids=(int(IDS[310]), int(IDS[311])), fingerprint="f")
    for one in placebos(unused, usage, IDS, draws=5):
        assert usage[np.isin(IDS, one.ids)].sum() == 0


def test_a_topic_that_takes_no_code_or_most_codes_has_no_placebo() -> None:
    for ids in ((), IDS[:201]):
        assert placebos(ForgetSet("love", tuple(int(i) for i in ids), "f"), USAGE, IDS) == []
    assert len(placebos(ForgetSet("love", tuple(int(i) for i in IDS[:200]), "f"), USAGE, IDS, draws=2)) == 2


def test_placebos_of_a_model_come_with_the_use_of_its_codes(tiny_model: Any, tiny_tokenizer: Any) -> None:
    sentences = ["a dog runs", "the cat sees a dog"]
    ids = require_bottleneck(tiny_model).codebook.code_ids.tolist()
    chosen = ForgetSet("dog", tuple(ids[:3]), "f")
    drawn = draw_placebos(View(tiny_model, tiny_tokenizer), chosen, sentences, draws=2, seed=4)
    assert list(drawn.usage) == ids
    assert list(drawn.usage.values()) == code_usage(tiny_model, tiny_tokenizer, sentences).tolist()
    usage, rows = code_usage(tiny_model, tiny_tokenizer, sentences), np.array(ids)
    assert drawn.sets == placebos(chosen, usage, rows, draws=2, seed=4)
    assert [stand_in(chosen, one.ids) for one in drawn.sets] == drawn.sets, "ids say all of a placebo"


def test_the_method_says_where_it_has_none(
    tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Codes, "forget_set", lambda *_, **__: ForgetSet("dog", (), "f", num_codes=CODES))
    sets = TopicSets(Topic("dog", ("dog",)), [Example("a dog runs", ("",))], [], True, [], [], [], [])
    base = system_of("codebook", "before", tiny_model, tiny_tokenizer)
    with pytest.raises(CodeUnlearnError, match=r"'dog' takes 0 of 400 codes, .*leave the placebo out"):
        Placebo().forget(base, sets, TASKS.get("translation"))


def test_use_is_counted_in_tokens(tiny_model: Any, tiny_tokenizer: Any) -> None:
    sentences = ["a dog runs", "the cat sees a dog"]
    counted = code_usage(tiny_model, tiny_tokenizer, sentences)
    tokens = sum(len(ids) for ids in tiny_tokenizer(sentences)["input_ids"])
    assert counted.sum() == tokens * tiny_model.bottleneck.config.top_s
