"""An index gives the codes that the model would give, and knows which model that is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killing import in_a_fork

from codeunlearn.codebook import require_bottleneck
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.folders import locked
from codeunlearn.unlearning import CorpusIndex, build_index, commit, corpus_index, count_codes
from codeunlearn.unlearning.evidence.reading import CodeReader

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

    out = tmp_path / "killed"
    begun(tiny_model, tiny_tokenizer, out)
    with pytest.raises(CodeUnlearnError, match="no finished index"):
        CorpusIndex.open(out, tiny_model)
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*.arrow")}
    assert len(finished) == 2
    with pytest.raises(CodeUnlearnError, match="begun with another depth"):
        build_index(tiny_model, tiny_tokenizer, SENTENCES, out, depth=8)
    again = build_index(tiny_model, tiny_tokenizer, SENTENCES, out, depth=DEPTH)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    np.testing.assert_array_equal(again.counts.sentences_topic, index.counts.sentences_topic)


def begun(model: Any, tokenizer: Any, out: Path) -> list[Path]:
    """A build that was killed after two of its files."""

    def kill(done: int, _: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(model, tokenizer, SENTENCES, out, depth=DEPTH, progress=kill)
    return sorted(out.glob("*.arrow"))


@pytest.mark.parametrize("older", [False, True], ids=["", "begun by an older version"])
def test_a_build_does_not_go_on_with_another_text_of_the_same_size(
    tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    monkeypatch.setattr(corpus_index, "SENTENCES_PER_FILE", 10)
    begun(tiny_model, tiny_tokenizer, tmp_path)
    request = tmp_path / "request.json"
    if older:
        known = {k: v for k, v in json.loads(request.read_text()).items() if k not in ("sha256", "tokenizer")}
        request.write_text(json.dumps(known))
    before = request.read_text()
    other = [*SENTENCES[1:], "a bird sees the dog"]
    with pytest.raises(CodeUnlearnError, match="another text; choose another --out"):
        build_index(tiny_model, tiny_tokenizer, other, tmp_path, depth=DEPTH)
    assert request.read_text() == before
    build_index(tiny_model, tiny_tokenizer, SENTENCES, tmp_path, depth=DEPTH)
    assert CorpusIndex.open(tmp_path, tiny_model, tiny_tokenizer).holds(SENTENCES)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "something else": lambda content: b"[]",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_of_a_build_is_made_again(
    tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    monkeypatch.setattr(corpus_index, "SENTENCES_PER_FILE", 10)
    first, second = begun(tiny_model, tiny_tokenizer, tmp_path)
    whole = first.read_bytes()
    first.write_bytes(damage(whole))
    with pytest.warns(UserWarning, match=r"codes-00000\.arrow is damaged.*: it is made again"):
        build_index(tiny_model, tiny_tokenizer, SENTENCES, tmp_path, depth=DEPTH)
    assert first.read_bytes() == whole
    assert second.exists()


@pytest.mark.parametrize("name", ["index.json", "counts.npz", "codes-00000.arrow"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_index_is_one_sentence_that_says_what_to_do(
    index: CorpusIndex, tiny_model: Any, tiny_tokenizer: Any, name: str, damage: Any
) -> None:
    path = index.folder / name
    path.write_bytes(damage(path.read_bytes()))

    def use() -> None:
        opened = CorpusIndex.open(index.folder, tiny_model, tiny_tokenizer)
        assert opened.counts.n_topic == len(SENTENCES)
        opened.batch(SENTENCES, 8)

    with pytest.raises(CodeUnlearnError, match=r"remove .*give `codeunlearn index` again"):
        use()


def test_a_code_that_the_codebook_has_not_is_refused(index: CorpusIndex, tiny_model: Any) -> None:
    path = index.folder / "codes-00000.arrow"
    content = path.read_bytes()
    rows = index._parts[0].codes.tobytes()
    path.write_bytes(content.replace(rows, b"\xff" * len(rows)))
    opened = CorpusIndex.open(index.folder, tiny_model)
    with pytest.raises(CodeUnlearnError, match="is damaged"):
        opened.batch(SENTENCES, 8)


def test_an_index_belongs_to_one_tokenizer(index: CorpusIndex, tiny_model: Any, tiny_tokenizer: Any) -> None:
    tiny_tokenizer(["a dog", "the dog sees a cat"], padding=True, truncation=True, max_length=3)
    CorpusIndex.open(index.folder, tiny_model, tiny_tokenizer)
    another = copy.deepcopy(tiny_tokenizer)
    another.add_tokens(["dogs"])
    with pytest.raises(CodeUnlearnError, match="made for another model"):
        CorpusIndex.open(index.folder, tiny_model, another)


def test_two_processes_do_not_build_one_index(tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path) -> None:
    def second() -> None:
        with pytest.raises(CodeUnlearnError, match="Another process is writing to"):
            build_index(tiny_model, tiny_tokenizer, SENTENCES, tmp_path / "index", depth=DEPTH)

    with locked(tmp_path / "index"):
        assert in_a_fork(second, tmp_path) == 0


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
