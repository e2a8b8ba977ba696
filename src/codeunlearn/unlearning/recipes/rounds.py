"""Whole rounds of deletions: all codes that tell the topic from its controls, again and again until the topic is gone.

Where a language model says the same with other codes once some are deleted, one test is not enough: what stands in for them is
found in the next round. A round deletes every candidate that unrelated text hardly uses, which needs one pass over the
topic's prompts and no trial of single codes. It ends when the topic's words, or in a language model what that said to the
prompts by itself, are no more probable than under the control prompts, or several rounds brought nothing; what these deleted is
taken back. No gradient is needed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import DeletionMode, identify, require_bottleneck
from codeunlearn.codebook.identity import Identity
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.record import now
from codeunlearn.tasks.base import Example, task_of
from codeunlearn.unlearning.deletion import forgetting, undeleted
from codeunlearn.unlearning.evidence.code_lists import BoolArray
from codeunlearn.unlearning.evidence.counting import Progress
from codeunlearn.unlearning.evidence.enrichment import EPSILON
from codeunlearn.unlearning.evidence.held import Probes
from codeunlearn.unlearning.evidence.statistics import Correction
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet
from codeunlearn.unlearning.recipes.base import RECIPES, RETAINED, Needs, TopicSearch, beginnings
from codeunlearn.unlearning.recipes.candidates import DEPTH, Candidates, Reading, find_candidates, read_codes
from codeunlearn.unlearning.recipes.counted import check_levels

IDLE = 2
"""So many rounds that brought nothing end the search."""


@dataclass(frozen=True)
class Rounds:
    """See the module.

    Attributes:
        alpha: a code whose smallest possible p-value exceeds this is not tested.
        fdr: false discovery rate among the candidates of a round.
        correction: ``bh`` or ``by``, see `adjust`.
        min_effect: smallest difference of the shares of prompts that hold a candidate.
        min_ratio: a candidate is held by so many times as many prompts as control prompts, so that what the topic shares with
            its neighbours stays.
        max_retained: a code that a greater share of unrelated prompts holds stays.
        closed: done when so much of the way to what holds under the control prompts is gone.
        min_progress: a round that closes less than this on top of the best before it is an idle one.
        max_rounds: most rounds.
        max_codes: most codes to delete; None for no bound.
        candidates: most codes that one round deletes, those with the largest effect.
        probes: prompts of the topic on which is measured what the model holds of it.
        mode: what happens to the slot of a deleted code; the model's own way unless given.
    """

    name: ClassVar[str] = "rounds"
    alpha: float = 0.05
    fdr: float = 0.05
    correction: Correction = "bh"
    min_effect: float = 0.02
    min_ratio: float = 4.0
    max_retained: float = 0.01
    closed: float = 1.0
    min_progress: float = 0.01
    max_rounds: int = 12
    max_codes: int | None = None
    candidates: int = 200
    probes: int = 32
    mode: DeletionMode | None = None

    def __post_init__(self) -> None:
        check_levels(alpha=self.alpha, fdr=self.fdr)

    def needs(self) -> Needs:
        return Needs(retained=RETAINED)

    def search(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        sets: TopicSets,
        *,
        seed: int = 0,
        steps: Sequence[int] | None = None,
        progress: Progress | None = None,
        created: str | None = None,
    ) -> TopicSearch:
        """As `Recipe.search`. Steps are beginnings of the list of codes, by default of 1, 2, 4, 8, ... codes and the whole.

        Args:
            progress: called after every round with the per cent that is closed, and 100.

        Raises:
            CodeUnlearnError: there are no unrelated prompts, or no answer holds a word of the topic.
        """
        bottleneck = require_bottleneck(model)
        deep = min(DEPTH, bottleneck.codebook.num_codes) if bottleneck.codebook.ranked else bottleneck.config.top_s
        reading = read_codes(model, tokenizer, sets, depth=deep, mode=self.mode)
        holding = _Probing(model, tokenizer, sets, self, seed)

        def show(closed: float) -> None:
            if progress is not None:
                progress(round(100 * min(1.0, max(0.0, closed))), 100)

        found = find_rounds(reading, holding, self, seed=seed, show=show)
        codebook = require_bottleneck(model).codebook
        evidence = tuple(
            _evidence(choice, rank, reading, int(codebook.code_ids[choice.row]), tokenizer)
            for rank, choice in enumerate(found.choices, start=1)
        )
        forget_set = ForgetSet(
            topic=sets.topic.name,
            ids=tuple(e.id for e in evidence),
            fingerprint=holding.identity.fingerprint,
            forms=tuple(sets.topic.forms),
            target_forms=tuple(sets.target_words),
            evidence=evidence,
            preset=self.name,
            preset_options=asdict(self),
            s_prime=reading.s,
            seed=seed,
            num_codes=codebook.num_codes,
            n_topic=reading.topic.sentences,
            n_control=sum(lists.sentences for lists in reading.controls),
            codes_tested=found.tested,
            topic_left=max(0.0, 1.0 - found.closed),
            created=created or now(),
        )
        return TopicSearch(forget_set, steps=beginnings(forget_set, steps), step_name="codes")


class Choice(NamedTuple):
    """One code, and its place among the candidates of its round."""

    row: int
    found: Candidates
    place: int
    tokens: tuple[tuple[int, int], ...]


class Holding(Protocol):
    """Says how much of the topic is closed."""

    def closed(self, rows: Sequence[int]) -> float:
        """With these rows of the codebook deleted."""
        ...


class Found(NamedTuple):
    """The codes in order, the share that they close, and how many codes the first round tested."""

    choices: list[Choice]
    closed: float
    tested: int


class _Probing:
    """How much of the topic's words the model still says, between its own probability (0) and the control prompts' (1)."""

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, sets: TopicSets, options: Rounds, seed: int
    ) -> None:
        self._opened, self._sets = (model, tokenizer), sets
        self._mode: DeletionMode | None = options.mode
        self.identity: Identity = identify(model)
        order = np.random.default_rng(seed).permutation(len(sets.search)).tolist()
        shuffled = [sets.search[i] for i in order]
        controls = {pair.prompt: sets.controls[0][i] for i, pair in enumerate(sets.search)} if sets.paired else {}
        with undeleted(model):
            self._probes, self._measure = self._asked(shuffled, options.probes)
            self.before, self.floor = self._measure(self._probes), 0.0
            if controls:
                self.floor = self._measure(self._probes.instead([controls[prompt] for prompt in self._probes.prompts]))

    def _asked(self, search: Sequence[Example], most: int) -> tuple[Probes, Callable[[Probes], float]]:
        """What is asked, and how it is measured.

        A model that goes on with a text is asked what it says of the topic by itself, which is what it holds; of others the
        data know the right answers and the topic's words in them.
        """
        task = task_of(self._opened[0])
        if task.name == "completion":
            own = Probes.own(task, *self._opened, [example.prompt for example in search[:most]])
            if own.prompts:
                return own, lambda probes: probes.log_probability(*self._opened)
        words, answers = self._sets.target_words, [example.answer for example in search]
        every = Probes.with_words(task, [example.prompt for example in search], answers, words)
        if not every.prompts:
            raise CodeUnlearnError(
                f"No answer to the prompts on {self._sets.topic.name!r} holds a word of the topic; give others: "
                "--target-words."
            )
        probes = Probes(task, every.prompts[:most], every.answers[:most], words)
        return probes, lambda probes: probes.probability(*self._opened)

    def closed(self, rows: Sequence[int]) -> float:
        """With these rows deleted; where the controls are no less probable, all is closed."""
        if not rows:
            return 0.0
        model = self._opened[0]
        ids = require_bottleneck(model).codebook.code_ids[list(rows)].tolist()
        forget_set = ForgetSet(self._sets.topic.name, tuple(ids), self.identity.fingerprint)
        with undeleted(model), forgetting(model, forget_set, identity=self.identity, mode=self._mode):
            left = self._measure(self._probes)
        return (self.before - left) / (self.before - self.floor) if self.before > self.floor else 1.0


def find_rounds(
    reading: Reading,
    holding: Holding,
    options: Rounds,
    *,
    seed: int = 0,
    show: Callable[[float], None] = lambda _: None,
) -> Found:
    """The codes to delete and their order.

    Args:
        show: called after every round with the share that is closed.
    """
    deleted = np.zeros(reading.topic.num_codes, bool)
    choices: list[Choice] = []
    best, kept, idle, tested = 0.0, 0, 0, 0
    for _ in range(options.max_rounds):
        candidates = find_candidates(reading, deleted, options, seed)
        tested = tested or candidates.tested
        candidates = candidates.take(_own(reading, candidates, deleted, options))
        room = len(candidates.rows) if options.max_codes is None else options.max_codes - len(choices)
        if room < 1 or not len(candidates.rows):
            break
        choices += list(_choices(reading, candidates, deleted))[:room]
        deleted[[choice.row for choice in choices]] = True
        closed = holding.closed([choice.row for choice in choices])
        idle = 0 if closed >= best + options.min_progress else idle + 1
        if not idle:
            best, kept = closed, len(choices)
        show(best)
        if best >= options.closed or idle == IDLE:
            break
    return Found(choices[:kept], best, tested)


def _own(reading: Reading, candidates: Candidates, deleted: BoolArray, options: Rounds) -> NDArray[np.int64]:
    """Places of the candidates that are the topic's own: few unrelated prompts and few of its controls hold them."""
    retained = reading.retained
    keys = retained.presence(retained.firing(deleted, reading.s, reading.mode))
    share = np.bincount(keys % retained.num_codes, minlength=retained.num_codes) / retained.sentences
    controls = candidates.control / len(reading.controls)
    enriched = candidates.topic >= options.min_ratio * controls
    return np.flatnonzero(enriched & (share[candidates.rows] <= options.max_retained))


def _choices(reading: Reading, found: Candidates, deleted: BoolArray) -> Iterator[Choice]:
    firing = reading.topic.firing(deleted, reading.s, reading.mode)
    for place, row in enumerate(found.rows.tolist()):
        tokens = Counter(reading.topic.token_ids[firing.token[firing.row == row]].tolist())
        yield Choice(row, found, place, tuple(tokens.most_common(5)))


def _evidence(
    choice: Choice, rank: int, reading: Reading, code: int, tokenizer: PreTrainedTokenizerBase
) -> CodeEvidence:
    found, i = choice.found, choice.place
    f_topic = int(found.topic[i]) / reading.topic.sentences
    f_control = int(found.control[i]) / (reading.topic.sentences * len(reading.controls))
    return CodeEvidence(
        id=code,
        topic=int(found.topic[i]),
        control=int(found.control[i]),
        f_topic=f_topic,
        f_control=f_control,
        r=math.log2((f_topic + EPSILON) / (f_control + EPSILON)),
        p=float(found.p[i]),
        top_tokens=tuple((str(tokenizer.convert_ids_to_tokens(token)), number) for token, number in choice.tokens),
        q=float(found.q[i]),
        effect=float(found.effect[i]),
        effect_low=float(found.effect_low[i]),
        effect_high=float(found.effect_high[i]),
        rank=rank,
        z=float(found.z[i]),
    )


RECIPES.register(Rounds.name)(Rounds)
