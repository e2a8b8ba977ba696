"""Running text, questions, chats and labels are pairs of a prompt and its answer, always the same ones."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.documents import cut
from codeunlearn.corpus.examples import sample_pool
from codeunlearn.corpus.loading import DataConfig, LoadedPairs, load_pairs
from codeunlearn.corpus.pools import pool_of, split_pools
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.sentences import sentences_of

DOCUMENTS = [
    "The capital of France is Paris. Mr. J. R. Smith has lived there for years! Has he? So it is said by all of them.",
    "A dog runs after the old cat.\nIn the end it was 3.5 metres away from her. \u201cYou are too slow for me,\u201d she said.",
]
SENTENCES = [
    "The capital of France is Paris.", "Mr. J. R. Smith has lived there for years!", "Has he?",
    "So it is said by all of them.", "A dog runs after the old cat.", "In the end it was 3.5 metres away from her.",
    "\u201cYou are too slow for me,\u201d she said.",
]  # fmt: skip


def pairs_of(loaded: LoadedPairs) -> list[tuple[str, str]]:
    return list(zip(loaded.dataset["source"], loaded.dataset["target"], strict=True))


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_text_is_taken_apart_into_its_sentences() -> None:
    assert [sentence for document in DOCUMENTS for sentence in sentences_of(document)] == SENTENCES


@pytest.mark.parametrize("form", ["txt", "txt.gz", "jsonl", "parquet"])
def test_every_sentence_of_a_text_is_a_beginning_and_its_rest(tmp_path: Path, form: str) -> None:
    path, lines = tmp_path / f"text.{form}", [document.replace("\n", " ") for document in DOCUMENTS]
    if form == "txt":
        path.write_text("\n".join(lines), encoding="utf-8")
    elif form == "txt.gz":
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    elif form == "jsonl":
        jsonl(path, [{"id": i, "text": document} for i, document in enumerate(DOCUMENTS)])
    else:
        Dataset.from_list([{"text": document, "url": "a"} for document in DOCUMENTS]).to_parquet(path)
    loaded = load_pairs(str(path))
    assert [f"{prompt} {answer}" for prompt, answer in pairs_of(loaded)] == [s for s in SENTENCES if s != "Has he?"]
    assert loaded.kind == "text"
    assert loaded.report.skipped == {"of fewer than 4 words": 1}
    assert str(loaded.report) == f"6 pairs from {path}, columns text (skipped: 1 of fewer than 4 words)"
    assert [len(set(some)) for some in (loaded.dataset["document"][:4], loaded.dataset["document"])] == [2, 2]


@given(st.lists(st.text("abcde", min_size=1, max_size=4), min_size=4, max_size=30))
def test_a_sentence_is_cut_alike_wherever_it_stands_and_both_parts_have_a_third_of_it(words: list[str]) -> None:
    sentence = " ".join(words)
    parts = cut(sentence)
    assert parts is not None
    assert " ".join(parts) == sentence
    assert cut(f"  {sentence.upper()}.\t") == (parts[0].upper(), parts[1].upper() + ".")
    assert all(len(part.split()) >= len(words) // 3 for part in parts)


def test_a_whole_sentence_is_a_topic_of_the_text_that_it_was_cut_in(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(SENTENCES), encoding="utf-8")
    text = ParallelText.of(load_pairs(str(path)).dataset)
    topic = Topic.from_sentences("a dog", ["a dog runs after THE old cat"])
    assert [" ".join((text.sources[row], text.targets[row])) for row in text.rows(topic)] == [
        "A dog runs after the old cat."
    ]


def test_cuts_lie_anywhere_in_the_middle_part_of_a_sentence() -> None:
    places = Counter(len((cut(f"{i} a b c d e f g h") or ("",))[0].split()) for i in range(300))
    assert set(places) == {3, 4, 5, 6}
    assert min(places.values()) > 40


def test_pairs_of_a_document_stay_in_one_pool_and_a_prompt_is_in_one_pool_alone(tmp_path: Path) -> None:
    shared = "All rights are reserved by their owner."
    texts = [f"{i} is the number of this document. {i} has another sentence here. {shared}" for i in range(200)]
    pools = split_pools(load_pairs(jsonl(tmp_path / "a.jsonl", [{"text": text} for text in texts])).dataset)
    documents = {pool: set(rows["document"]) for pool, rows in pools.items()}
    assert sum(map(len, documents.values())) == len(set.union(*documents.values())) == 200
    assert all(len(documents[pool]) > 5 for pool in documents)
    begun, _ = cut(shared) or ("", "")
    assert [pool for pool, rows in pools.items() if begun in rows["source"]] == ["train"]
    prompts = {pool: set(rows["source"]) for pool, rows in pools.items()}
    assert not prompts["train"] & (prompts["test"] | prompts["validation"])


def test_questions_keep_their_wrong_answers(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "question": f"Which is number {i}?",
            "answer": "yes" if i % 3 else "maybe",
            "perturbed_answer": ["no", f"not {i}"] if i % 2 else "never",
        }
        for i in range(12)
    ]
    loaded = load_pairs(jsonl(tmp_path / "a.jsonl", rows))
    assert loaded.report.columns == ("question", "answer")
    assert loaded.kind == "pairs"
    assert pairs_of(loaded) == [(row["question"], row["answer"]) for row in rows]
    asked = {one.prompt: one for one in sample_pool(loaded.dataset, 100)}
    assert asked["Which is number 3?"].wrong == ("no", "not 3")
    assert asked["Which is number 4?"].wrong == ("never",)
    assert [pool_of(row["question"]) for row in rows].count("train") == len(split_pools(loaded.dataset)["train"])
    assert len(ParallelText.of(split_pools(loaded.dataset)["train"]).wrong) == len(split_pools(loaded.dataset)["train"])


def test_the_last_answer_of_a_chat_is_the_answer(tmp_path: Path) -> None:
    user, assistant = ({"role": role, "content": said} for role, said in (("user", "Who?"), ("assistant", "Me.")))
    parts = {
        "role": "user",
        "content": [{"type": "text", "text": "And "}, {"type": "image"}, {"type": "text", "text": "now?"}],
    }
    last = {"role": "assistant", "content": "You."}
    chats = [[user, assistant], [user, assistant, parts, last, user], [user], [assistant], "none", None]
    loaded = load_pairs(jsonl(tmp_path / "a.jsonl", [{"messages": chat} for chat in chats]))
    assert pairs_of(loaded) == [("Who?", "Me."), ("Who?\n\nMe.\n\nAnd now?", "You.")]
    assert loaded.kind == "messages"
    assert loaded.report.skipped == {"without an answer of an assistant": 4}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_text_and_its_label(tmp_path: Path, form: str) -> None:
    path, rows = tmp_path / f"a.{form}", [{"text": f"A film, the {i}th", "label": i % 2} for i in range(12)]
    if form == "parquet":
        Dataset.from_list(rows).to_parquet(path)
    elif form == "csv":
        path.write_text("text,label\n" + "".join(f'"{row["text"]}",{row["label"]}\n' for row in rows))
    else:
        jsonl(path, rows)
    loaded = load_pairs(str(path))
    assert loaded.kind == "labels"
    assert pairs_of(loaded) == [(row["text"], str(row["label"])) for row in rows]


def test_two_columns_are_taken_before_a_text(tmp_path: Path) -> None:
    row = {"text": "A dog runs after a cat.", "prompt": "Who runs?", "completion": "A dog."}
    assert pairs_of(load_pairs(jsonl(tmp_path / "a.jsonl", [row]))) == [("Who runs?", "A dog.")]
    (tmp_path / "pairs.txt").write_text("A dog runs\tUn chien court\n")
    assert load_pairs(str(tmp_path / "pairs.txt")).kind == "pairs"


def test_a_text_without_a_sentence_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo words\n\n")
    with pytest.raises(CodeUnlearnError, match=r"no usable sentence pair \(.*2 of fewer than 4 words, 1 without text"):
        load_pairs(DataConfig(str(tmp_path / "words.txt")))
