"""Named T5 configurations that train from scratch: three on a laptop's processor, and T5-small's own shape on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration


@dataclass(frozen=True)
class Size:
    """A T5 to be trained from random weights, with a bottleneck to match.

    S is 4 in all but ``small`` rather than the paper's 8, which starts better from data. Dropout is off: runs of this length
    see each sentence only a few times, and drawing the masks would take about a quarter of every step on a processor.
    """

    d_model: int
    d_ff: int
    num_heads: int
    num_layers: int
    num_decoder_layers: int
    vocab_size: int
    num_codes: int
    code_dim: int
    top_s: int = 4
    dropout_rate: float = 0.0

    def model(self, vocab_size: int) -> T5ForConditionalGeneration:
        """A randomly initialised T5; ``vocab_size`` is that of the tokenizer really trained."""
        config = T5Config(
            vocab_size=vocab_size,
            d_model=self.d_model,
            d_kv=self.d_model // self.num_heads,
            d_ff=self.d_ff,
            num_heads=self.num_heads,
            num_layers=self.num_layers,
            num_decoder_layers=self.num_decoder_layers,
            dropout_rate=self.dropout_rate,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,  # pyright: ignore[reportCallIssue]
        )
        model = T5ForConditionalGeneration(config)
        model.generation_config = GenerationConfig(
            pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, max_new_tokens=256
        )
        return model

    @property
    def shape(self) -> dict[str, Any]:
        """The fields of `BottleneckConfig` that differ from those of any T5 of this width."""
        return {"num_codes": self.num_codes, "code_dim": self.code_dim, "top_s": self.top_s}


SIZES: dict[str, Size] = {
    "tiny": Size(128, 512, 4, 3, 2, vocab_size=2000, num_codes=2048, code_dim=128),
    "tiny-6k": Size(128, 512, 4, 4, 2, vocab_size=6000, num_codes=8192, code_dim=128),
    "mini": Size(256, 1024, 4, 4, 2, vocab_size=6000, num_codes=8192, code_dim=256),
    "small": Size(512, 2048, 8, 6, 6, vocab_size=32_000, num_codes=25_000, code_dim=512, top_s=8),
}
