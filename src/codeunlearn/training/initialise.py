"""A bottleneck from data alone: codes are encodings of real tokens, the decoder is solved for (light mode, ``build``).

The encoder keeps its random weights; its bias centres the data (a large common offset lets most units die). The sum
of S codes should resemble one encoding, so each code is the encoding of a random real token divided by S.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.bottleneck import ConceptBottleneck, require_bottleneck
from codeunlearn.codebook.encoding import pad_id, padded_with_mask
from codeunlearn.codebook.prefix import Frame
from codeunlearn.codebook.probing import goes_through, run_to_site
from codeunlearn.codebook.prompts import encode_prompts
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.batches import LENGTH_STEP, by_length
from codeunlearn.training.lexical import neutral_states, set_lexical_and_residual
from codeunlearn.validation import Count, NotNegative, Seed

HELD_OUT_TOKENS = 4096  # on which the reconstruction is judged
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BuildConfig:
    """How a bottleneck is made from data.

    Attributes:
        fit_tokens: real tokens that are read besides the K that become codes: the decoder is solved from them, lexical codes are
            means of them, and of them those are found for which a codebook grows.
        ridge: weight decay of that least-squares problem, relative to the mean squared code sum.
        batch_tokens: padded tokens in one pass through the encoder.
        new_basis: the layers behind the bottleneck work in a basis of their own, so that skipping the bottleneck
            ruins the model (see `codeunlearn.codebook.basis`); None for wherever the model allows it.
        seed: which tokens become codes, the encoder's random weights and the new basis.
    """

    fit_tokens: Count = 40_000
    ridge: NotNegative = 1e-4
    batch_tokens: Count = 4096
    new_basis: bool | None = None
    seed: Seed = 0


@torch.no_grad()
def initialise_from_data(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    config: BuildConfig,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Fills the bottleneck of ``model`` from sentences of the train pool.

    Args:
        progress: called with the tokens read and wanted, and then with the pieces of the vocabulary.

    Returns:
        ``tokens`` used and ``unexplained_variance`` of the reconstruction on tokens not used for the fit.

    Raises:
        CodeUnlearnError: the sentences hold fewer real tokens than there are codes.
    """
    bottleneck = require_bottleneck(model)
    lexical = bottleneck.config.lexical_codes
    wanted = bottleneck.config.num_codes - lexical + config.fit_tokens + HELD_OUT_TOKENS
    # Twice as many are read, so that those kept come from more sentences; lexical codes are means, for which all are kept.
    read = 2 * wanted
    kept = read if lexical else wanted
    activations, tokens = sample_activations(model, tokenizer, sentences, read, kept, config, progress)
    if lexical:
        neutral = neutral_states(model, tokenizer, lexical, progress)
        fitted = slice(HELD_OUT_TOKENS, None)
        set_lexical_and_residual(bottleneck, activations[fitted], tokens[fitted], neutral, config.seed)
        test = activations[:HELD_OUT_TOKENS]
        return {"tokens": float(len(activations)), "unexplained_variance": unexplained_variance(bottleneck, test)}
    if len(activations) < bottleneck.config.num_codes + HELD_OUT_TOKENS:
        raise CodeUnlearnError(
            f"The train pool holds {len(activations):,} usable tokens, too few for {bottleneck.config.num_codes:,} codes "
            f"and {HELD_OUT_TOKENS:,} more to check them; give more data or fewer codes (--num-codes)."
        )
    test, rest = activations[:HELD_OUT_TOKENS], activations[HELD_OUT_TOKENS:]
    if bottleneck.config.autoencoder:
        bottleneck.encoder.bias.copy_(-(bottleneck.encoder.weight @ rest.mean(0)))
    _set_codes(bottleneck, rest[: bottleneck.config.num_codes])
    if bottleneck.config.autoencoder:
        unseen = rest[bottleneck.config.num_codes :]
        enough = len(unseen) >= 4 * bottleneck.config.code_dim
        _solve_decoder(bottleneck, unseen if enough else rest, config.ridge)
    return {"tokens": float(len(activations)), "unexplained_variance": unexplained_variance(bottleneck, test)}


def sample_activations(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    read: int,
    kept: int,
    config: BuildConfig,
    progress: Progress | None,
) -> tuple[Tensor, Tensor]:
    """[kept, d] activations of random real tokens of random sentences, in random order, and [kept] their ids; fewer if need be.

    Args:
        read: tokens of whole sentences from which they are drawn.
    """
    generator = torch.Generator().manual_seed(config.seed)
    order: list[int] = torch.randperm(len(sentences), generator=generator).tolist()
    found: list[Tensor] = []
    pieces: list[Tensor] = []
    total = 0
    rows_at_once = 256
    for start in range(0, len(order), rows_at_once):
        texts = sorted((sentences[i] for i in order[start : start + rows_at_once]), key=len)
        states, ids = _activations(model, tokenizer, texts, config.batch_tokens)
        found += states
        pieces += ids
        total += sum(map(len, states))
        if progress is not None:
            progress(min(total, read), read)
        if total >= read:
            break
    if not found:
        return torch.empty(0, require_bottleneck(model).config.d_model), torch.empty(0, dtype=torch.long)
    activations, tokens = torch.cat(found), torch.cat(pieces)
    chosen = torch.randperm(len(activations), generator=generator)[:kept].to(activations.device)
    return activations[chosen], tokens[chosen]


def _activations(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], budget: int
) -> tuple[list[Tensor], list[Tensor]]:
    """[tokens, d] of those tokens of each text that go through the bottleneck, and [tokens] their ids."""
    rows = encode_prompts(model, tokenizer, texts, Frame(), max_tokens=128).ids
    found, pieces = [torch.empty(0)] * len(rows), [torch.empty(0)] * len(rows)
    for places in by_length([len(row) for row in rows], budget, step=LENGTH_STEP):
        ids, mask = padded_with_mask([rows[i] for i in places], pad_id(tokenizer), LENGTH_STEP)
        ids, mask = ids.to(model.device), mask.to(model.device)
        states, through = run_to_site(model, ids, mask).float(), goes_through(model, ids, mask)
        for place, state, own, kept in zip(places, states, ids, through, strict=True):
            found[place], pieces[place] = state[kept], own[kept]
    return found, pieces


def _set_codes(bottleneck: ConceptBottleneck, activations: Tensor) -> None:
    codes = bottleneck.encode(activations) / bottleneck.config.top_s
    bottleneck.codebook.weight.copy_(codes)


def _solve_decoder(bottleneck: ConceptBottleneck, activations: Tensor, ridge: float) -> None:
    """Ridge regression from code sums to activations, in float64."""
    sums = torch.cat([bottleneck.run(chunk).code_sum for chunk in activations.split(4096)]).double()
    targets = activations.double()
    mean_sum, mean_target = sums.mean(0), targets.mean(0)
    centred = sums - mean_sum
    gram = centred.T @ centred
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    weight = torch.linalg.solve(gram, centred.T @ (targets - mean_target))
    bottleneck.decoder.weight.copy_(weight.T)
    bottleneck.decoder.bias.copy_(mean_target - mean_sum @ weight)


@torch.no_grad()
def unexplained_variance(bottleneck: ConceptBottleneck, activations: Tensor) -> float:
    """Squared error of the reconstruction over the variance of the activations; 1 means no better than the mean."""
    error = (bottleneck.run(activations).a_hat - activations).square().sum()
    return float(error / (activations - activations.mean(0)).square().sum())
