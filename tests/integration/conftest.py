"""A tiny language model of whole words, and its training in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.batches import PadToStep


@pytest.fixture(scope="session")
def word_tokenizer() -> Callable[[Iterable[str]], Any]:
    """A tokenizer with one piece for every word of some texts."""

    def make(texts: Iterable[str]) -> Any:
        words = ["<pad>", "<s>", "<unk>", *sorted({word for text in texts for word in text.split()})]
        made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=made, pad_token="<pad>", bos_token="<s>", unk_token="<unk>", eos_token="<s>",
            model_max_length=64,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def taught_llama() -> Callable[..., Any]:
    """A Llama of three layers that has learned some rows.

    The first layer's attention adds nothing, so that no token before the site knows of another.
    """

    def teach(view: View, prompts: list[str], answers: list[str], *, steps: int, learning_rate: float) -> Any:
        learned = TASKS.get("completion").rows(view, prompts, answers)
        rows = [{"input_ids": ids, "labels": labels} for ids, labels in zip(*learned, strict=True)]
        model, draw = view.model.train(), random.Random(0)
        optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
        for _ in range(steps):
            model(**PadToStep(0)(draw.sample(rows, min(48, len(rows))))).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return model.eval()

    def make(words: Any, pairs: Iterable[tuple[str, str]], *frame: str, steps: int, learning_rate: float) -> Any:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(words), hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
            bos_token_id=1, eos_token_id=1, pad_token_id=0, max_position_embeddings=64, tie_word_embeddings=False,
        )  # fmt: skip
        model = LlamaForCausalLM(config)
        seen: Any = model.get_submodule("model.layers.0.self_attn.o_proj").weight
        torch.nn.init.zeros_(seen).requires_grad_(False)
        prompts, answers = map(list, zip(*pairs, strict=True))
        return teach(View(model, words, *frame), prompts, answers, steps=steps, learning_rate=learning_rate)

    return make
