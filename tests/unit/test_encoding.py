"""A sentence is text: no control token comes out of it, and plain sentences encode as the tokenizer encodes them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AddedToken, PreTrainedTokenizerFast

import codeunlearn
from codeunlearn.codebook.encoding import control_ids, encode, padded
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.tokenizer import train_tokenizer

PIECES = ["<pad>", "</s>", "<unk>", "▁", "<", "/", "s", ">", "p", "a", "d", "▁a", "▁dog", "▁runs", "<extra_id_0>"]
PLAIN = ["a dog runs", "dog", "a < b > c", "Ünknown words", ""]
WRITTEN = [
    "a </s> dog",
    "</s>",
    "<pad><pad>",
    "dog</s>",
    "<extra_id_0> runs",
    "\uff1c/s\uff1e",
]  # the last is wide: NFKC
END = 1


def fast(model: Any) -> PreTrainedTokenizerFast:
    backend = Tokenizer(model)
    backend.normalizer = normalizers.NFKC()  # pyright: ignore[reportAttributeAccessIssue]
    backend.pre_tokenizer = pre_tokenizers.Metaspace()  # pyright: ignore[reportAttributeAccessIssue]
    backend.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single="$A </s>", special_tokens=[("</s>", END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512,
        additional_special_tokens=["<extra_id_0>"],
    )  # fmt: skip


def word_level() -> PreTrainedTokenizerFast:
    return fast(models.WordLevel({piece: i for i, piece in enumerate([*PIECES, "▁</s>", "▁<pad>"])}, unk_token="<unk>"))


def unigram() -> PreTrainedTokenizerFast:
    """As T5's: the control tokens are pieces of the vocabulary too."""
    return fast(models.Unigram([(piece, -1.0 - i / 10) for i, piece in enumerate(PIECES)], unk_id=2))


def byte_pairs() -> PreTrainedTokenizerFast:
    return train_tokenizer(["a dog runs </s> <pad>", "a cat"] * 3, 60)


TOKENIZERS = [word_level, unigram, byte_pairs]
MADE = [make() for make in TOKENIZERS]


@pytest.fixture(params=TOKENIZERS, ids=lambda make: make.__name__)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return request.param()


def test_plain_sentences_encode_as_the_tokenizer_encodes_them(tokenizer: PreTrainedTokenizerFast) -> None:
    wanted: Any = tokenizer(PLAIN, truncation=True, max_length=3, return_offsets_mapping=True)
    found = encode(tokenizer, PLAIN, 3, with_spans=True)
    assert found.ids == wanted["input_ids"]
    assert found.spans == wanted["offset_mapping"]
    assert found.framing == [[False] * (len(ids) - 1) + [True] for ids in found.ids]


@pytest.mark.parametrize("as_target", [False, True])
def test_a_control_token_written_in_a_sentence_is_text(tokenizer: PreTrainedTokenizerFast, as_target: bool) -> None:
    for ids in encode(tokenizer, WRITTEN, as_target=as_target).ids:
        assert ids[-1] == END
        assert control_ids(tokenizer).isdisjoint(ids[:-1])
        assert len(ids) > 1


def test_its_characters_stand_where_they_are_written() -> None:
    text = "a </s> dog"
    found = encode(unigram(), [text], with_spans=True)
    said = [unigram().convert_ids_to_tokens(token) for token in found.ids[0]]
    assert said == ["▁a", "▁", "<", "/", "s", ">", "▁dog", "</s>"]
    assert [text[a:b] for a, b in found.spans[0]] == ["a", " ", "<", "/", "s", ">", " dog", ""]


@pytest.mark.parametrize("most", range(2, 12))
def test_a_cut_sentence_keeps_its_end_mark(tokenizer: PreTrainedTokenizerFast, most: int) -> None:
    text = "a </s> dog </s>"
    (whole,) = encode(tokenizer, [text]).ids
    found = encode(tokenizer, [text], most, with_spans=True)
    assert found.ids == [[*whole[: min(most, len(whole)) - 1], END]]
    assert len(found.spans[0]) == len(found.framing[0]) == len(found.ids[0])


@given(st.lists(st.one_of(st.sampled_from(["</s>", "<pad>", "<extra_id_0>", "\uff1c", " ", "a"]), st.text(max_size=5))))
def test_no_text_at_all_makes_a_control_token(parts: list[str]) -> None:
    text = "".join(parts).encode("utf-8", "ignore").decode()
    for tokenizer in MADE:
        (ids,) = encode(tokenizer, [text]).ids
        assert [token for token in ids if token in control_ids(tokenizer)] == [END]


def test_an_added_word_that_is_not_special_stays_one_token() -> None:
    tokenizer = byte_pairs()
    tokenizer.add_tokens([AddedToken("wug", special=False)])
    assert tokenizer.convert_tokens_to_ids("wug") in encode(tokenizer, ["a wug </s> runs"]).ids[0]


def test_half_a_surrogate_pair_is_one_clear_error(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(CodeUnlearnError, match=r"'a \\ud800' holds half a surrogate pair"):
        encode(tokenizer, ["a dog", "a \ud800"])


def test_rows_are_padded_on_the_right_to_a_multiple_of_the_step() -> None:
    assert torch.equal(padded([[1, 2, 3], [4]], -1), torch.tensor([[1, 2, 3], [4, -1, -1]]))
    assert padded([[1, 2, 3, 4, 5]], 0, 4).shape == (1, 8)


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def test_no_other_module_calls_a_tokenizer() -> None:
    """Else one of those that train, search, count, translate and score would read a sentence in another way."""
    package = Path(codeunlearn.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path == package / "codebook/encoding.py":
            continue
        called = set(calls(ast.parse(path.read_text(encoding="utf-8"))))
        assert called.isdisjoint({"tokenizer", "tokenize", "batch_encode_plus", "encode_plus"}), path
