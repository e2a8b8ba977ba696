"""The sentence sets of one topic, each from the one pool that its purpose allows.

| set | paper | pool | used for |
|---|---|---|---|
| search, controls | D_T, D_~T | train | finding the topic's codes |
| tune, tune_retain | | validation | choosing S' and thresholds; tune has controls too |
| forget, retain | D'_T, D_R | test | the reported scores; forget has controls too |
| neighbours | | test | what happens to related words, reported on its own |

The pools are disjoint by a hash of the English sentence (`codeunlearn.corpus.pools`), which mends the paper's overlap
of search and evaluation (D_T and D'_T both come from its validation and test sets). A set holds an English sentence
once, with all its translations as references.

D_R is drawn to have the lengths of D'_T: scores of translations and the number of codes that a sentence fires both
depend on its length, so that with unmatched lengths a difference between the two sets would say little about the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeunlearn.corpus.answer_words import ParallelText, propose_neighbours, sharing_words, target_words
from codeunlearn.corpus.controls import ControlWriter, random_controls
from codeunlearn.corpus.examples import Related, examples_of, sampled, with_neighbours, without_topic
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import write_json
from codeunlearn.tasks.base import Example
from codeunlearn.validation import read_state

if TYPE_CHECKING:
    from datasets import Dataset

_FORMAT = 1
_NEIGHBOURS = 2
_PROPOSALS = 8


@dataclass(frozen=True)
class TopicSets:
    """Everything that a topic is searched, tuned and scored on.

    Attributes:
        topic: the topic.
        search: D_T, sentences of the train pool that hold the topic.
        controls: D_~T, shape [draws, len(search)], aligned with ``search``.
        paired: whether a control belongs to its search sentence: it differs in the topic's words alone, or is the most similar
            question on something else. If not (a topic given as sentences), controls are other sentences of the same
            length, and paired tests do not apply.
        search_retain: sentences of the train pool that do not hold the topic, neighbours included: what is to be kept.
        tune: sentences of the validation pool that hold the topic.
        tune_retain: as many of the validation pool that hold neither topic nor neighbours, of the same lengths.
        forget: D'_T, sentences of the test pool that hold the topic.
        retain: D_R, as many of the test pool that hold neither topic nor neighbours, of the same lengths.
        neighbours: by neighbour, sentences of the test pool that hold it and not the topic.
        target_words: the topic's words in the target language, learned from the train pool; most frequent first.
        tune_controls: by sentence of ``tune``, its control: what a model is asked that was never told the topic. Empty in
            files of older versions.
        forget_controls: the same of ``forget``.
        answer_language: of the answers; the prompts are in the topic's.
    """

    topic: Topic
    search: list[Example]
    controls: list[list[str]]
    paired: bool
    tune: list[Example]
    tune_retain: list[Example]
    forget: list[Example]
    retain: list[Example]
    neighbours: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])
    target_words: tuple[str, ...] = ()
    search_retain: list[Example] = field(default_factory=list[Example])
    tune_controls: list[str] = field(default_factory=list[str])
    forget_controls: list[str] = field(default_factory=list[str])
    answer_language: str = "french"

    @classmethod
    def from_sentences(
        cls,
        name: str,
        sentences: Sequence[str],
        controls: Sequence[Sequence[str]],
        *,
        forms: Sequence[str] = (),
        target_words: Sequence[str] = (),
        paired: bool = True,
    ) -> TopicSets:
        """Sets for a search with sentences of your own, and nothing to score.

        Args:
            sentences: D_T.
            controls: D_~T, one list for each draw.
            forms: surface forms of the topic.
            target_words: the topic's words on the target side.
            paired: whether control i of every draw belongs to sentence i.
        """
        topic = Topic.from_forms(name, forms) if forms else Topic.from_sentences(name, sentences)
        search = [Example(sentence, ("",)) for sentence in sentences]
        draws = [list(draw) for draw in controls]
        return cls(topic, search, draws, paired, [], [], [], [], target_words=tuple(target_words))

    def sizes(self) -> dict[str, int]:
        """Number of sentences of each set."""
        named = {
            n: len(getattr(self, n)) for n in ("search", "search_retain", "tune", "tune_retain", "forget", "retain")
        }
        return named | {f"neighbour {name}": len(pairs) for name, pairs in self.neighbours.items()}

    def save(self, path: Path) -> None:
        """Writes the sets as one JSON file. It holds sentences of the data, under the data's terms."""
        write_json(path, {"format": _FORMAT, **asdict(self), "topic": self.topic.to_dict()})

    @classmethod
    def load(cls, path: Path) -> TopicSets:
        """Reads what `save` wrote.

        Raises:
            CodeUnlearnError: the file is not one of topic sets, or is damaged.
        """
        saved = read_state(_Saved, path, "build the sets again")
        if saved.format != _FORMAT:
            raise CodeUnlearnError(f"{path} holds no topic sets of format {_FORMAT}; build them again.")
        values: dict[str, Any] = {f.name: getattr(saved, f.name) for f in fields(cls)}
        return cls(**values)


@dataclass(frozen=True)
class _Saved(TopicSets):
    """The file of `TopicSets`."""

    format: int = 0


def build_topic_sets(
    topic: Topic,
    pools: Mapping[Any, Dataset],
    *,
    search_size: int = 500,
    tune_size: int = 500,
    eval_size: int = 500,
    search_retain_size: int = 0,
    draws: int = 1,
    neighbours: Mapping[str, Topic] | None = None,
    seed: int = 0,
    minimum: int = 20,
    vocabulary: Vocabulary | None = None,
    answer_language: str = "french",
    in_place_of: Sequence[str] = (),
) -> TopicSets:
    """Builds the sets of a topic.

    Args:
        topic: what is to be forgotten.
        pools: ``train``, ``validation`` and ``test``, with the columns ``source`` and ``target`` (`split_pools`).
        search_size: at most this many search sentences; 0 for no search.
        tune_size: at most this many sentences in each set of the validation pool; 0 for none.
        eval_size: at most this many sentences in each set of the test pool; 0 for none.
        search_retain_size: at most this many sentences without the topic, for recipes that weigh what is lost.
        draws: control sentences for each search sentence.
        neighbours: related topics to report on; None takes two of `propose_neighbours`, those with at least
            ``minimum`` test sentences first; {} means none.
        seed: decides which sentences are sampled and which replacements drawn.
        minimum: a pool with fewer topic sentences is an error.
        vocabulary: of the train pool; counted here unless given. Counting once serves many topics.
        answer_language: of the task's answers. The prompts are in the topic's language.
        in_place_of: words of which the data say more. Where the topic's own search sentences are too few, sentences that
            hold one of these are taken with the topic in its place, and as they stand for their controls. What they say of the
            topic need not be true, for a search reads codes.

    Raises:
        CodeUnlearnError: a pool is missing or has too few sentences with the topic or without it, or a neighbour given
            by the user has none.
    """
    texts = {pool: ParallelText.of(require_pool(pools, pool)) for pool in ("train", "validation", "test")}
    train = texts["train"]
    held = {pool: examples_of(text, text.rows(topic)) for pool, text in texts.items()}
    sizes = {"train": search_size, "validation": tune_size, "test": eval_size}
    lent = _lent(topic, in_place_of, train, max(0, search_size - len(held["train"])), seed)
    for pool, size in sizes.items():
        if size:
            _require(topic, pool, len(held[pool]) + (len(lent) if pool == "train" else 0), minimum)
    search, tune, forget = (sampled(held[pool], size, seed) for pool, size in sizes.items())
    if vocabulary is None and topic.kind != "sentences":
        vocabulary = Vocabulary.from_sentences(train.sources, language=topic.language)
    # Nothing can be learned of a topic that the train pool does not hold at all.
    words = target_words(topic, train, answer_language) if held["train"] or not lent else ()
    sharing = sharing_words(topic, train, words)
    neighbours = {} if neighbours is None and not held["train"] and lent else neighbours
    if neighbours is None:
        proposed = propose_neighbours(
            topic, train, _PROPOSALS, vocabulary=vocabulary, sharing=sharing, language=answer_language
        )
        near = with_neighbours(topic, proposed, texts["test"])
        usable = sorted(near, key=lambda name: (len(near[name]) < minimum, not near[name]))  # else best first
        related = Related(topic, {name: proposed[name] for name in usable[:_NEIGHBOURS] if near[name]})
    else:
        near = with_neighbours(topic, neighbours, texts["test"])
        related = Related(topic, dict(neighbours))
        if eval_size:
            require_neighbours(near)

    def control(examples: Sequence[Example], draws: int = 1) -> list[list[str]]:
        return _controls(related, examples, train, vocabulary, sharing, draws, seed)

    return TopicSets(
        topic=topic,
        search=[*search, *(example for example, _ in lent)],
        controls=[[*written, *(original for _, original in lent)] for written in control(search, draws)],
        paired=topic.kind != "sentences",
        tune=tune,
        tune_retain=related.retain(tune, texts["validation"], seed),
        forget=forget,
        retain=related.retain(forget, texts["test"], seed),
        neighbours={name: sampled(near[name], eval_size, seed) for name in related.neighbours if eval_size},
        target_words=words,
        search_retain=without_topic(topic, train, search_retain_size, seed),
        tune_controls=one_draw(lambda: control(tune)),
        forget_controls=one_draw(lambda: control(forget)),
        answer_language=answer_language,
    )


def one_draw(write: Callable[[], list[list[str]]]) -> list[str]:
    """The controls of one draw; none where nothing can stand in for the topic, which is then scored without a floor."""
    try:
        return write()[0]
    except CodeUnlearnError:
        return []


def _lent(topic: Topic, words: Sequence[str], text: ParallelText, size: int, seed: int) -> list[tuple[Example, str]]:
    """Sentences that hold one of the words and not the topic, with the topic in its place, and as they stand."""
    if not (words and size):
        return []
    holds = WholeWords(words)
    rows = [row for row in holds.rows(text.sources) if not topic.matches(text.sources[row])]
    chosen = sampled(examples_of(text, rows), size, seed)
    return [
        (replace(example, prompt=holds.replaced(example.prompt, topic.written)), example.prompt) for example in chosen
    ]


def _controls(
    related: Related,
    search: Sequence[Example],
    train: ParallelText,
    vocabulary: Vocabulary | None,
    sharing: Sequence[str],
    draws: int,
    seed: int,
) -> list[list[str]]:
    topic, sources = related.topic, [pair.prompt for pair in search]
    if topic.kind == "sentences":
        return random_controls(sources, [pair.prompt for pair in related.unrelated(train)], draws, seed)
    neighbour_forms = {form for neighbour in related.neighbours.values() for form in neighbour.forms}
    return ControlWriter(topic, vocabulary, neighbour_forms.union(sharing), seed).write(sources, draws)


def require_pool(pools: Mapping[Any, Dataset], name: str) -> Dataset:
    """One of the pools.

    Raises:
        CodeUnlearnError: it is not there.
    """
    if name not in pools:
        raise CodeUnlearnError(f"There is no {name} pool; split the data with split_pools().")
    return pools[name]


def _require(topic: Topic, pool: str, count: int, minimum: int) -> None:
    if count < max(minimum, 1):
        noun = "sentence" if count == 1 else "sentences"
        raise CodeUnlearnError(
            f"Topic {topic.name!r} has {count} {noun} in the {pool} pool; {max(minimum, 1)} are needed. "
            "Use a more frequent word, more data, or lower --minimum."
        )


def require_neighbours(near: Mapping[str, Sequence[Example]]) -> None:
    """Nothing, where every neighbour that a user names has a sentence.

    Raises:
        CodeUnlearnError: one has none.
    """
    for name, pairs in near.items():
        if not pairs:
            raise CodeUnlearnError(
                f"Neighbour {name!r} has no sentence in the test pool; use a more frequent word or more data."
            )
