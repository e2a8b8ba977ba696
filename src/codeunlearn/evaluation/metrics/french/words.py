"""Whether a word is French, by its frequency in large corpora (wordfreq): for outputs that fall back to English.

The French list of wordfreq holds English words too, for people quote them, so being in the list says little: "the" is
there. A word therefore counts as French when French uses it at least a tenth as often as English does. "On", "six" and
"table" pass, which both languages share; "the" and "love" do not, nor do words of neither language, which a broken
decoder makes up.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

from wordfreq import zipf_frequency

ZIPF_MARGIN = 1.0
"""A French word may be this much rarer in French than in English, in powers of ten."""

FRENCH_SIGNATURE = f"words:wordfreq-{version('wordfreq')}-fr-en<={ZIPF_MARGIN:g}"


@lru_cache(maxsize=100_000)
def is_french(word: str) -> bool:
    """Whether a lower-cased word (as `normalise.words` gives them, with or without its apostrophe) is French."""
    bare = word.rstrip("'")
    french = zipf_frequency(bare, "fr")
    return french > 0 and french >= zipf_frequency(bare, "en") - ZIPF_MARGIN
