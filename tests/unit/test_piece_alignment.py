"""Tokens of tokenizers that do not say where they stand in a text are found there all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, ByT5Tokenizer

from codeunlearn.codebook.alignment import align
from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.prefix import Frame
from codeunlearn.codebook.prompts import encode_rows

SENTENCES = ["a dog runs", "the cat sees a dog", "un chien court", "le chat voit un chien", "The café is closed."] * 5


@pytest.fixture(scope="module", params=["marian", "m2m100"])
def tokenizer(request: pytest.FixtureRequest, slow_tokenizer: Callable[..., Any], tmp_path_factory: Any) -> Any:
    folder = tmp_path_factory.mktemp(request.param)
    made = slow_tokenizer(request.param, folder, SENTENCES, **({} if request.param == "marian" else {"tgt_lang": "de"}))
    made.save_pretrained(folder / "saved")
    return AutoTokenizer.from_pretrained(folder / "saved")


@pytest.mark.parametrize(
    ("pieces", "text", "wanted"),
    [
        (["▁a", "▁do", "g"], "a  dog", ["a", "do", "g"]),
        (["▁", "a"], "a", ["", "a"]),
        (["▁the", "▁cafe\u0301"], "the caf\u00e9", ["the", "caf\u00e9"]),
        (["▁caf\u00e9"], "CAFE\u0301", ["CAFE\u0301"]),
        (["▁", "f", "i", "ne"], "\ufb01ne", ["", "\ufb01", "\ufb01", "ne"]),
        (['▁"', "dog", '"'], "\u201cdog\u201d", ["\u201c", "dog", "\u201d"]),
        (["▁a", "<unk>", "▁dog"], "a \u732b dog", ["a", "\u732b", "dog"]),
        (["▁a", "<unk>"], "a \u732b \u72ac ", ["a", "\u732b \u72ac"]),
        (["▁a", "<0xE7>", "<0x8C>", "<0xAB>", "s"], "a \u732bs", ["a", "\u732b", "\u732b", "\u732b", "s"]),
        (["▁soft", "ly"], "so\u00adftly", ["so\u00adft", "ly"]),
        (["▁gone", "▁here"], "here", ["", "here"]),
        ([], "nothing", []),
    ],
)  # fmt: skip
def test_pieces_stand_where_they_were_read(pieces: list[str], text: str, wanted: list[str]) -> None:
    assert [text[a:b] for a, b in align(pieces, text, "<unk>")] == wanted


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_spans_lie_in_the_text_and_in_order(text: str) -> None:
    pieces = text.replace(" ", " ▁").split(" ")
    spans = align(pieces, text)
    assert all(0 <= a <= b <= len(text) for a, b in spans)
    assert spans == sorted(spans)


def test_bytes_stand_for_their_letter() -> None:
    found = encode(ByT5Tokenizer(), ["un café"], with_spans=True)
    assert ["un café"[a:b] for a, b in found.spans[0]] == [*"un", "", *"caf", "é", "é", ""]


@pytest.mark.parametrize("as_target", [False, True])
def test_a_slow_tokenizer_says_where_its_tokens_stand(tokenizer: Any, as_target: bool) -> None:
    text = "The  dog 猫 runs."
    found = encode(tokenizer, [text, "", "dog"], as_target=as_target, with_spans=True)
    plain = encode(tokenizer, [text, "", "dog"], as_target=as_target)
    assert found.ids == plain.ids
    assert found.framing == plain.framing
    assert list(map(len, found.spans)) == list(map(len, found.ids))
    for spans, framing in zip(found.spans, found.framing, strict=True):
        assert {span for span, frame in zip(spans, framing, strict=True) if frame} == {(0, 0)}
    words = "".join(text[a:b] for a, b in found.spans[0])
    assert words == "Thedog猫runs."
    unknown = found.ids[0].index(tokenizer.unk_token_id)
    assert text[slice(*found.spans[0][unknown])] in ("猫", "T", "r", "h")


def test_a_cut_text_keeps_the_spans_of_what_is_left(tokenizer: Any) -> None:
    text = "The dog runs."
    whole, cut = encode(tokenizer, [text], with_spans=True), encode(tokenizer, [text], 5, with_spans=True)
    assert len(cut.ids[0]) == len(cut.spans[0]) == 5
    body = [span for span, frame in zip(cut.spans[0], cut.framing[0], strict=True) if not frame]
    assert (
        body == [span for span, frame in zip(whole.spans[0], whole.framing[0], strict=True) if not frame][: len(body)]
    )


def test_prompt_and_answer_are_told_apart_without_offsets(tokenizer: Any) -> None:
    (row,) = encode_rows(tokenizer, ["a dog"], ["runs fast"], Frame("Q: ", "?"), 64)
    assert "".join("runs fast"[a:b] for a, b in row.spans) == "runsfast"
    assert len(row.answer) == len(row.spans)


def test_a_control_token_written_in_a_sentence_is_text(tokenizer: Any) -> None:
    for text in ("a </s> dog", "<pad>", "</s>"):
        (ids,), (framing,) = (part for part in (encode(tokenizer, [text]).ids, encode(tokenizer, [text]).framing))
        body = {token for token, frame in zip(ids, framing, strict=True) if not frame}
        assert body.isdisjoint({tokenizer.pad_token_id, tokenizer.eos_token_id})


def test_saving_a_model_keeps_its_tokenizers_files(tokenizer: Any, tiny_model: Any, tmp_path: Path) -> None:
    from codeunlearn.codebook.writing import save_model

    save_model(tiny_model, tokenizer, tmp_path / "m")
    save_model(tiny_model, tokenizer, tmp_path / "m")
    again = AutoTokenizer.from_pretrained(tmp_path / "m")
    assert encode(again, SENTENCES[:3]).ids == encode(tokenizer, SENTENCES[:3]).ids
