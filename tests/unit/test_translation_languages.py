"""Models translate between the languages that they, their tokenizers or the user name, asked in one pass or step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSeq2SeqLM, MBart50Tokenizer, MBartTokenizer, NllbTokenizer

from codeunlearn.codebook import attach, bottleneck_for
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.language_names import code_among, language_of, languages_in_name
from codeunlearn.codebook.languages import set_languages
from codeunlearn.codebook.loading import load_both
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import of_other_languages, standard_metrics
from codeunlearn.reporting.model_card import write_model_card
from codeunlearn.tasks.base import TASKS, View, task_of
from codeunlearn.tasks.forced import force
from codeunlearn.tasks.generating import translate_counted
from codeunlearn.unlearning.evidence.effects import Deletion, DeletionEffects
from codeunlearn.unlearning.evidence.reading import CodeReader

SENTENCES = ["a dog runs", "the cat sees a dog", "ein hund rennt", "die katze sieht einen hund"]
LETTERS = "▁abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SMALL = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 64, "dropout": 0.0,
    "attention_dropout": 0.0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "init_std": 0.3,
}  # fmt: skip
GERMAN = {"m2m100": "__de__", "nllb": "deu_Latn", "mbart": "de_DE", "mbart50": "de_DE"}


def make(kind: str, folder: Path, slow_tokenizer: Callable[..., Any]) -> tuple[Any, Any]:
    """A random model without a word on its languages, and its tokenizer."""
    if kind == "m2m100":
        tokenizer: Any = slow_tokenizer(kind, folder, SENTENCES)
    elif kind == "nllb":
        tokenizer = NllbTokenizer(vocab={one: i for i, one in enumerate([*SPECIAL, *LETTERS])}, merges=[])
    else:
        pieces = [(one, 0.0) for one in SPECIAL] + [(one, -1.0) for one in LETTERS]
        tokenizer = {"mbart": MBartTokenizer, "mbart50": MBart50Tokenizer}[kind](vocab=pieces)
    model_type = {"m2m100": "m2m_100", "nllb": "m2m_100"}.get(kind, "mbart")
    torch.manual_seed(0)
    config = CONFIG_MAPPING[model_type](
        **SMALL, vocab_size=len(tokenizer) + 120, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    return AutoModelForSeq2SeqLM.from_config(config).eval(), tokenizer


@pytest.fixture(params=list(GERMAN))
def many(request: pytest.FixtureRequest, slow_tokenizer: Callable[..., Any], tmp_path: Path) -> tuple[str, Any, Any]:
    """A multilingual model with a bottleneck: kind, model, tokenizer."""
    model, tokenizer = make(request.param, tmp_path / "tokenizer", slow_tokenizer)
    config = bottleneck_for(model.config, layer=1, num_codes=64, code_dim=12, top_s=4)
    return request.param, attach(model, config), tokenizer


@pytest.mark.parametrize("code", ["de", "deu", "deu_Latn", "de_DE", "German", "german"])
def test_a_language_has_one_name_by_all_of_its_codes(code: str) -> None:
    assert language_of(code) == "german"
    assert code_among(code, ["en", "fra_Latn", "deu_Latn"]) == "deu_Latn"


def test_a_language_that_is_not_known_goes_by_its_code() -> None:
    assert language_of("ace_Latn") == "ace_Latn"
    assert code_among("ace_Latn", ["ace_Arab", "ace_Latn"]) == "ace_Latn"
    assert code_among("klingon", ["en"]) is None


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("Helsinki-NLP/opus-mt-en-de", ("english", "german")),
        ("models/opus-mt-tc-big-fr-en", ("french", "english")),
        ("Helsinki-NLP/opus-mt-en-ROMANCE", None),
        ("google-t5/t5-small", None),
    ],
)
def test_marians_are_named_by_their_languages(name: str, pair: tuple[str, str] | None) -> None:
    assert languages_in_name(name) == pair


def step_by_step(model: Any, ids: list[int], labels: list[int], start: int) -> list[float]:
    """Log probabilities of the labels, each asked for after those before it alone."""
    source, found = torch.tensor([ids]), []
    for k, label in enumerate(labels):
        given = torch.tensor([[start, *labels[:k]]])
        found.append(float(model(input_ids=source, decoder_input_ids=given).logits[0, -1].log_softmax(-1)[label]))
    return found


@torch.no_grad()
def test_answers_begin_in_their_language_in_one_pass_as_step_by_step(many: tuple[str, Any, Any]) -> None:
    kind, model, tokenizer = many
    set_languages(model, tokenizer, "english", "german")
    german = tokenizer.convert_tokens_to_ids(GERMAN[kind])
    source, target = encode(tokenizer, ["a dog"]).ids[0], encode(tokenizer, ["ein hund"], as_target=True).ids[0]
    assert german in target
    (row,) = model.generate(torch.tensor([source]), max_new_tokens=6, do_sample=False).tolist()
    assert row[:2].index(german) == (0 if kind == "mbart" else 1)
    (forced,) = force(model, tokenizer, ["a dog"], ["ein hund"], with_spans=True)
    assert len(forced.spans) == len(forced.log_probabilities) == len(target)
    alone = step_by_step(model, source, target, row[0])
    given = [i for i, token in enumerate(target) if token == german]
    assert [forced.log_probabilities[i] for i in given] == [0.0]
    asked = [i for i in range(len(target)) if i not in given]
    np.testing.assert_allclose(forced.log_probabilities[asked], np.array(alone)[asked], atol=1e-4)
    (text,) = translate_counted(model, tokenizer, ["a dog"]).texts
    assert GERMAN[kind] not in text


@torch.no_grad()
def test_the_effect_of_a_deletion_is_counted_behind_the_right_start(many: tuple[str, Any, Any]) -> None:
    """Although the labels are cut behind the last that counts."""
    _, model, tokenizer = many
    set_languages(model, tokenizer, "english", "german")
    lists = CodeReader(model, tokenizer, 8).read(["a dog"])
    effects = DeletionEffects(model, tokenizer, lists, ["ein hund da"], words=["hund"])
    found = effects.log_probabilities([Deletion(0, None)], np.zeros(64, bool))
    (forced,) = force(model, tokenizer, ["a dog"], ["ein hund da"], with_spans=True)
    inside = [a < 8 and b > 4 for a, b in forced.spans]
    assert found[0] == pytest.approx(forced.log_probabilities[inside].sum(), abs=1e-3)


@pytest.mark.parametrize("alone", [False, True])
def test_a_saved_model_keeps_its_languages(many: tuple[str, Any, Any], tmp_path: Path, alone: bool) -> None:
    _, model, tokenizer = many
    set_languages(model, tokenizer, "fr", "german")
    if alone:
        plain = _plain_of(model)
        save_model(plain, tokenizer, tmp_path / "base")
        keep_base(model, str(tmp_path / "base"))
    save_model(model, tokenizer, tmp_path / "m")
    opened, own = load_both(tmp_path / "m")
    assert task_of(tmp_path / "m").languages == task_of(opened).languages == ("french", "german")
    assert encode(own, ["a"]).ids == encode(tokenizer, ["a"]).ids
    asked = (["a dog runs"], ["ein hund"])
    view, again = View(model, tokenizer), View(opened, own)
    assert task_of(opened).answer(again, asked[0]).texts == task_of(model).answer(view, asked[0]).texts
    (one,), (other,) = task_of(model).forced(view, *asked), task_of(opened).forced(again, *asked)
    np.testing.assert_allclose(one.log_probabilities, other.log_probabilities, atol=1e-5)
    versions = {"codeunlearn": "0", "torch": "0", "transformers": "0"}
    record = {"kind": "build", "base": "b", "pairs": {"data": "d", "kept": 3}, "environment": versions}
    assert "translation from French to German" in write_model_card(tmp_path / "m", record).read_text("utf-8")


def _plain_of(model: Any) -> Any:
    from codeunlearn.codebook.architectures import architecture_of

    kind = model.config.model_type.removeprefix("codeunlearn-")
    settings = {
        k: v for k, v in model.config.to_dict().items() if k not in ("bottleneck", "model_type", "architectures")
    }
    plain = architecture_of(kind).auto.from_config(CONFIG_MAPPING[kind](**settings))
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if "bottleneck" not in k})
    return plain.eval()


def test_a_multilingual_model_of_which_nothing_is_known_translates_from_english_to_french(
    many: tuple[str, Any, Any],
) -> None:
    _, model, tokenizer = many
    set_languages(model, tokenizer)
    assert task_of(model).languages == ("english", "french")
    if model.generation_config.forced_bos_token_id is not None:
        token = tokenizer.convert_ids_to_tokens(model.generation_config.forced_bos_token_id)
        assert language_of(token.strip("_")) == "french"


def test_a_script_stays_where_the_language_does(slow_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
    model, tokenizer = make("nllb", tmp_path, slow_tokenizer)
    set_languages(model, tokenizer, target="zho_Hant")
    assert task_of(model).languages == ("english", "chinese")
    set_languages(model, tokenizer)
    assert tokenizer.tgt_lang == "zho_Hant"


def test_a_language_that_the_model_has_not_is_one_clear_error(many: tuple[str, Any, Any]) -> None:
    _, model, tokenizer = many
    with pytest.raises(CodeUnlearnError, match="has no language 'klingon'; name one of those that it has: "):
        set_languages(model, tokenizer, target="klingon")


def marian(folder: Path, slow_tokenizer: Callable[..., Any], texts: list[str], **languages: str) -> Path:
    tokenizer = slow_tokenizer("marian", folder / "tokenizer", texts, **languages)
    config = CONFIG_MAPPING["marian"](
        **SMALL, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, eos_token_id=0, forced_eos_token_id=0,
        decoder_start_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    save_model(AutoModelForSeq2SeqLM.from_config(config), tokenizer, folder / "m")
    return folder / "m"


def test_a_marian_is_known_by_its_tokenizer(slow_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
    folder = marian(tmp_path, slow_tokenizer, SENTENCES, source_lang="de", target_lang="spa")
    assert task_of(folder).languages == ("german", "spanish")
    assert task_of(load_both(folder)[0]).languages == ("german", "spanish")


def test_a_marian_for_many_languages_is_told_its_target_before_every_source(
    slow_tokenizer: Callable[..., Any], tmp_path: Path
) -> None:
    folder = marian(tmp_path, slow_tokenizer, SENTENCES, source_lang="en", target_lang="mul")
    model, tokenizer = load_both(folder)
    tokenizer.supported_language_codes = [">>deu<<", ">>fra<<"]
    set_languages(model, tokenizer, target="german")
    assert model.config.source_prefix == ">>deu<< "
    set_languages(model, tokenizer, target="french")
    assert model.config.source_prefix == ">>fra<< "
    set_languages(model, tokenizer, target="german")
    save_model(model, tokenizer, tmp_path / "again")
    assert task_of(tmp_path / "again").languages == ("english", "german")


def test_metrics_of_another_language_are_named(tiny_model: Any) -> None:
    assert of_other_languages(standard_metrics(), "german") == {"french_share": "french", "meteor_fr": "french"}
    assert of_other_languages(standard_metrics(), "french") == {}
    assert task_of(tiny_model) == TASKS.get("translation")
