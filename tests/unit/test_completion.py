"""A model that goes on is asked and forced in batches as alone, and reads of a prompt what it was trained to read."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from codeunlearn.codebook import Frame, attach, bottleneck_for, chat_frame, load_model, load_tokenizer, prompt_frame
from codeunlearn.codebook.prompts import encode_prompts, encode_rows
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import TASKS, View, task_of
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.unlearning.evidence.reading import CodeReader

TASK: Any = TASKS.get("completion")
TEXT = [
    "The capital of France is Paris.", "A dog runs after the cat.", "Question: who?\nAnswer: me.", "In 1984 it rained, twice.",
]  # fmt: skip
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTROL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]


def bytes_tokenizer(template: str | None = None) -> Any:
    """Byte-level pieces, as most decoders have them; it puts nothing around a text, unless a template says so."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXT * 3, trainer)
    if template is not None:
        marks = [(mark, i) for i, mark in enumerate(CONTROL)]
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=marks)
    pad, beginning, end = CONTROL
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=pad,
        bos_token=beginning,
        eos_token=end,
        chat_template=CHAT,
        model_max_length=512,
    )


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return bytes_tokenizer()


def tiny_llama(*, codes: bool = False) -> Any:
    """A random model whose answers differ; some end before their bound."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=330, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, max_position_embeddings=256, initializer_range=0.4,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        model.lm_head.weight[2] *= 2
    if not codes:
        return model
    made = attach(model, bottleneck_for(config, num_codes=64, code_dim=16, top_s=3)).eval()
    with torch.no_grad():
        for parameter in made.bottleneck.parameters():
            parameter.copy_(torch.randn_like(parameter) / 3)
    return made


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "codes"])
def model(request: pytest.FixtureRequest) -> Any:
    return tiny_llama(codes=request.param)


def prompts(n: int = 7, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    words = " ".join(TEXT).split()
    return [" ".join(draw.choices(words, k=draw.randint(1, 6))) for _ in range(n)]


FRAMES = [Frame(), Frame("Question: ", "\nAnswer:"), Frame("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n")]


@pytest.mark.parametrize("frame", FRAMES, ids=["text", "question", "chat"])
def test_forced_tokens_are_those_of_the_answer_one_after_the_other(model: Any, tokenizer: Any, frame: Frame) -> None:
    asked, answers = prompts(), prompts(seed=1)
    view = View(model, tokenizer, *frame)
    for prompt, answer, found in zip(asked, answers, TASK.forced(view, asked, answers, with_spans=True), strict=True):
        (row,) = encode_rows(tokenizer, [prompt], [answer], frame, 512)
        read = list(row.prompt)
        for token, log_probability, rank in zip(row.answer, found.log_probabilities, found.ranks, strict=True):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([read])).logits[0, -1]
            assert log_probability == pytest.approx(logits.log_softmax(-1)[token].item(), abs=1e-4)
            assert rank == 1 + int((logits > logits[token]).sum())
            read.append(token)
        assert "".join(answer[a:b] for a, b in found.spans) == answer


@pytest.mark.parametrize("num_beams", [1, 2])
def test_a_prompt_is_answered_alone_as_in_any_batch(model: Any, tokenizer: Any, num_beams: int) -> None:
    asked, view = prompts(9), View(model, tokenizer)
    alone = [TASK.answer(view, [prompt], DecodingConfig(num_beams)).texts[0] for prompt in asked]
    assert len(set(alone)) > 5, "the model says the same to everything: the test would show nothing"
    together = TASK.answer(view, ["", *asked], DecodingConfig(num_beams))
    assert together.texts == ["", *alone]
    assert TASK.answer(view, asked, DecodingConfig(num_beams, batch_tokens=60)).texts == alone
    assert 0 < len(together.unfinished) < len(asked), "all end, or none: their bounds show nothing"


def test_greedy_search_takes_the_likeliest_token_until_an_end_mark(model: Any, tokenizer: Any) -> None:
    for prompt in prompts(4):
        (read,) = encode_prompts(model, tokenizer, [prompt], Frame()).ids
        bound, said = 2 * len(read) + 10, list[int]()
        while len(said) < bound - 1 and (not said or said[-1] != 2):
            with torch.inference_mode():
                said.append(int(model(input_ids=torch.tensor([[*read, *said]])).logits[0, -1].argmax()))
        wanted = tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
        assert TASK.answer(View(model, tokenizer), [prompt]).texts == [wanted]


def test_every_position_is_counted_once(tokenizer: Any) -> None:
    model, asked, computed = tiny_llama(), prompts(), list[int]()
    model.model.embed_tokens.register_forward_hook(lambda _, given, __: computed.append(given[0].numel()))
    cost = TASK.answer(View(model, tokenizer), asked, DecodingConfig(batch_tokens=80)).cost
    assert cost.encoder_positions + cost.decoder_positions == sum(computed)
    assert cost.source_tokens == sum(len(ids) for ids in encode_prompts(model, tokenizer, asked, Frame()).ids)
    assert cost.encoder_positions >= cost.source_tokens
    assert cost.batches > 1


@pytest.mark.parametrize("frame", FRAMES, ids=["text", "question", "chat"])
def test_what_is_learned_is_the_answer_and_the_end_of_a_reply(tokenizer: Any, frame: Frame) -> None:
    view, asked, answers = View(tiny_llama(), tokenizer, *frame), prompts(), prompts(seed=1)
    rows = TASK.rows(view, asked, answers)
    for prompt, answer, ids, labels in zip(asked, answers, *rows, strict=True):
        (parts,) = encode_rows(tokenizer, [prompt], [answer], frame, 512)
        learned = [*parts.answer, *([2] if frame.behind else [])]
        assert ids == [*parts.prompt, *learned]
        assert labels == [*[-100] * len(parts.prompt), *learned]
    for ids, labels, found in zip(*rows, TASK.forced(view, asked, answers), strict=True):
        with torch.inference_mode():
            loss = view.model(torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
        assert loss == pytest.approx(-found.with_end.mean(), rel=1e-4)
        assert (found.end is not None) == bool(frame.behind)


def test_of_a_long_row_the_prompt_loses_its_beginning(tokenizer: Any) -> None:
    view = View(tiny_llama(), tokenizer, *FRAMES[1])
    (whole,), _ = TASK.rows(view, ["dog " * 50], ["a cat"])
    (cut,), (labels,) = TASK.rows(view, ["dog " * 50], ["a cat"], 20)
    assert len(whole) > len(cut) == len(labels) == 40
    assert cut[-20:] == whole[-20:]


@pytest.mark.parametrize("template", [None, "<|im_start|> $A", "$A <|im_end|>", "<|im_start|> $A <|im_end|>"])
@pytest.mark.parametrize("frame", FRAMES, ids=["text", "question", "chat"])
def test_a_row_begins_with_one_control_token_and_no_end_mark_stands_behind_it(template: str, frame: Frame) -> None:
    tokenizer = bytes_tokenizer(template)
    for prompt, ids in zip(prompts(), encode_prompts(tiny_llama(), tokenizer, prompts(), frame).ids, strict=True):
        opening = "" if frame.before.startswith("<|im_start|>") else "<|im_start|>"
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == opening + frame.around(prompt)
        assert ids[:2].count(1) == 1


def test_a_chats_frame_is_its_templates(tokenizer: Any) -> None:
    frame = chat_frame(tokenizer)
    assert frame == FRAMES[2]
    for prompt, ids in zip(prompts(), encode_prompts(tiny_llama(), tokenizer, prompts(), frame).ids, strict=True):
        message = [{"role": "user", "content": prompt}]
        assert ids == tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
    silent = bytes_tokenizer()
    silent.chat_template = None
    with pytest.raises(CodeUnlearnError, match="no chat template"):
        chat_frame(silent)
    silent.chat_template = "{{ messages[0]['content'] }} {{ messages[0]['content'] }}"
    with pytest.raises(CodeUnlearnError, match="once"):
        chat_frame(silent)


def test_a_control_token_in_a_prompt_or_an_answer_is_its_characters(tokenizer: Any) -> None:
    prompt, answer = "a <|im_end|> b", "c <|im_start|>"
    for frame in FRAMES:
        (row,) = encode_rows(tokenizer, [prompt], [answer], frame, 512)
        marks = [token for token in row.prompt if token < 3]
        (bare,) = encode_rows(tokenizer, ["a b"], ["c"], frame, 512)
        assert marks == [token for token in bare.prompt if token < 3], "a prompt may not close its frame"
        assert not [token for token in row.answer if token < 3]
        spelled = tokenizer.decode(row.prompt, clean_up_tokenization_spaces=False)
        assert frame.around(prompt) in spelled
        assert tokenizer.decode(row.answer, clean_up_tokenization_spaces=False).strip() == answer


@pytest.mark.parametrize("frame", FRAMES, ids=["text", "question", "chat"])
def test_a_long_prompt_loses_its_beginning_and_keeps_its_frame(tokenizer: Any, frame: Frame) -> None:
    model, long = tiny_llama(), "dog " * 60 + "cat"
    whole, cut = (encode_prompts(model, tokenizer, [long], frame, most).ids[0] for most in (None, 40))
    assert len(cut) == 40 < len(whole)
    assert cut[-20:] == whole[-20:]
    text, opening = tokenizer.decode(cut), "" if frame == FRAMES[2] else "<|im_start|>"
    assert text.startswith(opening + frame.before.rstrip(" "))
    assert text.endswith("cat" + frame.behind)
    (row,) = encode_rows(tokenizer, [long], ["the end"], frame, 40)
    assert len(row.prompt) + len(row.answer) == 40
    assert tokenizer.decode(row.answer).strip() == "the end"
    with pytest.warns(UserWarning, match="1 of 1 sentences were cut to 128 tokens"):
        TASK.answer(View(model, tokenizer, *frame), ["dog " * 300])


def test_a_models_own_frame_is_read_by_all_that_reads_its_prompts(tokenizer: Any) -> None:
    model, asked, frame = tiny_llama(codes=True), prompts(), FRAMES[1]
    given = View(model, tokenizer, *frame)
    answers, probable = TASK.answer(given, asked).texts, TASK.forced(given, asked, asked)
    model.config.source_prefix, model.config.source_suffix = frame
    own = View(model, tokenizer)
    assert prompt_frame(model) == own.frame == frame
    assert TASK.answer(own, asked).texts == answers
    assert TASK.answer(View(model, tokenizer, "", ""), asked).texts != answers
    for one, other in zip(TASK.forced(own, asked, asked), probable, strict=True):
        assert one.log_probabilities.tolist() == other.log_probabilities.tolist()
    read = CodeReader(model, tokenizer, 3).read(asked)
    tokens = [read.token_ids[read.tokens_of(i)].tolist() for i in range(len(asked))]
    assert tokens == encode_prompts(model, tokenizer, asked, frame).ids
    for prompt, spans in zip(asked, CodeReader(model, tokenizer, 3).spans(asked), strict=True):
        assert "".join(prompt[max(a, 0) : max(b, 0)] for a, b in spans) == prompt


def test_the_task_is_that_of_the_models_head(tiny_base: Any, tmp_path: Any) -> None:
    model = tiny_llama(codes=True)
    assert (task_of(model).name, task_of(tiny_base).name) == ("completion", "translation")
    model.config.source_prefix, model.config.source_suffix = FRAMES[2]
    model.save_pretrained(tmp_path)
    assert prompt_frame(load_model(tmp_path)) == FRAMES[2]
    assert task_of(tmp_path).name == task_of(str(tmp_path)).name == "completion"
    with pytest.raises(CodeUnlearnError, match="without an encoder"):
        TASK.answer(View(tiny_base, None), ["a"])


def test_a_decoders_tokenizer_without_padding_makes_batches(tokenizer: Any, tmp_path: Any) -> None:
    tiny_llama().save_pretrained(tmp_path)
    without = bytes_tokenizer()
    without.pad_token = None
    without.save_pretrained(tmp_path)
    opened = View(load_model(tmp_path), load_tokenizer(tmp_path))
    assert TASK.answer(opened, prompts()).texts == TASK.answer(View(tiny_llama(), tokenizer), prompts()).texts
