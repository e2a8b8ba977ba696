"""A frozen encoder as a function from sentences to the states of their tokens, for metrics that compare those.

Any saved encoder (BERT, XLM-R, CamemBERT, ...) or encoder-decoder model (its encoder) will do, from a folder or the Hub;
safetensors only, and no code of its own is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from codeunlearn.codebook import fingerprint, load_encoder, load_tokenizer
from codeunlearn.codebook.encoding import encode, pad_id, padded
from codeunlearn.device import pick_device, suitable_batch_tokens
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.record import public_name
from codeunlearn.tasks.batches import by_length

_LONGEST = 512
_REMEMBERED = 2000


class TokenStates(NamedTuple):
    """One sentence.

    Attributes:
        states: [tokens, d], float32, each of length 1.
        counted: [tokens], false at special tokens such as `[CLS]` and `</s>`.
    """

    states: Tensor
    counted: Tensor


class FrozenEncoder:
    """Token states of one layer.

    Args:
        name: folder or Hub name.
        layer: hidden state to take, 0 for the embeddings; the last, after the final normalisation, if absent.
        device: ``auto``, ``cpu`` or ``cuda``.
        batch_tokens: bound on the padded tokens of a batch; what suits the device when absent.

    Raises:
        CodeUnlearnError: there is no such model, or it has no such layer.
    """

    def __init__(
        self, name: str | Path, layer: int | None = None, *, device: str = "auto", batch_tokens: int | None = None
    ) -> None:
        self.model = load_encoder(name).to(pick_device(device)).requires_grad_(False)
        self.tokenizer = load_tokenizer(name)
        self.name = public_name(str(name))
        config = self.model.config
        layers: int = config.num_hidden_layers
        if layer is not None and not 0 <= layer <= layers:
            raise CodeUnlearnError(f"{self.name} has layers 0 to {layers}, not {layer}.")
        self.layer = layers if layer is None else layer
        self.batch_tokens = batch_tokens or suitable_batch_tokens(self.model.device)
        self._limit = min(_LONGEST, self.tokenizer.model_max_length, _positions(config))
        self._known: dict[str, TokenStates] = {}

    @property
    def signature(self) -> str:
        """Model, weights and layer, for a metric's signature."""
        return f"model:{self.name}@{fingerprint(self.model)[:8]}|layer:{self.layer}"

    def states(self, sentences: Sequence[str]) -> list[TokenStates]:
        """The states of every sentence, in order; sentences of earlier calls, such as references, are remembered.

        Sentences are cut at 512 tokens, or where the model's positions end.
        """
        fresh = list(dict.fromkeys(sentence for sentence in sentences if sentence not in self._known))
        found = {sentence: self._known[sentence] for sentence in sentences if sentence in self._known}
        found.update(self._encode(fresh))
        if len(self._known) + len(fresh) > _REMEMBERED:
            self._known.clear()
        self._known.update(found)
        return [found[sentence] for sentence in sentences]

    @torch.inference_mode()
    def _encode(self, sentences: Sequence[str]) -> Iterator[tuple[str, TokenStates]]:
        """Longest first, so that memory runs out at once or never."""
        sizes = [min(self._limit, max(8, len(sentence) // 2)) for sentence in sentences]  # a bound on tokens
        for places in by_length(sizes, self.batch_tokens, ties=[len(sentence) for sentence in sentences]):
            batch = [sentences[i] for i in places]
            yield from zip(batch, self._encode_batch(batch), strict=True)

    def _encode_batch(self, batch: Sequence[str]) -> list[TokenStates]:
        encoded = encode(self.tokenizer, batch, self._limit)
        device = self.model.device
        hidden: Tensor = self.model(
            input_ids=padded(encoded.ids, pad_id(self.tokenizer)).to(device),
            attention_mask=padded([[1] * len(ids) for ids in encoded.ids], 0).to(device),
            output_hidden_states=True,
        ).hidden_states[self.layer]
        states = torch.nn.functional.normalize(hidden.float(), dim=-1).cpu()
        return [
            TokenStates(states[i, : len(framing)], ~torch.tensor(framing, dtype=torch.bool))
            for i, framing in enumerate(encoded.framing)
        ]


def _positions(config: Any) -> int:
    """The most tokens that absolute positions allow; RoBERTa's begin after the padding token's."""
    limit = getattr(config, "max_position_embeddings", None)
    if not isinstance(limit, int):
        return _LONGEST
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return limit - offset
