"""BERTScore's precision: the formula by hand, the authors' program where it is installed, and any local encoder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.bertscore import (
    FRENCH_LAYER,
    FRENCH_MODEL,
    BertScoreConfig,
    bertscore_config,
    bertscore_precision,
)
from codeunlearn.evaluation.metrics.embedding_precision import EmbeddingPrecision, greedy_precision
from codeunlearn.evaluation.metrics.encoder import FrozenEncoder, TokenStates
from codeunlearn.training.tokenizer import train_tokenizer

WORDS = ["le", "chat", "noir", "dort", "un", "chien", "voit", "la", "table", "rouge"]
HYPOTHESES = ["le chat dort", "un chien", "", "la table rouge la table", "noir"]
REFERENCES = [["le chien dort", "le chat noir"], ["un chien"], ["le chat"], ["table rouge"], ["voit un chat noir"]]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of three layers, saved."""
    folder = tmp_path_factory.mktemp("bert")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=14, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64, initializer_range=0.8,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random T5 of two layers, saved."""
    folder = tmp_path_factory.mktemp("t5")
    torch.manual_seed(0)
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2, "decoder_start_token_id": 0}
    T5ForConditionalGeneration(T5Config(vocab_size=60, **shape)).save_pretrained(folder)
    train_tokenizer([" ".join(WORDS)] * 2, vocab_size=60).save_pretrained(folder)
    return folder


def unit(rows: list[list[float]]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=-1)


def by_hand(hypothesis: TokenStates, reference: TokenStates) -> float:
    best: list[float] = []
    for i, h in enumerate(hypothesis.states):
        if hypothesis.counted[i]:
            best.append(max(sum(float(a * b) for a, b in zip(h, r, strict=True)) for r in reference.states))
    return sum(best) / len(best)


def test_every_counted_token_takes_its_nearest_of_the_reference() -> None:
    hypothesis = TokenStates(unit([[1, 0], [1, 1], [-1, 0]]), torch.tensor([True, True, False]))
    reference = TokenStates(unit([[0, 1], [1, 0]]), torch.tensor([True, True]))
    assert greedy_precision(hypothesis, reference) == pytest.approx((1 + math.sqrt(0.5)) / 2)


def test_opposite_states_score_below_nothing() -> None:
    one = TokenStates(unit([[1, 0]]), torch.tensor([True]))
    other = TokenStates(unit([[-1, 0]]), torch.tensor([True]))
    assert greedy_precision(one, other) == pytest.approx(-1)


def test_the_formula_is_that_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    for sizes in ((3, 5), (6, 2)):
        h, r = (
            TokenStates(
                torch.nn.functional.normalize(torch.randn(n, 4, generator=generator), dim=-1), torch.arange(n) != 0
            )
            for n in sizes
        )
        assert greedy_precision(h, r) == pytest.approx(by_hand(h, r), abs=1e-6)


def test_the_states_are_those_of_the_layer_whatever_the_batch(bert: Path) -> None:
    model: Any = BertModel.from_pretrained(bert).eval()
    encoder = FrozenEncoder(bert, 2, device="cpu")
    together = encoder.states(["le chat dort", "un chien"])
    tokens = encoder.tokenizer(["un chien"], return_tensors="pt")
    hidden = model(**tokens, output_hidden_states=True).hidden_states[2][0].detach()
    expected = torch.nn.functional.normalize(hidden, dim=-1)
    torch.testing.assert_close(together[1].states, expected, atol=1e-5, rtol=0)
    assert together[1].counted.tolist() == [False, True, True, False]


def test_the_best_of_several_references_counts_and_an_empty_output_scores_nothing(bert: Path) -> None:
    encoder = FrozenEncoder(bert, 2, device="cpu")
    score = EmbeddingPrecision(encoder)(HYPOTHESES, REFERENCES)
    assert score.per_sentence is not None
    states = encoder.states([HYPOTHESES[0], *REFERENCES[0]])
    assert score.per_sentence[0] == pytest.approx(100 * max(by_hand(states[0], r) for r in states[1:]), abs=1e-4)
    assert score.per_sentence[1] == pytest.approx(100, abs=1e-4)
    assert score.per_sentence[2] == 0
    assert score.value == pytest.approx(sum(score.per_sentence) / 5)
    assert score.name == "embedding_precision"


def test_it_is_the_score_of_the_authors_program(bert: Path) -> None:
    package = pytest.importorskip("bert_score")
    theirs = package.BERTScorer(model_type=str(bert), num_layers=2, device="cpu")
    # bert-score 0.3.13 reads an empty sentence with a method that transformers 5 no longer has.
    filled = [i for i, hypothesis in enumerate(HYPOTHESES) if hypothesis]
    texts, wanted = [HYPOTHESES[i] for i in filled], [REFERENCES[i] for i in filled]
    expected = theirs.score(texts, wanted)[0]
    ours = bertscore_precision(BertScoreConfig(str(bert), 2), device="cpu")(texts, wanted)
    assert ours.per_sentence == pytest.approx((100 * expected).tolist(), abs=1e-3)


def test_a_baseline_becomes_zero_and_a_perfect_score_stays(bert: Path) -> None:
    raw = bertscore_precision(BertScoreConfig(str(bert), 2), device="cpu")(HYPOTHESES, REFERENCES)
    rescaled = bertscore_precision(BertScoreConfig(str(bert), 2, baseline=0.5), device="cpu")(HYPOTHESES, REFERENCES)
    assert raw.per_sentence is not None
    assert rescaled.per_sentence == pytest.approx([2 * p - 100 for p in raw.per_sentence], abs=1e-4)
    assert "rescaled:0.5" in rescaled.signature
    assert raw.signature != rescaled.signature


def test_model_weights_and_layer_are_in_the_signature(bert: Path) -> None:
    signatures = {bertscore_precision(BertScoreConfig(str(bert), layer), device="cpu").signature for layer in (1, None)}
    assert len(signatures) == 2
    assert all(s.startswith(f"model:{bert.name}@") and str(bert.parent) not in s for s in signatures)


def test_multilingual_bert_is_read_at_the_authors_layer_wherever_it_lies() -> None:
    assert bertscore_config("models/bert-base-multilingual-cased").layer == FRENCH_LAYER
    assert bertscore_config("models/bert-base-multilingual-cased", 3).layer == 3
    assert bertscore_config(FRENCH_MODEL) == BertScoreConfig()
    assert bertscore_config("almanach/camembert-base").layer is None


def test_the_encoder_of_a_translation_model_will_do(t5: Path) -> None:
    score = EmbeddingPrecision(FrozenEncoder(t5, device="cpu"))(["le chat", "un chien"], [["le chat"], ["la table"]])
    assert score.per_sentence is not None
    assert score.per_sentence[0] == pytest.approx(100, abs=1e-4)
    assert score.per_sentence[1] < 100
    assert "layer:2" in score.signature


def test_typography_is_not_a_difference(t5: Path) -> None:
    score = EmbeddingPrecision(FrozenEncoder(t5, device="cpu"))(["l\u2019\u00e9t\u00e9\u00a0!"], [["l'\u00e9t\u00e9!"]])
    assert score.value == pytest.approx(100, abs=1e-4)


def test_a_model_or_layer_that_is_not_there_is_refused(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="layers 0 to 3, not 4"):
        FrozenEncoder(bert, 4)
    with pytest.raises(CodeUnlearnError, match="no model folder"):
        FrozenEncoder(tmp_path / "nowhere")


def test_pickled_weights_are_not_opened(bert: Path, tmp_path: Path) -> None:
    for file in bert.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(BertModel.from_pretrained(bert).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(CodeUnlearnError, match="cannot be opened"):
        FrozenEncoder(tmp_path)
