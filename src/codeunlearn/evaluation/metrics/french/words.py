"""Whether a word is French, by its frequency in large corpora (wordfreq): for outputs that fall back to English.

The French list of wordfreq holds English words too, for people quote them, so being in the list says little: "the" is
there. A word therefore counts as French when French uses it at least a tenth as often as English does. "On", "six" and
"table" pass, which both languages share; "the" and "love" do not, nor do words of neither language, which a broken
decoder makes up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version

import numpy as np
from wordfreq import zipf_frequency

from codeunlearn.corpus.languages.french import FRENCH
from codeunlearn.evaluation.bootstrap import SentenceSums, quotient
from codeunlearn.evaluation.metrics.base import METRICS, References, Score, check_texts, on_answers

ZIPF_MARGIN = 1.0
"""A French word may be this much rarer in French than in English, in powers of ten."""

FRENCH_SIGNATURE = f"words:wordfreq-{version('wordfreq')}-fr-en<={ZIPF_MARGIN:g}"


@lru_cache(maxsize=100_000)
def is_french(word: str) -> bool:
    """Whether a lower-cased word (as its typography gives them, with or without its apostrophe) is French."""
    bare = word.rstrip("'")
    french = zipf_frequency(bare, "fr")
    return french > 0 and french >= zipf_frequency(bare, "en") - ZIPF_MARGIN


def french_share(hypotheses: Sequence[str], references: References, /) -> Score:
    """French words per 100 words of the outputs (`is_french`): falls where words are left in English or made up.

    Numbers do not count. `count` is the number of outputs with a word; the others are nan per sentence.
    """
    check_texts(hypotheses, references)
    spoken = [[word for word in FRENCH.typography.words(h) if not word[0].isdigit()] for h in hypotheses]
    rows = [(100.0 * sum(map(is_french, ws)), float(len(ws))) for ws in spoken]
    sums = SentenceSums(np.array(rows), quotient)
    signature = f"{FRENCH_SIGNATURE}|norm:{FRENCH.typography.version}"
    count = sum(map(bool, spoken))
    return Score("french_share", sums.value, signature, count, sums.per_sentence, sums, higher_is_better=None)


METRICS.register("french_share")(on_answers(french_share, "french"))
