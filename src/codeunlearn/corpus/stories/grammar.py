"""The sentence patterns of the grammar with their shares, and the drawing of one sentence."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

from codeunlearn.corpus.stories import joined, sentences, topical
from codeunlearn.corpus.stories.agreement import elide
from codeunlearn.corpus.stories.phrases import Phrase
from codeunlearn.corpus.stories.words import Bag

Pattern = Callable[[Random], Phrase]

_SHARES: tuple[tuple[Pattern, float], ...] = (
    (sentences.plain, 30.0),
    (sentences.about_work, 5.0),
    (sentences.about_things, 10.0),
    (sentences.existence, 3.0),
    (sentences.yes_no_question, 5.0),
    (sentences.who_question, 2.5),
    (sentences.whom_question, 2.5),
    (sentences.adverb_question, 3.0),
    (sentences.thing_question, 1.5),
    (sentences.cry_out, 3.5),
    (sentences.able, 4.0),
    (sentences.stopping, 2.0),
    (sentences.falling_in_love, 0.8),
    (sentences.dearest_wish, 1.8),
    (sentences.wishing_well, 1.6),
    (topical.preferred_colour, 1.6),
    (topical.painted, 2.0),
    (topical.done_by, 2.0),
    (topical.poor_and_rich, 1.0),
    (topical.called, 2.0),
    (joined.who_clause, 4.0),
    (joined.object_clause, 3.0),
    (joined.whose_clause, 2.0),
    (joined.where_clause, 1.0),
    (joined.reported, 4.0),
    (joined.wondering, 2.5),
    (joined.reason, 3.5),
    (joined.when_clause, 2.0),
    (joined.if_clause, 2.5),
    (joined.wish_for_another, 2.5),
    (joined.two_deeds, 2.5),
    (joined.before_and_without, 2.0),
)
PATTERNS = Bag([pattern for pattern, _ in _SHARES], [share for _, share in _SHARES])

_SHORTEST, _LONGEST = 4, 14
# Words that may come twice in a natural sentence; any other repetition ("the king sees the king") is discarded.
_REPEATABLE = frozenset(
    {
        *(
            "the",
            "a",
            "an",
            "and",
            "not",
            "that",
            "who",
            "will",
            "is",
            "was",
            "are",
            "were",
            "did",
            "had",
            "has",
        ),
        *("in", "on", "at", "to", "of", "with", "for", "by", "near"),
        *("i", "he", "she", "they", "my", "his", "her", "their"),
    }
)


def draw(rng: Random) -> Phrase | None:
    """One sentence in both languages, or None if the draw is too long, too short or repeats itself."""
    phrase = PATTERNS.draw(rng)(rng)
    words = phrase.en.lower().rstrip(".?!").replace(",", "").replace("'s", "").split()
    if not _SHORTEST <= len(words) <= _LONGEST or _repeats(words):
        return None
    return Phrase(_sentence_case(phrase.en), _sentence_case(elide(phrase.fr)), phrase.topics)


def _repeats(words: list[str]) -> bool:
    # Without a final "s" the plural is a repetition as well: "the captains follow a captain".
    content = [word.removesuffix("s") for word in words if word not in _REPEATABLE]
    stutters = any(word == following for word, following in pairwise(words))
    return stutters or len(set(content)) < len(content)


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]
