"""A bottleneck of lexical and residual codes from data alone, for a language model whose facts are to stay.

1. The *offset* is the mean state.
2. A piece of the vocabulary that the text holds often enough has as its lexical code the mean of its states, less the
   offset; any other its state behind a neutral beginning, moved by what distinguishes the two on average.
3. Residual codes are what the nearest lexical codes leave of random real tokens, of length 1.

Nothing is trained and nothing is solved.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.probing import run_to_site
from codeunlearn.errors import CodeUnlearnError

SEEN = 5
"""A piece that the text holds so often has its mean state there as its code."""
_COMPARED = 20  # pieces of which so many states are known say how text and the neutral beginning differ
_NEUTRAL = "the"
_PIECES_AT_ONCE = 1024


@torch.no_grad()
def set_lexical_and_residual(
    bottleneck: ConceptBottleneck, states: Tensor, tokens: Tensor, neutral: Tensor, seed: int
) -> None:
    """Fills the codebook.

    Args:
        states: [N, d] what enters the bottleneck for real tokens, in random order.
        tokens: [N] which pieces of the vocabulary they are.
        neutral: [L, d] the state of every piece behind a neutral beginning.
        seed: of the choice of the tokens that become residual codes.

    Raises:
        CodeUnlearnError: there are fewer tokens than residual codes.
    """
    lexical, codes = bottleneck.config.lexical_codes, bottleneck.codebook.weight
    wanted = bottleneck.config.num_codes - lexical
    if len(states) < wanted:
        raise CodeUnlearnError(
            f"The train pool holds {len(states):,} usable tokens, too few for {wanted:,} residual codes; give more data or "
            "fewer codes (--num-codes)."
        )
    bottleneck.offset.copy_(states.mean(0))
    centred = states - bottleneck.offset
    codes[:lexical] = _lexical(centred, tokens, neutral.to(states) - bottleneck.offset)
    codes[lexical:] = 0
    codes[lexical:, 0] = 1  # any direction, so that the first slot can be asked for
    chosen = torch.randperm(len(states), generator=torch.Generator().manual_seed(seed))[:wanted].to(states.device)
    nearest = torch.cat(
        [bottleneck.select(part, 1, ignore_deleted=True).ids[:, 0] for part in states[chosen].split(4096)]
    )
    codes[lexical:] = F.normalize(centred[chosen] - codes[nearest], dim=-1)


def _lexical(centred: Tensor, tokens: Tensor, neutral: Tensor) -> Tensor:
    """[L, d]: a mean over text where that is known, else the state behind a neutral beginning."""
    count = torch.zeros(len(neutral), device=centred.device).index_add_(0, tokens, centred.new_ones(len(tokens)))
    mean = torch.zeros_like(neutral).index_add_(0, tokens, centred) / count.clamp_min(1)[:, None]
    often = count >= _COMPARED
    moved = neutral + (mean - neutral)[often].mean(0) if bool(often.any()) else neutral
    return torch.where((count >= SEEN)[:, None], mean, moved)


@torch.no_grad()
def neutral_states(model: Any, tokenizer: PreTrainedTokenizerBase, pieces: int) -> Tensor:
    """[L, d] what enters the bottleneck for every piece of the vocabulary behind a neutral beginning."""
    beginning = encode(tokenizer, [_NEUTRAL]).ids[0]
    end = 1 if beginning and beginning[-1] == tokenizer.eos_token_id else 0
    beginning = beginning[: len(beginning) - end]
    found: list[Tensor] = []
    for start in range(0, pieces, _PIECES_AT_ONCE):
        ids = torch.arange(start, min(start + _PIECES_AT_ONCE, pieces), device=model.device)
        rows = torch.tensor(beginning, device=model.device).expand(len(ids), -1)
        batch = torch.cat([rows, ids[:, None]], 1)
        found.append(run_to_site(model, batch, torch.ones_like(batch))[:, -1].float())
    return torch.cat(found)
