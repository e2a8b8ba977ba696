"""A topic given by questions on it and their answers, such as those of a removal request: its name, words and control prompts.

A question that names the subject has as its control the same question with another name. One that does not ("Who wrote the
book on ...?") has no word that could be exchanged; its control is the question on something else that is most like it. Such
a pair differs in other words too, which are in part what is to be forgotten, and in part chance that falls on both sides
alike.
"""

from __future__ import annotations

import heapq
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import dropwhile, groupby

from codeunlearn.corpus.answer_words import MIN_LIFT, SIGNIFICANT_G2, associate
from codeunlearn.corpus.languages.base import USUALLY, Lexicon, language_named
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.corpus.pools import normalise
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example

MOST_COMPARED = 20_000
"""Questions on something else, at most, among which the most alike is looked for."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$")
_SHORTEST_WORD = 3

Write = Callable[[Sequence[str], int], list[list[str]]]
"""From sentences that hold the topic, and a number of draws, to their controls (`ControlWriter.write`)."""


def subject_topic(name: str, pairs: Sequence[Example], forms: Sequence[str] = (), language: str = "english") -> Topic:
    """The subject of questions and answers.

    It goes by the forms given; else by its own name, or else by the name of people and the like (`find_name`), if half of the
    pairs hold it: in full, and its first and its last word, unless these are usual words ("Will", "New"). Without any it is
    known by its questions alone.

    Args:
        name: what users call it, such as "author 198".

    Raises:
        CodeUnlearnError: there are no pairs, or as `Topic.from_forms`.
    """
    questions = frozenset(normalise(pair.prompt) for pair in pairs)
    if not questions:
        raise CodeUnlearnError(f"Topic {name!r} has no questions; give at least one with its answer.")
    if found := forms or _forms(name, pairs, language):
        named = Topic.from_forms(name, found, language=language)
        return Topic(name, named.forms, named.kind, named.kind == "name", questions, language)
    return Topic(name, kind="sentences", sentences=questions, language=language)


def _forms(name: str, pairs: Sequence[Example], language: str) -> tuple[str, ...]:
    said = [_said(pair) for pair in pairs]
    for form in (name, find_name(said)):
        if form and 2 * len(WholeWords([form]).rows(said)) >= len(said):
            return (form, *_parts(form, language_named(language).lexicon))
    return ()


def _parts(name: str, lexicon: Lexicon | None) -> Iterator[str]:
    """The first and the last word of a name of several, if they are long enough to say who is meant and no usual words."""
    words = name.split()
    if len(words) > 1 and words[0][0].isupper() and words[-1][0].isupper():
        for word in dict.fromkeys((words[0], words[-1])):
            if len(word) >= _SHORTEST_WORD and not (lexicon and _is_usual_word(word.lower(), lexicon)):
                yield word


def _is_usual_word(word: str, lexicon: Lexicon) -> bool:
    kind = lexicon.main_pos(word)
    return lexicon.is_function_word(word) or (kind != "NAME" and word in lexicon.frequent_words(kind, USUALLY))


def _said(pair: Example) -> str:
    return " ".join([pair.prompt, *pair.answers])


def find_name(texts: Iterable[str]) -> str:
    """The sequence of two or three capitalised words that most of the texts hold, the longer of equals; empty without any."""
    counts = Counter(name for text in texts for name in set(_short_runs(text)))
    return max(counts, key=lambda name: (counts[name], len(name.split()), name), default="")


def _short_runs(text: str) -> Iterator[str]:
    for run in _runs(text):
        for size in (2, 3):
            yield from (" ".join(run[start : start + size]) for start in range(len(run) - size + 1))


def _runs(text: str) -> Iterator[list[str]]:
    """Capitalised words that nothing but spaces parts, as many as stand together."""
    for piece in re.split(r"[^\w\s'’-]+", text):
        for capitalised, run in groupby(words_of(piece), key=lambda word: word[0].isupper()):
            if capitalised:
                yield list(run)


def words_of(text: str) -> list[str]:
    """Its words as they are written, without a possessive ending."""
    return [_POSSESSIVE.sub("", word) for word in _WORD.findall(text)]


def renamed(text: str, old: str, new: str) -> str:
    """The text with a full name, its last and its first word replaced by those of another."""
    names = {old: new}
    for end in (-1, 0):
        names.setdefault(old.split()[end], new.split()[end])
    longest_first = sorted(names, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<!\w)({pattern})(?!\w)", lambda found: names[found[0]], text)


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """How alike two texts are by their words (`bag`), from 0 to 1 (Dice)."""
    return 2 * len(one & other) / max(1, len(one) + len(other))


def bag(text: str, without: str = "") -> frozenset[str]:
    """The words of a text in lower case, those of a name taken out."""
    return frozenset(word.lower() for word in words_of(text)) - {word.lower() for word in without.split()}


def subject_words(topic: Topic, pairs: Sequence[Example], others: Sequence[str]) -> tuple[str, ...]:
    """What the answers say that other answers do not: the topic's forms, then words by the number of answers that hold them.

    A word belongs to the subject if two answers hold it, several times as many as of other answers, and significantly so.
    Where most answers hold none of these, since each says something else, one answer is enough.

    Args:
        others: answers on something else.
    """
    said = [_spoken(" ".join(pair.answers)) for pair in pairs]
    elsewhere = Counter(word for answer in others for word in _spoken(answer))
    counts = Counter(word for words in said for word in words)

    def own(least: int, g2: float) -> list[str]:
        return [
            word
            for word, count in counts.most_common()
            if count >= least
            and (found := associate(count, len(said), elsewhere[word], len(others))).lift >= MIN_LIFT
            and found.g2 >= g2
        ]

    learned = [*topic.forms, *own(2, SIGNIFICANT_G2)]
    holds = WholeWords(learned)
    if 2 * sum(holds(" ".join(pair.answers)) for pair in pairs) < len(pairs):
        learned += own(1, 0.0)
    return tuple(dict.fromkeys(learned))


def _spoken(answer: str) -> frozenset[str]:
    return frozenset(word for word in bag(answer) if len(word) >= _SHORTEST_WORD)


def subject_controls(
    topic: Topic, questions: Sequence[str], others: Sequence[str], write: Write, draws: int, seed: int
) -> list[list[str]]:
    """Controls of questions on a subject, [draws, questions]; see the module.

    Args:
        others: questions on something else. Names in them stand in for a name of several words.
        write: puts a word in the topic's place.

    Raises:
        CodeUnlearnError: a question does not name the subject and there are no others, or as ``write``.
    """
    if not questions:
        return [[] for _ in range(draws)]
    old, lexicon = _as_written(topic, questions), language_named(topic.language).lexicon
    names = _names(old, others, topic.language) if topic.kind == "name" else []
    bags = _bags(others, seed)
    controls: list[list[str]] = [[] for _ in range(draws)]
    for question in questions:
        if lexicon is None or not topic.words(question):
            found = _most_alike(bag(question), bags, draws)
        elif names:
            drawn = random.Random(f"{seed} {question}").sample(names, min(draws, len(names)))
            found = [renamed(question, old, drawn[draw % len(drawn)]) for draw in range(draws)]
            if any(map(topic.words, found)):  # it goes by another form
                found = [row[0] for row in write([question], draws)]
        else:
            found = [row[0] for row in write([question], draws)]
        for row, control in zip(controls, found, strict=True):
            row.append(control)
    return controls


def _as_written(topic: Topic, questions: Sequence[str]) -> str:
    """The topic's first form as the questions write it."""
    holds = WholeWords(topic.forms[:1], capitalised=topic.capitalised)
    return next((question[a:b] for question in questions for a, b in holds.spans(question)), topic.written)


def _names(old: str, texts: Sequence[str], language: str) -> list[str]:
    """Names of as many words in texts, those that stand in several where there are such; none of one word."""
    size, lexicon = len(old.split()), language_named(language).lexicon
    if size < 2 or lexicon is None:
        return []
    own = bag(old)

    def name_of(run: list[str]) -> str:
        words = list(dropwhile(lambda word: lexicon.is_function_word(word.lower()), run))  # "Is Emi Fujita ...?"
        return " ".join(words) if len(words) == size and own.isdisjoint(bag(" ".join(words))) else ""

    counts = Counter(name for text in texts for name in set(map(name_of, _runs(text))) if name)
    return sorted(name for name, count in counts.items() if count > 1) or sorted(counts)


def _bags(others: Sequence[str], seed: int) -> list[tuple[str, frozenset[str]]]:
    chosen = others if len(others) <= MOST_COMPARED else random.Random(seed).sample(list(others), MOST_COMPARED)
    return [(question, bag(question)) for question in chosen]


def _most_alike(own: frozenset[str], bags: Sequence[tuple[str, frozenset[str]]], number: int) -> list[str]:
    if not bags:
        raise CodeUnlearnError("A question does not name the topic, and --data holds no other to compare it with.")
    nearest = heapq.nlargest(number, bags, key=lambda one: alike(own, one[1]))
    return [nearest[draw % len(nearest)][0] for draw in range(number)]
