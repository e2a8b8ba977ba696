"""A topic: the word, words or sentences that are to be forgotten, and how to find them in text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from codeunlearn.corpus.languages.base import Lexicon, language_named, lexicon_of
from codeunlearn.corpus.lines import read_sentences
from codeunlearn.corpus.matching import WholeWords, normal_form, without_ligatures, without_notes
from codeunlearn.corpus.pools import normalise
from codeunlearn.errors import CodeUnlearnError

TopicKind = Literal["word", "name", "sentences"]

_ONE_WORD = re.compile(r"(?=.*[^\W\d_])[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Topic:
    """What is to be forgotten, as whole words on the source side or as a set of sentences.

    Attributes:
        name: what users call it, and what files and reports are named after.
        forms: lower-cased surface forms; a sentence that holds one as a whole word holds the topic. Empty for a topic
            given as sentences.
        kind: how controls are written: ``word`` (replaced by words of the same part of speech and inflection), ``name``
            (by other names), ``sentences`` (no replacement is possible; other sentences are drawn).
        capitalised: only capitalised occurrences count: names that are also words ("Mark", "Rose"). A sentence that
            begins with the word still matches.
        sentences: normalised sentences of a topic given as sentences, or as questions beside its forms.
        language: of the prompts, a name in `LANGUAGES`; what the word's forms are, and what can stand in for it.
    """

    name: str
    forms: tuple[str, ...] = ()
    kind: TopicKind = "word"
    capitalised: bool = False
    sentences: frozenset[str] = frozenset()
    language: str = "english"

    @classmethod
    def from_word(cls, word: str, *, kind: Literal["word", "name"] | None = None, language: str = "english") -> Topic:
        """The topic of one word and its inflections, in any case.

        Whether the word is a name is decided from the dictionary: one that it does not know and the tagger takes for a
        name is a name ("Julien", "boston"), unless it is written without a capital and has a plural as nouns do
        ("résumé"); so is a usual given name written with a capital ("Mark"). A name has itself as its only form.
        ``kind`` overrules this.

        Raises:
            CodeUnlearnError: the text is not one word, or it is a contraction ("don't"), or in capitals what may be an
                abbreviation and is a function word otherwise ("IT"), or the language has no lexicon.
        """
        lexicon = lexicon_of(language)
        word = normal_form(_without_note_behind(word)).strip()
        _require_one_word(word, lexicon)
        if (kind or _kind_of(word, lexicon)) == "name":
            is_also_word = bool(lexicon.lemmas(word)) and lexicon.main_pos(word.lower()) != "NAME"
            return cls(word, (word.lower(),), "name", capitalised=is_also_word, language=language)
        return cls(word, lexicon.surface_forms(word), language=language)

    @classmethod
    def from_forms(cls, name: str, forms: Iterable[str], *, language: str = "english") -> Topic:
        """The topic of the listed forms and no others; a form may have several words ("notre dame").

        It is a name if its first form is written with a capital and would be one (`from_word`), or has several words of which
        the first and the last have capitals ("Stephen King"); never in a language without a lexicon.

        Raises:
            CodeUnlearnError: no form is given, or one holds no letter.
        """
        written = [form for given in forms if (form := " ".join(normal_form(_without_note_behind(given)).split()))]
        if not written:
            raise CodeUnlearnError(f"Topic {name!r} has no forms; list at least one word.")
        if empty := [form for form in written if not any(map(str.isalnum, form))]:
            raise CodeUnlearnError(f"The form {empty[0]!r} of topic {name!r} holds no letter; leave it out.")
        lexicon, first = language_named(language).lexicon, written[0]
        named = lexicon and _is_name(first.split(), lexicon)
        lowered = tuple(dict.fromkeys(form.lower() for form in written))
        return cls(name, lowered, "name" if named else "word", language=language)

    @classmethod
    def from_sentences(cls, name: str, sentences: Iterable[str] | Path, *, language: str = "english") -> Topic:
        """The topic of whole source sentences, such as those named in a removal request.

        A sentence of the data matches if it is one of them, up to case, spacing and punctuation. Nothing says which
        of its words carry the topic, so there is no word to replace: the controls of such a topic are other sentences
        of the same length, and the search is unpaired (`codeunlearn.corpus.topic_sets`).

        Args:
            name: what to call the topic.
            sentences: the sentences, or a UTF-8 file with one a line; empty lines are skipped.

        Raises:
            CodeUnlearnError: the file cannot be read, or there is no sentence.
        """
        lines = read_sentences(sentences) if isinstance(sentences, Path) else sentences
        members = frozenset(key for line in lines if (key := normalise(line)))
        if not members:
            raise CodeUnlearnError(f"Topic {name!r} has no sentences; give at least one sentence, one a line.")
        return cls(name, kind="sentences", sentences=members, language=language)

    @property
    def written(self) -> str:
        """The topic as it stands in a text: its name where that is one of its forms, else the first form."""
        if not self.forms or self.words(self.name):
            return self.name
        return self.forms[0].title() if self.kind == "name" else self.forms[0]

    @cached_property
    def words(self) -> WholeWords:
        """Finds the topic's forms as whole words, however they are written; none for a topic given as sentences."""
        return WholeWords(self.forms, capitalised=self.capitalised)

    def matches(self, sentence: str) -> bool:
        """Whether the sentence holds the topic."""
        return bool(self.rows([sentence]))

    def rows(self, sentences: Sequence[str]) -> list[int]:
        """Positions of the sentences that hold the topic; 150,000 short sentences take about 0.1 s."""
        named = self.words.rows(sentences) if self.forms else []
        if not self.sentences:
            return named
        return sorted({*named, *(row for row, sentence in enumerate(sentences) if _key(sentence) in self._keys)})

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(map(_key, self.sentences))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content; `from_dict` is its inverse. English is not named, as in files of older versions."""
        language = {} if self.language == "english" else {"language": self.language}
        return {
            "name": self.name,
            "forms": list(self.forms),
            "kind": self.kind,
            "capitalised": self.capitalised,
            "sentences": sorted(self.sentences),
            **language,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Topic:
        return cls(
            name=content["name"],
            forms=tuple(content["forms"]),
            kind=content["kind"],
            capitalised=content["capitalised"],
            sentences=frozenset(content["sentences"]),
            language=content.get("language", "english"),
        )


def _key(sentence: str) -> str:
    """What sentences have in common that read the same; pools go by `normalise` alone, so that no row ever changes its pool."""
    return without_ligatures(normalise(sentence))


def _without_note_behind(word: str) -> str:
    """A word without the raised number of a footnote; the lowered ones of "CO₂" are of the word."""
    bare = without_notes(word).rstrip()
    behind = word[len(bare) :].strip()
    raised = all(not unicodedata.decomposition(mark).startswith("<sub>") for mark in behind)
    return bare if bare and raised else word


def _kind_of(word: str, lexicon: Lexicon) -> TopicKind:
    if not lexicon.lemmas(word):
        if word.islower() and lexicon.main_pos(word) != "NAME" and lexicon.is_countable(word):
            return "word"
        return "name" if lexicon.main_pos(word.capitalize()) == "NAME" else "word"
    return "name" if word[0].isupper() and lexicon.is_given_name(word) else "word"


def _is_name(parts: Sequence[str], lexicon: Lexicon) -> bool:
    if len(parts) > 1:
        return parts[0][0].isupper() and parts[-1][0].isupper()
    return parts[0][0].isupper() and _kind_of(parts[0], lexicon) == "name"


def _require_one_word(word: str, lexicon: Lexicon) -> None:
    if not _ONE_WORD.fullmatch(word):
        raise CodeUnlearnError(
            f"{word!r} is not one word; give several words or phrases as a list of forms, or a file of sentences."
        )
    if parts := lexicon.clitics(word):
        raise CodeUnlearnError(
            f"{word!r} is not one word but {' and '.join(map(repr, parts))}; name one of them as the topic, "
            "or give it as a list of forms."
        )
    if word.isupper() and len(word) > 1 and lexicon.is_function_word(word.lower()):
        raise CodeUnlearnError(
            f"{word!r} would take {word.lower()!r} with it, since words are found in any case; write it in lower case if "
            "that is meant, or give the sentences on it as a file."
        )
