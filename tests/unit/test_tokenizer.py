"""The trained tokenizer is T5's in form, and the same whenever it is trained on the same text."""

from __future__ import annotations

import subprocess
import sys

from codeunlearn.training.tokenizer import train_tokenizer

SENTENCES = ["The captain is tired.", "L'amour du capitaine est grand.", "A captain's dog, tired and old."] * 3


def test_special_tokens_have_t5s_ids_and_a_sentence_ends() -> None:
    tokenizer = train_tokenizer(SENTENCES, 80)
    assert tokenizer.convert_tokens_to_ids(["<pad>", "</s>", "<unk>"]) == [0, 1, 2]
    ids = tokenizer(SENTENCES[0])["input_ids"]
    assert ids[-1] == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == SENTENCES[0]


def test_punctuation_never_joins_a_word() -> None:
    tokenizer = train_tokenizer(SENTENCES * 50, 200)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("L'amour, tired.")["input_ids"])
    assert pieces == ["▁L", "'", "amour", ",", "▁tired", ".", "</s>"]


def test_the_same_text_gives_the_same_tokenizer_in_every_process() -> None:
    code = (
        "from codeunlearn.training.tokenizer import train_tokenizer\n"
        f"print(train_tokenizer({SENTENCES!r}, 60).backend_tokenizer.to_str())"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in "ab"
    )
    assert first == second
