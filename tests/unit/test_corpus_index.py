"""An index gives the codes that the model would give, and knows which model that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codeunlearn.codebook import require_bottleneck
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import CorpusIndex, build_index, commit, corpus_index, count_codes
from codeunlearn.unlearning.code_batches import CodeReader

SENTENCES = [
    f"{who} {does} {what}{end}"
    for who in ("the dog", "a cat", "the cat", "a dog")
    for does in ("sees", "likes")
    for what in ("the dog", "a cat")
    for end in ("", " and a dog")
]
DEPTH = 24


@pytest.fixture
def index(tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> CorpusIndex:
    build_index(tiny_model, tiny_tokenizer, SENTENCES + SENTENCES[:3], tmp_path / "index", depth=DEPTH)
    return CorpusIndex.open(tmp_path / "index", tiny_model)


def test_a_sentence_is_kept_once(index: CorpusIndex, tiny_tokenizer: Any) -> None:
    assert index.info.sentences == len(SENTENCES)
    assert index.info.tokens == sum(len(ids) for ids in tiny_tokenizer(SENTENCES)["input_ids"])
    assert index.info.bytes == sum(path.stat().st_size for path in index.folder.glob("*.arrow"))


@pytest.mark.parametrize("paired", [True, False])
def test_counts_with_an_index_are_the_counts_without(
    index: CorpusIndex, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch, paired: bool
) -> None:
    topic, control = SENTENCES[:8], [s.replace("dog", "bird") for s in SENTENCES[:8]]
    plain = count_codes(tiny_model, tiny_tokenizer, topic, control, s_primes=(8, 24), paired=paired)
    read: list[int] = []
    codes = CodeReader._codes

    def spy(self: CodeReader, rows: Any, columns: int) -> Any:
        read.append(len(rows))
        return codes(self, rows, columns)

    monkeypatch.setattr(CodeReader, "_codes", spy)
    indexed = count_codes(tiny_model, tiny_tokenizer, topic, control, s_primes=(8, 24), paired=paired, known=index)
    assert sum(read) == len(control), "only the controls went through the model"
    for name in ("sentences_topic", "sentences_control", "both", "tokens_topic", "tokens_control"):
        np.testing.assert_array_equal(getattr(indexed, name), getattr(plain, name))
    assert indexed.top_tokens(24) == plain.top_tokens(24)


def test_the_counts_of_the_corpus_are_those_of_reading_all_of_it(
    index: CorpusIndex, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    whole = count_codes(tiny_model, tiny_tokenizer, SENTENCES, ["x"], s_primes=(8, 24), paired=False)
    np.testing.assert_array_equal(index.counts.sentences_topic, whole.sentences_topic)
    np.testing.assert_array_equal(index.counts.tokens_topic, whole.tokens_topic)


def test_contexts_of_a_code_are_tokens_that_select_it(index: CorpusIndex, tiny_model: Any, tiny_tokenizer: Any) -> None:
    row = int(index.counts.tokens_topic[0].argmax())
    found = index.contexts(row, tiny_tokenizer, limit=3, s=8)
    assert len(found) == 3
    assert [context.rank for context in found] == sorted(context.rank for context in found)
    for context in found:
        batch = index.batch([context.sentence], 8)
        assert batch.ids[0, context.position, context.rank] == row
        assert tiny_tokenizer.convert_ids_to_tokens(int(batch.tokens[0, context.position])) == context.token


def test_a_killed_build_goes_on_where_it_stopped(
    tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: CorpusIndex
) -> None:
    monkeypatch.setattr(corpus_index, "SENTENCES_PER_FILE", 10)

    def kill(done: int, _: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        build_index(tiny_model, tiny_tokenizer, SENTENCES, out, depth=DEPTH, progress=kill)
    with pytest.raises(CodeUnlearnError, match="no finished index"):
        CorpusIndex.open(out, tiny_model)
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*.arrow")}
    assert len(finished) == 2
    with pytest.raises(CodeUnlearnError, match="begun with another depth"):
        build_index(tiny_model, tiny_tokenizer, SENTENCES, out, depth=8)
    again = build_index(tiny_model, tiny_tokenizer, SENTENCES, out, depth=DEPTH)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    np.testing.assert_array_equal(again.counts.sentences_topic, index.counts.sentences_topic)


def test_an_index_belongs_to_one_model(index: CorpusIndex, tiny_model: Any) -> None:
    codebook = require_bottleneck(tiny_model).codebook
    codebook.deleted[:5] = True
    CorpusIndex.open(index.folder, tiny_model)
    commit(tiny_model)
    with pytest.raises(CodeUnlearnError, match="before codes were committed away"):
        CorpusIndex.open(index.folder, tiny_model)
    with torch.no_grad():
        tiny_model.shared.weight[0] += 1
    with pytest.raises(CodeUnlearnError, match="made for another model"):
        CorpusIndex.open(index.folder, tiny_model)


def test_more_codes_than_were_kept_are_refused_in_one_sentence(index: CorpusIndex) -> None:
    with pytest.raises(CodeUnlearnError, match=r"keeps 24 codes per token, not S' = 40"):
        index.batch(SENTENCES[:1], 40)
    assert not index.holds(["a sentence that is not in it"])
