"""Likelihood of translations: the model's own loss, whatever the batch, under the name that the model deserves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.bartscore import BartScoreConfig, bartscore
from codeunlearn.evaluation.metrics.likelihood import Seq2SeqScore
from codeunlearn.tasks.forced import force

SOURCES = ["a dog runs", "the cat", "the cat sees a dog"]
HYPOTHESES = ["un chien court", "", "le chat voit un chien le chat"]
REFERENCES = [["un chien", "un chien voit"], ["le chat"], ["le chat voit un chien"]]


def loss(model: Any, tokenizer: Any, given: str, scored: str) -> float:
    """The model's cross-entropy of one text given another, from its own forward pass."""
    labels = tokenizer(text_target=scored, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return float(model(**tokenizer(given, return_tensors="pt"), labels=labels).loss)


@pytest.fixture
def t5(tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    tiny_base.save_pretrained(tmp_path / "t5")
    tiny_tokenizer.save_pretrained(tmp_path / "t5")
    return tmp_path / "t5"


@pytest.fixture
def bart(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=48, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, max_position_embeddings=64, init_std=0.5,
        pad_token_id=0, bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=1,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(tmp_path / "bart")
    tiny_tokenizer.save_pretrained(tmp_path / "bart")
    return tmp_path / "bart"


def test_forced_tokens_are_those_of_the_models_own_logits_whatever_the_batch(
    tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    together = force(tiny_base, tiny_tokenizer, SOURCES, HYPOTHESES, batch_tokens=1000)
    apart = force(tiny_base, tiny_tokenizer, SOURCES, HYPOTHESES, batch_tokens=1)
    for source, target, one, other in zip(SOURCES, HYPOTHESES, together, apart, strict=True):
        labels: Any = tiny_tokenizer(target, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = tiny_base(**tiny_tokenizer(source, return_tensors="pt"), labels=labels).logits[0]
        order = logits.argsort(dim=-1, descending=True).tolist()
        assert one.ranks.tolist() == [1 + row.index(int(label)) for row, label in zip(order, labels[0], strict=True)]
        assert one.ranks.tolist() == other.ranks.tolist()
        expected = logits.log_softmax(-1)[torch.arange(len(labels[0])), labels[0]]
        assert one.log_probabilities == pytest.approx(expected.numpy(), abs=1e-5)
        assert other.log_probabilities == pytest.approx(expected.numpy(), abs=1e-5)


def test_the_score_of_a_sentence_is_minus_the_models_loss(t5: Path) -> None:
    scorer = Seq2SeqScore(t5, device="cpu")
    score = scorer.on(SOURCES)(HYPOTHESES, REFERENCES)
    expected = [-loss(scorer.model, scorer.tokenizer, s, h) for s, h in zip(SOURCES, HYPOTHESES, strict=True)]
    assert score.per_sentence == pytest.approx(expected, abs=1e-5)
    assert score.value == pytest.approx(sum(expected) / 3, abs=1e-5)
    assert score.higher_is_better


def test_bartscore_has_three_directions_besides_and_the_best_reference_counts(bart: Path) -> None:
    scored: dict[str, list[float]] = {}
    for direction in ("ref-hyp", "hyp-ref", "f"):
        scorer = bartscore(BartScoreConfig(str(bart), direction), device="cpu")
        score = scorer.on([])(HYPOTHESES, REFERENCES)
        assert score.name == f"bartscore_{direction.replace('-', '_')}"
        assert f"direction:{direction}" in score.signature
        scored[direction] = score.per_sentence or []
    own = Seq2SeqScore(bart, device="cpu")
    precision = [max(-loss(own.model, own.tokenizer, r, HYPOTHESES[0]) for r in REFERENCES[0])]
    recall = [max(-loss(own.model, own.tokenizer, HYPOTHESES[0], r) for r in REFERENCES[0])]
    assert scored["ref-hyp"][:1] == pytest.approx(precision, abs=1e-5)
    assert scored["hyp-ref"][:1] == pytest.approx(recall, abs=1e-5)
    assert scored["f"] == pytest.approx(
        [(p + r) / 2 for p, r in zip(scored["ref-hyp"], scored["hyp-ref"], strict=True)]
    )


def test_only_a_bart_gives_a_bartscore(bart: Path, t5: Path) -> None:
    assert Seq2SeqScore(bart, device="cpu").name == "bartscore"
    assert bartscore(BartScoreConfig(str(t5)), device="cpu").name == "seq2seq_score_ref_hyp"


def test_a_prefix_is_read_before_the_source_only(t5: Path) -> None:
    with_prefix = Seq2SeqScore(t5, prefix="the dog ", device="cpu")
    score = with_prefix.on(SOURCES)(HYPOTHESES, REFERENCES)
    written = Seq2SeqScore(t5, device="cpu").on(["the dog " + source for source in SOURCES])(HYPOTHESES, REFERENCES)
    assert score.per_sentence == written.per_sentence
    assert "prefix:the dog" in score.signature


def test_a_judge_that_reads_no_sources_reads_no_prefix_of_its_own(t5: Path) -> None:
    plain, own = (Seq2SeqScore(t5, "ref-hyp", device="cpu") for _ in range(2))
    own.model.config.source_prefix = "the dog "
    values = [scorer.on(SOURCES)(HYPOTHESES, REFERENCES).per_sentence for scorer in (plain, own)]
    assert values[0] == values[1]


def test_weights_and_direction_are_in_the_signature_and_no_folder_is(t5: Path) -> None:
    signatures = {Seq2SeqScore(t5, direction, device="cpu").signature for direction in ("src-hyp", "ref-hyp")}
    assert len(signatures) == 2
    assert all(s.startswith("model:t5@") and str(t5.parent) not in s for s in signatures)


def test_what_does_not_fit_is_refused(t5: Path, tmp_path: Path) -> None:
    with pytest.raises(CodeUnlearnError, match="Unknown direction 'up'; use src-hyp"):
        Seq2SeqScore(t5, "up", device="cpu")  # pyright: ignore[reportArgumentType]
    with pytest.raises(CodeUnlearnError, match="no model folder"):
        Seq2SeqScore(tmp_path / "nowhere")
    with pytest.raises(CodeUnlearnError, match="as many sources"):
        Seq2SeqScore(t5, device="cpu").on(["a dog"])(HYPOTHESES, REFERENCES)
