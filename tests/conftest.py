"""Tiny random models and a tiny tokenizer; nothing here needs a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from torch import Tensor, nn
from torch import distributed as dist
from transformers import (
    M2M100Tokenizer,
    MarianTokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from codeunlearn.codebook import BottleneckConfig, attach
from codeunlearn.training.tokenizer import train_tokenizer

torch.set_num_threads(1)  # tiny models only wait for one another

VOCABULARY = 48
SITE = "encoder.block.1.layer.0"
TINY = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_heads": 2,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "dropout_rate": 0.0,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
}


def untied(model: Any) -> Any:
    """With an output layer of its own, as the files of T5 v1.1, Flan-T5 and mT5 have it."""
    model.lm_head.weight = nn.Parameter(torch.randn_like(model.lm_head.weight))
    return model


KINDS: dict[str, Callable[[], Any]] = {
    "t5": lambda: T5ForConditionalGeneration(T5Config(**TINY)),
    "t5-v1.1": lambda: untied(
        T5ForConditionalGeneration(T5Config(**TINY, feed_forward_proj="gated-gelu", tie_word_embeddings=False))
    ),
    "mt5": lambda: untied(MT5ForConditionalGeneration(MT5Config(**TINY))),
}


def make_base(kind: str = "t5") -> Any:
    torch.manual_seed(0)
    return KINDS[kind]().eval()


def make_bottleneck(**changes: Any) -> BottleneckConfig:
    return BottleneckConfig(**{"d_model": 16, "num_codes": 64, "code_dim": 12, "top_s": 4, "site": SITE, **changes})


def make_model(kind: str = "t5", **changes: Any) -> Any:
    base = make_base(kind)
    torch.manual_seed(1)
    return attach(base, make_bottleneck(**changes))


@pytest.fixture
def tiny_base() -> Any:
    """A random T5 without a bottleneck, in evaluation mode."""
    return make_base()


@pytest.fixture
def tiny_config() -> BottleneckConfig:
    """A bottleneck that fits `tiny_base`: d = 16, K = 64, F = 12, S = 4, at the second encoder layer."""
    return make_bottleneck()


@pytest.fixture
def tiny_model() -> Any:
    """`tiny_base` with a random bottleneck of `tiny_config`."""
    return make_model()


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """Makes a model with a bottleneck: ``tiny("mt5", deletion_mode="drop")``; kinds are t5, t5-v1.1 and mt5."""
    return make_model


@pytest.fixture(params=list(KINDS))
def any_base(request: pytest.FixtureRequest) -> Any:
    """A random model of each supported kind, without a bottleneck."""
    return make_base(request.param)


@pytest.fixture
def tiny_batch() -> dict[str, Tensor]:
    """Three sentences of different lengths with labels."""
    generator = torch.Generator().manual_seed(2)
    input_ids = torch.randint(2, VOCABULARY, (3, 7), generator=generator)
    mask = (torch.arange(7)[None] < torch.tensor([[7], [5], [3]])).long()
    labels = torch.randint(2, VOCABULARY, (3, 6), generator=generator)
    return {"input_ids": input_ids * mask, "attention_mask": mask, "labels": labels}


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A trained tokenizer with T5's special tokens, whose ids all fit the tiny models."""
    sentences = ["a dog runs", "the cat sees a dog", "un chien court", "le chat voit un chien"]
    return train_tokenizer(sentences, vocab_size=VOCABULARY)


def make_slow_tokenizer(kind: str, folder: Path, texts: Sequence[str], size: int = 60, **options: Any) -> Any:
    """A tokenizer without a ``tokenizers`` backend, as ``marian`` or ``m2m100`` have it, trained on texts."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(folder / "source"), vocab_size=size, hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    model = (folder / "source.model").rename(folder / "source.spm")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    learned = [pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())]
    marks = ["</s>", "<unk>", *learned, "<pad>"] if kind == "marian" else ["<s>", "<pad>", "</s>", "<unk>", *learned]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(marks)}), "utf-8")
    if kind == "marian":
        return MarianTokenizer(str(model), str(model), str(folder / "vocab.json"), **options)
    return M2M100Tokenizer(str(folder / "vocab.json"), str(model), **options)


@pytest.fixture(scope="session")
def slow_tokenizer() -> Callable[..., Any]:
    """`make_slow_tokenizer`: ``slow_tokenizer("marian", folder, texts, source_lang="en", target_lang="de")``."""
    return make_slow_tokenizer


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone, which distributed wrappers ask for."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()
