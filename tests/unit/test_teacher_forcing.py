"""What a model knows of references: probability and rank of the topic's words, and how soon it goes on by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from codeunlearn.evaluation.bootstrap import resample
from codeunlearn.evaluation.metrics.base import METRICS, Outputs, Score
from codeunlearn.evaluation.metrics.knowledge import EXTRACTION, PROBABILITY, RANK, extraction_strength
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.tasks.generating import DecodingConfig, translate_counted
from codeunlearn.training.tokenizer import train_tokenizer

SOURCES = ["a dog runs", "the cat sees a dog", "a cat", "the dog"]
REFERENCES = [["un chien court"], ["le chat", "le chat voit un chien"], ["un chat"], ["le chien le chien"]]


def forced_scores(
    model: Any, tokenizer: Any, sources: Sequence[str], references: Sequence[Sequence[str]], words: Sequence[str] = ()
) -> dict[str, Score]:
    examples = [Example(s, tuple(rs)) for s, rs in zip(sources, references, strict=True)]
    outputs = Outputs(TestSet("forget", examples, tuple(words)), [], TASKS.get("translation"), View(model, tokenizer))
    found = {name: METRICS.get(name)(outputs) for name in (EXTRACTION, PROBABILITY, RANK)}
    return {name: score for name, score in found.items() if score}


def logits(model: Any, tokenizer: Any, source: str, target: str) -> torch.Tensor:
    labels = tokenizer(target, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model(**tokenizer(source, return_tensors="pt"), labels=labels).logits[0]


@pytest.fixture
def words_tokenizer() -> PreTrainedTokenizerFast:
    """Every word of the references is one token."""
    return train_tokenizer(["un chien court le chat voit"] * 3, vocab_size=48)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [([1, 1, 1, 1], 1), ([2, 1, 1, 1], 0.75), ([1, 3, 1, 1], 0.5), ([1, 1, 1, 2], 0), ([5, 2, 9, 7], 0)],
)
def test_extraction_starts_after_the_last_wrong_token(ranks: list[int], expected: float) -> None:
    assert extraction_strength(ranks) == expected


def test_extraction_strength_is_the_shortest_prefix_from_which_the_rest_is_said() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        ranks = draw.integers(1, 3, size=draw.integers(1, 9))
        k = next(k for k in range(len(ranks) + 1) if (ranks[k:] == 1).all())
        assert extraction_strength(ranks) == 1 - k / len(ranks)


def test_what_a_model_says_by_itself_is_extracted_whole(any_base: Any) -> None:
    words = Tokenizer(
        models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2} | {f"w{i}": i for i in range(3, 48)}, "<unk>")
    )
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    with torch.no_grad():
        any_base.lm_head.weight[[0, 2]] = 0  # padding and unknown words are never said
    sources = [f"w{i} w{i + 1} w{2 * i}" for i in range(3, 23)]
    own = translate_counted(any_base, tokenizer, sources, DecodingConfig(max_new_tokens=30))
    written = [len(tokenizer(text)["input_ids"]) for text in own.texts]
    scores = forced_scores(any_base, tokenizer, sources, [[text] for text in own.texts])[EXTRACTION].per_sentence or []
    assert sum(written) == own.cost.output_tokens, "a special token was said: the texts are not the whole outputs"
    assert scores == [0 if i in own.unfinished else 100 for i in range(20)]


def test_probability_and_rank_are_those_of_the_words_tokens_alone(
    tiny_base: Any, words_tokenizer: PreTrainedTokenizerFast
) -> None:
    scores = forced_scores(tiny_base, words_tokenizer, SOURCES, REFERENCES, words=["Chien"])
    probabilities: list[float] = []
    ranks: list[int] = []
    chien = words_tokenizer.tokenize("chien")
    assert len(chien) == 1
    for source, target in zip(SOURCES, [r[-1] for r in REFERENCES], strict=True):
        found = logits(tiny_base, words_tokenizer, source, target).softmax(-1)
        for i, token in enumerate(words_tokenizer.tokenize(target)):
            if "chien" in token:
                label = words_tokenizer.convert_tokens_to_ids(token)
                probabilities.append(float(found[i, label]))
                ranks.append(1 + int((found[i] > found[i, label]).sum()))
    assert len(ranks) == 4
    assert scores[PROBABILITY].value == pytest.approx(100 * np.mean(probabilities), rel=1e-4)
    assert scores[RANK].value == np.median(ranks)
    assert scores[PROBABILITY].count == scores[RANK].count == 3
    assert scores[RANK].higher_is_better is False


def test_the_median_rank_of_a_bootstrap_sample_is_the_median_of_its_tokens(
    tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    scores = forced_scores(tiny_base, tiny_tokenizer, SOURCES, REFERENCES, words=["chien", "chat", "un"])
    drawn = np.random.default_rng(7).integers(0, 4, size=(1, 4), dtype=np.int64)[0]
    resampled = resample(scores[RANK].sums, draws=1, seed=7)
    again = forced_scores(
        tiny_base,
        tiny_tokenizer,
        [SOURCES[i] for i in drawn],
        [REFERENCES[i] for i in drawn],
        words=["chien", "chat", "un"],
    )[RANK]
    assert resampled.draws[0] == again.value


def test_the_reference_with_the_topic_is_taken_and_words_are_whole(
    tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    phrase = forced_scores(tiny_base, tiny_tokenizer, SOURCES, REFERENCES, words=["voit un"])
    assert phrase[PROBABILITY].count == 1
    assert forced_scores(tiny_base, tiny_tokenizer, SOURCES, REFERENCES, words=["ch"])[RANK].count == 0


def test_without_words_only_extraction_is_measured_and_without_their_tokens_nothing_is_known(
    tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    assert set(forced_scores(tiny_base, tiny_tokenizer, SOURCES, REFERENCES)) == {EXTRACTION}
    absent = forced_scores(tiny_base, tiny_tokenizer, SOURCES, REFERENCES, words=["loup"])
    assert np.isnan([absent[PROBABILITY].value, absent[RANK].value]).all()


def test_typography_does_not_hide_a_word(tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    for reference in ("l\u2019s\u0153ur", "SOEUR", "so\u00adeur"):
        score = forced_scores(tiny_base, tiny_tokenizer, ["a dog"], [[reference]], words=["s\u0153ur"])[RANK]
        assert score.count == 1
