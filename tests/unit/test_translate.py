"""Translation in bulk: a sentence's translation does not depend on its batch, and every token is counted."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    MarianConfig,
    MarianMTModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.forced import force
from codeunlearn.tasks.generating import DecodingConfig, translate, translate_counted
from codeunlearn.tasks.translation_pipeline import TranslationPipeline

PAD, END, UNKNOWN = 0, 1, 2
VOCABULARY = ["<pad>", "</s>", "<unk>", *[f"w{i}" for i in range(60)]]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", END)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def tiny_t5() -> T5ForConditionalGeneration:
    """A random model whose outputs differ between sentences; about half of them end before their bound."""
    torch.manual_seed(5)
    config = T5Config(
        vocab_size=len(VOCABULARY), d_model=32, d_kv=16, d_ff=64, num_heads=2, num_layers=1,
        num_decoder_layers=1, decoder_start_token_id=PAD, pad_token_id=PAD, eos_token_id=END,
        initializer_factor=6.0, dropout_rate=0.5, tie_word_embeddings=False,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        model.lm_head.weight[[PAD, UNKNOWN]] = 0  # never said, so that words are tokens
        model.lm_head.weight[END] *= 2
    return model


@pytest.fixture(scope="module")
def model() -> T5ForConditionalGeneration:
    return tiny_t5()


def sentences(n: int = 8, longest: int = 6, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(VOCABULARY[3:], k=draw.randint(1, longest))) for _ in range(n)]


@pytest.mark.parametrize("num_beams", [1, 2])
def test_a_sentence_is_translated_alone_as_in_any_batch(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, num_beams: int
) -> None:
    texts = sentences()
    alone = [translate(model, tokenizer, [text], num_beams=num_beams)[0] for text in texts]
    assert len(set(alone)) > len(texts) / 2, "the model says the same to everything: the test would show nothing"
    assert len({len(text.split()) for text in alone}) > 3
    for batch_tokens in (40, 100_000):
        assert translate(model, tokenizer, texts, num_beams=num_beams, batch_tokens=batch_tokens) == alone


def test_the_order_of_sentences_is_kept(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    texts = sentences()
    there = translate(model, tokenizer, texts, batch_tokens=24)
    back = translate(model, tokenizer, texts[::-1], batch_tokens=24)
    assert back[::-1] == there


def test_greedy_search_takes_the_likeliest_token_at_every_step(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    for text in sentences(3):
        source = torch.tensor([tokenizer(text)["input_ids"]])
        said = [PAD]
        with torch.inference_mode():
            while said[-1] != END and len(said) < 2 * source.shape[1] + 10:
                logits = model(input_ids=source, decoder_input_ids=torch.tensor([said])).logits
                said.append(int(logits[0, -1].argmax()))
        assert translate(model, tokenizer, [text]) == [tokenizer.decode(said, skip_special_tokens=True)]


def test_empty_lines_stay_empty_and_cost_nothing(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    texts, config = sentences(6), DecodingConfig(prefix="w1 ")
    found = translate_counted(model, tokenizer, ["", *texts, "  \n"], config)
    assert found.texts[0] == found.texts[-1] == ""
    assert any(found.texts)
    without = translate_counted(model, tokenizer, texts, config)
    assert (found.texts[1:-1], found.cost) == (without.texts, without.cost)
    nothing = translate_counted(model, tokenizer, [" "])
    assert nothing.texts == [""]
    assert set(nothing.cost.to_dict().values()) == {0}
    assert translate(model, tokenizer, []) == []


def test_the_prefix_goes_before_every_sentence(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    texts = sentences()
    prefixed = translate(model, tokenizer, texts, prefix="w5 w6 ")
    assert prefixed == translate(model, tokenizer, [f"w5 w6 {text}" for text in texts])
    assert prefixed != translate(model, tokenizer, texts)


def test_a_models_own_prefix_is_read_by_all_that_reads_its_sources(tokenizer: PreTrainedTokenizerFast) -> None:
    """Unless another is given; the empty text turns it off."""
    model, texts = tiny_t5(), sentences()
    plain, prefixed = (translate(model, tokenizer, texts, prefix=prefix) for prefix in ("", "w5 w6 "))
    probable = [tokens.log_probabilities.tolist() for tokens in force(model, tokenizer, texts, texts, prefix="w5 w6 ")]
    model.config.source_prefix = "w5 w6 "
    asked = TASKS.get("translation").answer(View(model, tokenizer), texts)
    assert translate(model, tokenizer, texts) == asked.texts == prefixed
    assert translate(model, tokenizer, texts, prefix="") == plain
    assert [tokens.log_probabilities.tolist() for tokens in force(model, tokenizer, texts, texts)] == probable
    tools: Any = {"model": model, "tokenizer": tokenizer}
    pipe = TranslationPipeline(**tools)
    tokens = pipe.preprocess(texts[0])["input_ids"].tolist()
    assert tokens == [tokenizer("w5 w6 " + texts[0])["input_ids"]]


@pytest.mark.parametrize("num_beams", [1, 2])
def test_every_token_is_counted(tokenizer: PreTrainedTokenizerFast, num_beams: int) -> None:
    model, texts = tiny_t5(), sentences()
    embedded: list[int] = []

    def count(_module: torch.nn.Module, args: tuple[torch.Tensor]) -> None:
        embedded.append(args[0].numel())

    tables = (model.encoder.embed_tokens, model.decoder.embed_tokens)
    with tables[0].register_forward_pre_hook(count), tables[1].register_forward_pre_hook(count):
        found = translate_counted(model, tokenizer, texts, DecodingConfig(num_beams=num_beams, batch_tokens=24))
    cost = found.cost
    assert cost.encoder_positions + cost.decoder_positions == sum(embedded)
    assert cost.source_tokens == sum(len(text.split()) + 1 for text in texts)
    assert cost.source_tokens <= cost.encoder_positions <= cost.source_tokens + 8 * len(texts)
    # A translation has an end mark unless its bound came first, and then the bound wrote one.
    assert cost.output_tokens == sum(len(text.split()) + 1 for text in found.texts)
    assert cost.decoder_positions >= num_beams * cost.output_tokens


def test_batches_respect_their_bound_and_widths_are_multiples_of_four(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model, shapes = tiny_t5(), []
    with model.encoder.register_forward_pre_hook(
        lambda _module, _args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    ):
        found = translate_counted(model, tokenizer, sentences(), DecodingConfig(num_beams=2, batch_tokens=48))
    assert found.cost.batches == len(shapes) > 1
    assert all(width % 4 == 0 for _rows, width in shapes)
    assert all(2 * rows * width <= 48 for rows, width in shapes)
    assert sum(rows for rows, _width in shapes) == len(sentences())
    assert [width for _rows, width in shapes] == sorted((width for _rows, width in shapes), reverse=True)


def test_outputs_stop_at_their_own_bound(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    texts = sentences()
    short = translate_counted(model, tokenizer, texts, DecodingConfig(max_new_tokens=4))
    assert all(len(text.split()) <= 3 for text in short.texts)
    assert short.unfinished
    free = translate_counted(model, tokenizer, texts)
    for i, (source, output) in enumerate(zip(texts, free.texts, strict=True)):
        bound = 2 * (len(source.split()) + 1) + 10
        assert (len(output.split()) + 1 == bound) == (i in free.unfinished)
    assert 0 < len(free.unfinished) < len(texts)


def test_long_sentences_are_cut_aloud_and_keep_their_end(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    long, short = sentences(1)[0] + " w1" * 20, "w1 w2"
    with pytest.warns(UserWarning, match="1 of 2 sentences were cut to 8 tokens"):
        found = translate_counted(model, tokenizer, [short, "", long], DecodingConfig(max_source_tokens=8))
    assert found.truncated == (2,)
    assert found.cost.source_tokens == 8 + 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert translate(model, tokenizer, [" ".join(long.split()[:7])]) == [found.texts[2]]


def test_the_model_is_left_as_it_was(tokenizer: PreTrainedTokenizerFast) -> None:
    model = tiny_t5().train()
    model.encoder.block[0].eval()
    first = translate(model, tokenizer, sentences())
    assert first == translate(model, tokenizer, sentences()) == translate(tiny_t5(), tokenizer, sentences())
    assert model.training
    assert model.decoder.training
    assert not model.encoder.block[0].training
    assert not any(module._forward_hooks for module in model.modules())


def test_the_models_own_generation_settings_do_not_leak_in(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    odd = tiny_t5()
    odd.generation_config.update(
        max_length=5, num_beams=4, do_sample=True, temperature=50.0, return_dict_in_generate=True
    )
    assert translate(odd, tokenizer, sentences()) == translate(model, tokenizer, sentences())


def test_mixed_precision_is_used_only_on_request(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    kinds: set[torch.dtype] = set()
    half, full = DecodingConfig(autocast=torch.bfloat16), DecodingConfig()
    for config, kind in ((half, torch.bfloat16), (full, torch.float32)):
        kinds.clear()
        with model.lm_head.register_forward_hook(lambda _module, _args, output: kinds.add(output.dtype)):
            translate_counted(model, tokenizer, sentences(4), config)
        assert kinds == {kind}


def test_progress_reaches_the_number_of_sentences(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    seen: list[tuple[int, int]] = []
    translate(model, tokenizer, [*sentences(), ""], batch_tokens=24, progress=lambda *now: seen.append(now))
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == (9, 9)


def test_a_model_with_absolute_positions_is_not_asked_for_more_than_it_has(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(VOCABULARY), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=24,
        pad_token_id=PAD, eos_token_id=END, decoder_start_token_id=PAD, forced_eos_token_id=None,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="cut to 24 tokens"):
        found = translate_counted(MarianMTModel(config), tokenizer, ["w1 " * 40, "w2 w3"])
    assert found.cost.source_tokens == 24 + 3
    assert all(len(text.split()) < 24 for text in found.texts)


def test_what_cannot_translate_is_refused(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = T5EncoderModel(T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_heads=2, num_layers=1))
    encoder.config.is_encoder_decoder = False
    with pytest.raises(CodeUnlearnError, match="encoder-decoder"):
        translate(encoder, tokenizer, ["w1"])
    with pytest.raises(CodeUnlearnError, match="num_beams must be at least 1"):
        translate(model, tokenizer, ["w1"], num_beams=0)
    with pytest.raises(CodeUnlearnError, match="max_new_tokens must be at least 1"):
        DecodingConfig(max_new_tokens=0)


def test_a_control_token_written_in_a_sentence_hides_nothing_of_it(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    """In this vocabulary of words its characters are unknown, each by itself."""
    written, spelled = "w1 </s> w2 <pad> w3", "w1 < / s > w2 < p a d > w3"
    assert translate(model, tokenizer, [written]) == translate(model, tokenizer, [spelled])
    assert translate_counted(model, tokenizer, [written]).cost.source_tokens == len(spelled.split()) + 1
