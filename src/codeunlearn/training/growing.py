"""More residual codes for a codebook that is in use: for what it explains badly, and nothing else changes.

The paper's future work ("dynamically construct and update"), for lexical and residual codes: where the S nearest codes are
summed, each more code takes the place of another, and the decoder is not made for its sums. Codes that are there keep their
ids and values, so that forget sets stay usable. What a new code stands for is not in them: a topic that tokens with new codes
hold is searched again. Tokens that take a deleted code get none, for that would bring back what was forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.bottleneck import ConceptBottleneck, require_bottleneck
from codeunlearn.codebook.identity import identify, keep_names
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.initialise import (
    HELD_OUT_TOKENS,
    BuildConfig,
    Progress,
    sample_activations,
    unexplained_variance,
)
from codeunlearn.training.lexical import STATES_AT_ONCE, residual_directions

_FEWEST = 2  # tokens have a variance


@torch.no_grad()
def grow(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    codes: int,
    config: BuildConfig,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Adds ``codes`` codes to the model's codebook.

    Args:
        sentences: of the train pool.
        config: of which ``fit_tokens`` says among how many real tokens the badly explained ones are found.
        progress: called with the tokens read and wanted.

    Returns:
        ``tokens`` read; ``unexplained_variance`` on tokens that became no codes, and ``unexplained_variance_before``.

    Raises:
        CodeUnlearnError: none is to be added, the codes are not lexical and residual, some have been committed away, or the
            sentences hold too few tokens that differ enough.
    """
    bottleneck = require_bottleneck(model)
    if codes < 1:
        raise CodeUnlearnError(f"{codes} codes are none to add; give at least 1.")
    if not bottleneck.config.lexical_codes:
        raise CodeUnlearnError(
            "Codes can be added where they are lexical and residual; where the S nearest are summed, as in the paper, build "
            "the bottleneck again with more of them (--num-codes)."
        )
    if bottleneck.config.origin:
        raise CodeUnlearnError(
            "Codes have been committed away, and new ones could say what those said; add codes to the model from before the "
            "commit, and apply its forget sets again."
        )
    wanted = config.fit_tokens + HELD_OUT_TOKENS
    activations, _ = sample_activations(model, tokenizer, sentences, wanted, wanted, config, progress)
    held_out = min(HELD_OUT_TOKENS, len(activations) // 5)
    test, rest = activations[:held_out], activations[held_out:]
    if held_out < _FEWEST or len(rest) < codes:
        raise _too_few(len(rest), codes)
    residual = bottleneck.codebook.weight[bottleneck.config.lexical_codes :]
    found = residual_directions(bottleneck, _worst_first(bottleneck, rest).split(STATES_AT_ONCE), residual, codes)
    if len(found) < codes:
        raise _too_few(len(found), codes)
    before, names = unexplained_variance(bottleneck, test), identify(model)
    bottleneck.codebook.add_rows(found.bfloat16())
    keep_names(model, names)
    after = unexplained_variance(bottleneck, test)
    return {
        "tokens": float(len(activations)),
        "unexplained_variance_before": before,
        "unexplained_variance": after,
    }


def _too_few(found: int, wanted: int) -> CodeUnlearnError:
    return CodeUnlearnError(
        f"Of the tokens read, {found:,} differ enough to become codes, too few for {wanted:,}; give more data, more tokens "
        "(--fit-tokens) or fewer codes (--grow)."
    )


def _worst_first(bottleneck: ConceptBottleneck, states: Tensor) -> Tensor:
    """[M, d] the states that take no deleted code, by how much of each is not explained."""
    free, errors = list[Tensor](), list[Tensor]()
    for chunk in states.split(STATES_AT_ONCE):
        free.append(~bottleneck.codebook.deleted[bottleneck.select(chunk, ignore_deleted=True).ids].any(-1))
        errors.append((bottleneck.run(chunk).a_hat - chunk).square().sum(-1))
    share, kept = torch.cat(errors) / (states - states.mean(0)).square().sum(-1), torch.cat(free)
    return states[kept][share[kept].argsort(descending=True)]
