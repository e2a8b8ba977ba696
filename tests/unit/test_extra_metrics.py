"""The metrics that need a model, in an evaluation of a saved model, each under the name of what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from codeunlearn.codebook import model_identity
from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.evaluation.evaluate import evaluate_saved
from codeunlearn.evaluation.metrics.bartscore import BartScoreConfig
from codeunlearn.evaluation.metrics.base import Outputs, standard_metrics
from codeunlearn.evaluation.metrics.bertscore import BertScoreConfig
from codeunlearn.evaluation.metrics.fluency import fit_fluency
from codeunlearn.evaluation.metrics.likelihood import Seq2SeqScore
from codeunlearn.evaluation.metrics.opening import ExtraMetricsConfig, opened_metrics
from codeunlearn.evaluation.test_sets import FORGET, RETAIN, TestSet
from codeunlearn.reporting import before_after, scores_table
from codeunlearn.tasks.base import TASKS, Example, View
from codeunlearn.unlearning import ForgetSet

SETS = [
    TestSet(FORGET, [Example("a dog runs", ("un chien court",)), Example("a dog", ("un chien",))],
            ("chien",)),
    TestSet(RETAIN, [Example("the cat", ("le chat",))]),
]  # fmt: skip


@pytest.fixture
def saved(tiny_model: Any, tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    """A codebook model and a plain one."""
    for name, model in (("model", tiny_model), ("plain", tiny_base)):
        model.save_pretrained(tmp_path / name)
        tiny_tokenizer.save_pretrained(tmp_path / name)
    return tmp_path


def everything(folder: Path) -> ExtraMetricsConfig:
    plain = str(folder / "plain")
    return ExtraMetricsConfig(
        embedding_precision=plain,
        seq2seq_score=plain,
        bertscore=BertScoreConfig(plain, layer=1),
        bartscore=BartScoreConfig(plain),
    )


def test_an_evaluation_holds_all_of_them_for_every_system_and_set(saved: Path, tiny_model: Any) -> None:
    fluency = fit_fluency(ParallelText(["the cat", "a dog"], ["le chat", "un chien"]), words=["chien"])
    extras = opened_metrics(everything(saved), fluency=fluency, device="cpu")
    forget_set = ForgetSet("dog", tuple(range(40)), model_identity(tiny_model), num_codes=64)
    scored = evaluate_saved(
        str(saved / "model"),
        "dog",
        SETS,
        forget_sets=[forget_set],
        comparisons={"plain": str(saved / "plain")},
        metrics={**standard_metrics(), **extras},
        device="cpu",
    )
    expected = {
        "bertscore_precision",
        "embedding_precision",
        "seq2seq_score",
        "seq2seq_score_ref_hyp",
        "fluency",
        "extraction_strength",
    }
    for system in ("codebook", "unlearned", "plain"):
        for name in (FORGET, RETAIN):
            found = {row.metric for row in scored.rows if (row.system, row.set) == (system, name)}
            assert expected <= found
            assert ("target_word_rank" in found) == (name == FORGET)
    assert {row.metric for row in scored.comparisons if row.set == RETAIN} >= expected
    assert {row.metric for row in scored.comparisons if row.beyond_retain is not None} >= expected
    before_after(scored)
    scores_table(scored)


def test_likelihood_is_given_the_sources_of_the_set(saved: Path) -> None:
    metrics = opened_metrics(everything(saved), device="cpu")
    hypotheses = ["un chat", "le chien"]
    scorer = Seq2SeqScore(saved / "plain", device="cpu")
    expected = scorer.score(SETS[0].prompts, hypotheses, SETS[0].references)
    outputs = Outputs(SETS[0], hypotheses, TASKS.get("translation"), View(None, None))
    assert metrics["seq2seq_score"](outputs) == expected


def test_nothing_is_opened_that_was_not_asked_for() -> None:
    assert opened_metrics(ExtraMetricsConfig()) == {}


def test_the_record_names_models_without_their_folders(saved: Path) -> None:
    assert set(everything(saved).names().values()) == {"plain"}
    assert "comet" not in everything(saved).names()
