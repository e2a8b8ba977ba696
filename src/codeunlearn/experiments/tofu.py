"""The stages of a study on TOFU's invented authors: what models know of them, before and after forgetting some.

Every model is asked everything once: the gold models that never learned a split's authors, the fine-tuned one, and that with
a codebook. Each author's codes are searched alone, in a stage of its own. A split is forgotten by deleting the codes of all
of its authors, and then only what this can reach is asked again. Beside each split stands a placebo: random codes, as many
and used as often.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from codeunlearn.codebook import prompt_frame
from codeunlearn.codebook.prefix import Frame
from codeunlearn.evaluation.reached import Reached
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.models import Models, saved_identity
from codeunlearn.experiments.questions import Answered, ask, ask_rows, changed_answers, rows_of
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.experiments.tofu_authors import Author
from codeunlearn.experiments.tofu_config import TofuConfig
from codeunlearn.experiments.tofu_questions import TofuQuestions
from codeunlearn.experiments.tofu_search import author_sets
from codeunlearn.methods.placebo import draw_placebos, stand_in
from codeunlearn.tasks.base import Task, View, task_of
from codeunlearn.unlearning import ForgetSet, make_recipe, union
from codeunlearn.validation import validated

PLAIN_MODEL, CODEBOOK_MODEL = "tofu/plain", "tofu/codebook"
"""Stages of the model without a codebook, and of that with one and nothing deleted."""
FORGOTTEN, PLACEBO = "forgotten", "placebo"


@dataclass(frozen=True)
class State:
    """What one model finds.

    Attributes:
        answered: for every question.
        said: free answers, by the question's place.
    """

    answered: list[Answered]
    said: dict[int, str]


@dataclass(frozen=True)
class AuthorSearch:
    """The codes of one author, and the seconds of the search."""

    forget_set: dict[str, Any]
    seconds: float
    target_words: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """What is found otherwise with codes deleted, by the question's place; of what a table reads.

    Attributes:
        codes: how many are deleted.
        seconds: of the searches for them.
    """

    codes: int
    seconds: float
    changed: dict[int, Answered]
    said: dict[int, str] = field(default_factory=dict[int, str])

    def after(self, before: State) -> State:
        """All that is found, what did not change as it was."""
        answered = [self.changed.get(place, one) for place, one in enumerate(before.answered)]
        return State(answered, {**before.said, **self.said})


class TofuStages:
    """All stages of the study.

    Args:
        store: where the results of earlier stages are.
    """

    def __init__(self, config: ReproductionConfig, models: Models, store: StageStore) -> None:
        self.config, self.models, self.store = config, models, store

    @cached_property
    def questions(self) -> TofuQuestions:
        return TofuQuestions.read(self._tofu)

    def stages(self, model_seed: int) -> list[Stage]:
        """Of the one saved model, whatever the seed: models as they are, searches, then what these forget."""
        return [
            *self._before(f"joint-{model_seed}"),
            *(self._search(author, seed) for seed in self.config.seeds for author in searched(self._tofu, self.questions)),
            *(stage for seed in self.config.seeds for stage in self._after(seed)),
        ]  # fmt: skip

    @property
    def _tofu(self) -> TofuConfig:
        return self.config.tofu

    @property
    def _joint(self) -> str:
        return f"joint-{self.config.model_seed(self.config.seeds[0])}"

    def _asked(self) -> dict[str, Any]:
        """What answers depend on beside the model."""
        frame = {"before": self._tofu.before, "behind": self._tofu.behind}
        return {"questions": self.questions.identity, "spoken": self._spoken, **frame}

    @cached_property
    def _spoken(self) -> list[int]:
        sets = self.questions.spoken(self._tofu, self.config.seeds[0])
        return sorted({place for places in sets.values() for place in places})

    def _answered(self) -> dict[str, Any]:
        """What is asked, and that answers are replies: TOFU's measures count their end marks."""
        return {**self._asked(), "end_mark": True}

    def _before(self, joint: str) -> list[Stage]:
        gold = {gold_name(split): model for split, model in self._tofu.gold.items()}
        saved = [self._saved(name, model, joint) for name, model in ({PLAIN_MODEL: self._tofu.plain} | gold).items()]
        return [*saved, Stage(CODEBOOK_MODEL, self._answered(), (joint,), lambda: self._state(self._view))]

    def _saved(self, name: str, model: str | None, joint: str) -> Stage:
        """A model without a codebook; the adapter's base where none is named."""
        settings = {**self._answered(), **saved_identity(model)}
        return Stage(name, settings, (joint,), lambda: self._state(self._opened(model)))

    def _opened(self, model: str | None) -> View:
        return self._framed(*self.models.open_plain(model, self._joint, "tofu: plain"))

    @cached_property
    def _view(self) -> View:
        return self._framed(*self.models.open(self._joint))

    def _framed(self, model: Any, tokenizer: Any) -> View:
        """The model with its own frame, or that of the configuration where it has none."""
        if any(prompt_frame(model)):
            return View(model, tokenizer)
        return View(model, tokenizer, self._tofu.before, self._tofu.behind)

    def _written(self, question: str) -> str:
        """A question as the codebook model reads it within its own frame."""
        return question if any(prompt_frame(self._view.model)) else self._own_frame.around(question)

    @property
    def _own_frame(self) -> Frame:
        return Frame(self._tofu.before, self._tofu.behind)

    def _task(self) -> Task:
        return task_of(self._view.model)

    def _state(self, view: View) -> dict[str, Any]:
        said = self._answer(view, self._spoken)
        answered = ask(self._task(), view, self.questions.every, ended=True)
        return asdict(State(answered, dict(zip(self._spoken, said, strict=True))))

    def _answer(self, view: View, places: Sequence[int]) -> list[str]:
        prompts = [self.questions.every[place].prompt for place in places]
        return self._task().answer(view, prompts, self.models.how).texts

    def _search(self, author: Author, seed: int) -> Stage:
        search = self.config.search

        def make() -> dict[str, Any]:
            view, spared = self._view, self._tofu.spared
            sets = author_sets(author, self.questions, spared, search, seed=seed, written=self._written)
            began = time.perf_counter()
            found = make_recipe(search.preset).search(view.model, view.tokenizer, sets, seed=seed, steps=()).forget_set
            return asdict(AuthorSearch(found.to_dict(), time.perf_counter() - began, sets.target_words))

        settings = {"preset": search.preset, "size": search.size, "draws": search.draws, "seed": seed}
        settings |= {"spared": self._tofu.spared, "author": author.key, **self._asked()}
        return Stage(search_name(author, seed), settings, (self._joint,), make)

    def _after(self, seed: int) -> list[Stage]:
        """Every split with its placebo, and the single authors."""
        found: list[Stage] = []
        for split, number in self._tofu.splits.items():
            authors = self.questions.last(number)
            for kind in (FORGOTTEN, PLACEBO):
                name = split_name(split, seed, kind)
                found.append(self._forgotten(name, split, authors, seed, kind, speaks=True))
        for author in self.questions.last(self._tofu.singles):
            found.append(self._forgotten(single_name(author, seed), author.name, [author], seed, FORGOTTEN))
        return found

    def _forgotten(
        self, name: str, topic: str, authors: Sequence[Author], seed: int, kind: str, *, speaks: bool = False
    ) -> Stage:
        """The authors' codes deleted together, or a placebo of them.

        Args:
            speaks: what is answered freely is answered again too.
        """
        searches = [search_name(author, seed) for author in authors]

        def make() -> dict[str, Any]:
            found = [read_search(self.store, stage) for stage in searches]
            chosen = _joined(topic, [ForgetSet.from_dict(one.forget_set) for one in found])
            deleted = chosen if kind == FORGOTTEN else self._placebo(chosen, seed)
            change = self._change(deleted, authors, speaks=speaks)
            return asdict(replace(change, seconds=sum(one.seconds for one in found)))

        settings = {"seed": seed, "authors": [author.key for author in authors], "kind": kind, **self._answered()}
        return Stage(name, settings, (*searches, CODEBOOK_MODEL), make)

    def _placebo(self, chosen: ForgetSet, seed: int) -> ForgetSet:
        """One draw; an empty set where no codes can stand in."""
        prompts = [self._written(one.prompt) for one in self.questions.every]
        drawn = draw_placebos(self._view, chosen, prompts, draws=1, seed=seed).sets
        return drawn[0] if drawn else stand_in(chosen, ())

    @cached_property
    def _rows(self) -> list[tuple[str, str]]:
        return rows_of(self.questions.every)

    @cached_property
    def _reached(self) -> Reached:
        return Reached(self._view, [self._written(prompt) for prompt, _ in self._rows], [row[1] for row in self._rows])

    @cached_property
    def _reached_speaking(self) -> Reached:
        """A greedy answer stays as it was if no token of it or of its prompt selects a deleted code."""
        prompts = [self._written(self.questions.every[place].prompt) for place in self._spoken]
        return Reached(self._view, prompts, [self._codebook_state.said[place] for place in self._spoken])

    @cached_property
    def _codebook_state(self) -> State:
        return read_state_of(self.store, CODEBOOK_MODEL)

    def _measured(self, authors: Sequence[Author], *, speaks: bool) -> list[bool]:
        """By row, whether a table reads it: right answers, and wrong ones on these authors and what is to stay."""
        told = {
            *self.questions.places(authors),
            *(place for places in self.questions.kept().values() for place in places),
        }
        wrong_too = told if speaks else set[int]()
        return [
            is_right or place in wrong_too
            for place, question in enumerate(self.questions.every)
            for is_right in (True, *(False for _ in question.wrong))
        ]

    def _change(self, forget_set: ForgetSet, authors: Sequence[Author], *, speaks: bool) -> Change:
        """What no table reads is not asked again and stays as it was: an author alone has no truth ratio."""
        before, measured = self._codebook_state, self._measured(authors, speaks=speaks)
        flat = [row for one in before.answered for row in one]

        def again(places: list[int]) -> list[list[float]]:
            wanted = [place for place in places if measured[place]]
            rows = [self._rows[place] for place in wanted]
            found = ask_rows(self._task(), self._view, rows, ended=True) if rows else []
            new = dict(zip(wanted, found, strict=True))
            return [new.get(place, flat[place]) for place in places]

        changed = changed_answers(before.answered, self._reached.after(forget_set, flat, again))
        said = self._said_otherwise(forget_set) if speaks else {}
        return Change(len(forget_set), 0.0, changed, said)

    def _said_otherwise(self, forget_set: ForgetSet) -> dict[int, str]:
        before = [self._codebook_state.said[place] for place in self._spoken]
        again = partial(self._say_again, self._view)
        after = self._reached_speaking.after(forget_set, before, again)
        return {p: new for p, new, old in zip(self._spoken, after, before, strict=True) if new != old}

    def _say_again(self, view: View, places: list[int]) -> list[str]:
        return self._answer(view, [self._spoken[place] for place in places])


def _joined(topic: str, sets: Sequence[ForgetSet]) -> ForgetSet:
    """The codes of several sets as one."""
    whole = union(*sets)
    first = whole.sets[0]
    return ForgetSet(
        topic, whole.ids, first.fingerprint, preset=first.preset, num_codes=first.num_codes, seed=first.seed
    )


def searched(config: TofuConfig, questions: TofuQuestions) -> list[Author]:
    """Authors of any split, and those who are forgotten alone."""
    return questions.last(max(*config.splits.values(), config.singles))


def gold_name(split: str) -> str:
    """The stage of a split's gold model."""
    return f"tofu/gold-{split}"


def search_name(author: Author, seed: int) -> str:
    """The stage of the search for an author's codes."""
    return f"tofu/author-{author.key}/{seed}/search"


def single_name(author: Author, seed: int) -> str:
    """The stage of an author who is forgotten alone."""
    return f"tofu/author-{author.key}/{seed}/{FORGOTTEN}"


def split_name(split: str, seed: int, kind: str) -> str:
    """The stage of a split, or of its placebo."""
    return f"tofu/{split}/{seed}/{kind}"


def read_state_of(store: StageStore, stage: str) -> State:
    """What a finished stage of a model left."""
    return validated(State, store.result(stage), str(store.path(stage)))


def read_search(store: StageStore, stage: str) -> AuthorSearch:
    """What a finished search left."""
    return validated(AuthorSearch, store.result(stage), str(store.path(stage)))


@dataclass(frozen=True)
class TofuFound:
    """What a study found.

    Attributes:
        plain: the model without a codebook; ``codebook``, that with one and nothing deleted.
        gold: by split.
        splits: by split, seed and kind (`FORGOTTEN`, `PLACEBO`).
        singles: by the author's key and seed.
    """

    questions: TofuQuestions
    plain: State | None
    codebook: State | None
    gold: Mapping[str, State]
    splits: Mapping[tuple[str, int, str], Change]
    singles: Mapping[tuple[str, int], Change]


def read_found(config: ReproductionConfig, store: StageStore, finished: Callable[[str], bool]) -> TofuFound:
    """All that is finished.

    Args:
        finished: whether a stage is, by its name.
    """
    tofu, questions = config.tofu, TofuQuestions.read(config.tofu)

    def state(name: str) -> State | None:
        return read_state_of(store, name) if finished(name) else None

    def change(name: str) -> Change:
        return validated(Change, store.result(name), str(store.path(name)))

    keys = [(split, seed, kind) for split in tofu.splits for seed in config.seeds for kind in (FORGOTTEN, PLACEBO)]
    singles = [(author, seed) for author in questions.last(tofu.singles) for seed in config.seeds]
    gold = {split: state(gold_name(split)) for split in tofu.gold}
    return TofuFound(
        questions,
        state(PLAIN_MODEL),
        state(CODEBOOK_MODEL),
        {split: one for split, one in gold.items() if one is not None},
        {key: change(name) for key in keys if finished(name := split_name(*key))},
        {(a.key, seed): change(name) for a, seed in singles if finished(name := single_name(a, seed))},
    )
