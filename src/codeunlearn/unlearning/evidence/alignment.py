"""Which tokens of a topic's sentences are the topic's own words or stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook.encoding import encode
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.unlearning.evidence.code_lists import BoolArray
from codeunlearn.unlearning.evidence.reading import MAX_TOKENS


def near_words(
    tokenizer: PreTrainedTokenizerBase,
    sentences: Sequence[str],
    words: WholeWords,
    *,
    prefix: str = "",
    window: int = 1,
) -> BoolArray:
    """[T] over all tokens of all sentences, in order: at most ``window`` tokens away from one of the words.

    Args:
        prefix: what the model reads before every sentence; no topic is looked for in it.
    """
    encoded = encode(tokenizer, [prefix + sentence for sentence in sentences], MAX_TOKENS, with_spans=True)
    found: list[BoolArray] = []
    for sentence, offsets in zip(sentences, encoded.spans, strict=True):
        spans = [(start + len(prefix), end + len(prefix)) for start, end in words.spans(sentence)]
        inside = np.array([any(a < end and b > start for start, end in spans) for a, b in offsets], bool)
        reach = np.convolve(inside, np.ones(2 * window + 1), mode="full")[window : window + len(inside)]
        found.append(reach > 0)
    return np.concatenate(found) if found else np.zeros(0, bool)
