"""The topic's own tokens and those beside them, in the order in which codes are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from codeunlearn.codebook import Frame
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.corpus.topics import Topic
from codeunlearn.unlearning.evidence.effects import near_words

SENTENCES = ["a dog runs", "the cat sees a dog", "the cat"]


def near(tokenizer: Any, window: int, prefix: str = "") -> list[str]:
    model = SimpleNamespace(config=SimpleNamespace(is_encoder_decoder=True))
    spans = encode_prompts(model, tokenizer, SENTENCES, Frame(prefix), with_spans=True).spans
    mask = near_words(spans, SENTENCES, Topic.from_forms("dog", ["dog"]).words, window=window)
    ids = [i for row in tokenizer([prefix + sentence for sentence in SENTENCES])["input_ids"] for i in row]
    assert len(mask) == len(ids)
    return [
        token.strip("▁") for token, marked in zip(tokenizer.convert_ids_to_tokens(ids), mask, strict=True) if marked
    ]


def test_the_words_alone(tiny_tokenizer: Any) -> None:
    assert near(tiny_tokenizer, 0) == ["dog", "dog"]


def test_the_words_and_what_stands_beside_them(tiny_tokenizer: Any) -> None:
    assert near(tiny_tokenizer, 1) == ["a", "dog", "run", "a", "dog", "</s>"]


def test_a_prefix_moves_the_places_and_is_not_searched(tiny_tokenizer: Any) -> None:
    assert near(tiny_tokenizer, 0, prefix="a dog: ") == ["dog", "dog"]


def test_a_word_in_disguise_is_marked_with_all_its_tokens(tiny_tokenizer: Any) -> None:
    text = "the cat sees a _d\u00adog_ runs"
    offsets = tiny_tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    mask = near_words([offsets], [text], Topic.from_forms("dog", ["dog"]).words, window=0)
    marked = [text[a:b] for (a, b), inside in zip(offsets, mask, strict=True) if inside]
    assert "".join(marked).replace("_", "") == "d\u00adog"
