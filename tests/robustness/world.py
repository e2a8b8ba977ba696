"""The good files that cases spoil: tiny models with their tokenizer, forget sets, data, made once by the code under test."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outcome import command

SITE = "encoder.block.1.layer.0"
CODEBOOK = f"{SITE}.bottleneck.codebook"
LINES = b"the dog sleeps\n\nPaul loves the old rabbit\n"
TOPIC = "love"


@dataclass(frozen=True)
class World:
    """Paths of good files.

    Attributes:
        model: T5 with a bottleneck (d = 16, K = 64, F = 12, S = 4), random weights.
        base: the same T5 without one.
        other: as ``model`` with other weights.
        forgotten: ``model`` with ``love`` applied.
        committed: the same with ``--commit``.
        love: a forget set of ``model``.
        happy: another.
        pairs: parallel text, a TSV file.
    """

    root: Path

    model = property(lambda self: self.root / "model")
    base = property(lambda self: self.root / "base")
    other = property(lambda self: self.root / "other")
    forgotten = property(lambda self: self.root / "forgotten")
    committed = property(lambda self: self.root / "committed")
    love = property(lambda self: self.root / "love.json")
    happy = property(lambda self: self.root / "happy.json")
    pairs = property(lambda self: self.root / "pairs.tsv")

    @property
    def ids(self) -> list[int]:
        return json.loads(self.love.read_text(encoding="utf-8"))["ids"]


def make_world(root: Path) -> World:
    """Builds all of it in a few seconds."""
    from codeunlearn.corpus.samples import SAMPLES
    from codeunlearn.training.tokenizer import train_tokenizer

    world = World(root)
    pairs = SAMPLES["stories"].pairs(1200)
    world.pairs.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    tokenizer = train_tokenizer([text for pair in pairs[:400] for text in pair], vocab_size=300)
    for name, seed in (("model", 0), ("other", 7)):
        base, model = make_models(len(tokenizer), seed)
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
        if name == "model":
            base.save_pretrained(world.base)
            tokenizer.save_pretrained(world.base)
    for folder, kind in ((world.model, "joint"), (world.other, "joint"), (world.base, "plain")):
        (folder / "training.json").write_text(json.dumps(_record(kind)), encoding="utf-8")
    search = ("--data", world.pairs, "--preset", "paper", "--s-prime", 4, "--minimum", 5, "--alpha", 0.3)
    for topic, path in ((TOPIC, world.love), ("happy", world.happy)):
        good("forget", world.model, "--topic", topic, *search, "--out", path)
    good("apply", world.model, world.love, "--out", world.forgotten)
    good("apply", world.model, world.love, "--out", world.committed, "--commit")
    return world


def good(*arguments: object, **options: Any) -> str:
    """A command that has to work; returns what it showed."""
    outcome = command(*arguments, seconds=600, **options)
    assert outcome.kind == "done", f"{arguments}: {outcome.said}{outcome.trace}"
    return outcome.shown


def make_models(vocabulary: int, seed: int) -> tuple[Any, Any]:
    """A random T5 of 10,000 weights that stops after a few words, and the same with a bottleneck."""
    import torch
    from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

    from codeunlearn.codebook import BottleneckConfig, attach

    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=vocabulary,
        d_model=16,
        d_kv=8,
        d_ff=24,
        num_heads=2,
        num_layers=3,
        num_decoder_layers=2,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,  # pyright: ignore[reportCallIssue]
    )
    base = T5ForConditionalGeneration(config).eval()
    base.generation_config = GenerationConfig(
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, max_new_tokens=8
    )
    torch.manual_seed(seed + 1)
    return base, attach(base, BottleneckConfig(d_model=16, num_codes=64, code_dim=12, top_s=4, site=SITE))


def _record(kind: str) -> dict[str, Any]:
    """A training record as far as the model card needs it."""
    from codeunlearn.record import environment

    return {
        "kind": kind,
        "data": {"data": "pairs.tsv"},
        "base": "tiny",
        "pairs": {"data": "pairs.tsv", "kept": 1200, "skipped": {}},
        "environment": environment(),
        "config": {},
        "source_prefix": "",
    }


def logits(folder: Path) -> Any:
    """What a saved model answers to a fixed batch, [3, 6, vocabulary]."""
    from codeunlearn.codebook import load_model

    return logits_of(load_model(folder))


def logits_of(model: Any) -> Any:
    import torch

    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(2, 250, (3, 7), generator=generator)
    mask = (torch.arange(7)[None] < torch.tensor([[7], [5], [3]])).long()
    labels = torch.randint(2, 250, (3, 6), generator=generator)
    with torch.no_grad():
        return model(input_ids=ids * mask, attention_mask=mask, labels=labels).logits


def first_version_fingerprint(model: Any) -> str:
    """The fingerprint that forget sets of the first format carry; it must stay what it was."""
    import torch

    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()
