"""A bottleneck of lexical and residual codes from data alone, for a language model whose facts are to stay.

1. The *offset* is the mean state.
2. A piece of the vocabulary that the text holds often enough has as its lexical code the mean of its states, less the
   offset; any other its state behind a neutral beginning, moved by what distinguishes the two on average. One more
   lexical code is for a text's first token.
3. Residual codes are what the nearest lexical codes leave of random real tokens, of length 1; of those that point nearly the
   same way one is taken, for where two codes say the same, deleting one forgets nothing.

All codes are rounded to bfloat16, so that they can be saved in half the space and be the same again. Nothing is
trained and nothing is solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.codebook.prefix import Frame
from codeunlearn.codebook.probing import run_to_site
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.errors import CodeUnlearnError

SEEN = 5
"""A piece that the text holds so often has its mean state there as its code."""
COHERENCE = 0.95
"""Two residual codes have a smaller cosine than this, before they are rounded."""
_COMPARED = 20  # pieces of which so many states are known say how text and the neutral beginning differ
_NEUTRAL = "the"
_PIECES_AT_ONCE = 1024
STATES_AT_ONCE = 4096


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
    order = torch.randperm(len(states), generator=torch.Generator().manual_seed(seed)).to(states.device)
    none = codes.new_empty(0, codes.shape[1])
    found = residual_directions(bottleneck, (states[chosen] for chosen in order.split(STATES_AT_ONCE)), none, wanted)
    if len(found) < wanted:
        raise CodeUnlearnError(
            f"The train pool holds {len(found):,} tokens that differ enough, too few for {wanted:,} residual codes; give more "
            "data or fewer codes (--num-codes)."
        )
    codes[lexical:] = found
    codes.copy_(codes.bfloat16())


def residual_directions(bottleneck: ConceptBottleneck, chunks: Iterable[Tensor], known: Tensor, wanted: int) -> Tensor:
    """[wanted, d] what the nearest lexical codes leave of states, of length 1, pointing apart; fewer if there are no more.

    Args:
        chunks: [n, d] states each, of which the first that differ enough are taken.
        known: [m, d] directions from which they point apart too.
    """
    codes, found = bottleneck.codebook.weight, known
    for states in chunks:
        nearest = bottleneck.select(states, 1, ignore_deleted=True).ids[:, 0]
        left = F.normalize(bottleneck.encode(states) - codes[nearest], dim=-1)
        found = torch.cat([found, _apart(left, found)])
        if len(found) >= len(known) + wanted:
            break
    return found[len(known) : len(known) + wanted]


def _apart(directions: Tensor, others: Tensor) -> Tensor:
    """Those of [N, d] directions that point another way than all before them and all of the others."""
    near = (directions @ directions.T).tril(-1).amax(1) > COHERENCE
    if len(others):
        near |= (directions @ others.T).amax(1) > COHERENCE
    return directions[~near]


def _lexical(centred: Tensor, tokens: Tensor, neutral: Tensor) -> Tensor:
    """[L, d]: a mean over text where that is known, else the state behind a neutral beginning."""
    count = torch.zeros(len(neutral), device=centred.device).index_add_(0, tokens, centred.new_ones(len(tokens)))
    mean = torch.zeros_like(neutral).index_add_(0, tokens, centred) / count.clamp_min(1)[:, None]
    often = count >= _COMPARED
    moved = neutral + (mean - neutral)[often].mean(0) if bool(often.any()) else neutral
    return torch.where((count >= SEEN)[:, None], mean, moved)


@torch.no_grad()
def neutral_states(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    codes: int,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """[L, d] what enters the bottleneck for every piece of the vocabulary behind a neutral beginning.

    The last row is for a text's first token where no control token stands before it: the mean over pieces, since such a state
    says little of its piece (`codeunlearn.codebook.sinks`).
    """
    beginning = encode_prompts(model, tokenizer, [_NEUTRAL], Frame()).ids[0]
    if beginning[-1] == tokenizer.eos_token_id:
        beginning = beginning[:-1]
    found: list[Tensor] = []
    for ids in torch.arange(codes - 1).split(_PIECES_AT_ONCE):
        found.append(_behind(model, beginning, ids))
        if progress is not None:
            progress(int(ids[-1]) + 1, codes - 1)
    alone = _behind(model, [], torch.arange(0, codes - 1, max(1, codes // _PIECES_AT_ONCE)))
    return torch.cat([*found, alone.mean(0, keepdim=True)])


def _behind(model: Any, beginning: list[int], ids: Tensor) -> Tensor:
    """[pieces, d] the state of each of these pieces behind a beginning."""
    rows = torch.tensor(beginning, dtype=torch.long).expand(len(ids), -1)
    batch = torch.cat([rows, ids[:, None]], 1).to(model.device)
    return run_to_site(model, batch, torch.ones_like(batch))[:, -1].float()
