"""The stages of a study of knowledge: what a saved language model finds for questions and text, before and after forgetting.

The model is asked everything once. After a deletion only what it can reach is asked again: rows of which a token, of the
prompt or of the answer, selects a deleted code.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from codeunlearn.evaluation.reached import Reached
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.models import Models, saved_identity
from codeunlearn.experiments.questions import Answered, Questions, ask, ask_rows, changed_answers, rows_of
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.experiments.units import TopicStages, Unit, units
from codeunlearn.tasks.base import View, task_of
from codeunlearn.unlearning import ForgetSet, make_recipe
from codeunlearn.validation import validated

PLAIN_MODEL, CODEBOOK_MODEL = "knowledge/plain", "knowledge/codebook"
"""Stages of the model without a codebook, and of that with one and nothing deleted."""


@dataclass(frozen=True)
class Forgotten:
    """One topic with one seed.

    Attributes:
        forget_set: what was found.
        seconds: of the search.
        sentences: with the topic, on which it was found.
        changed: by the question's place, what is found for it afterwards.
    """

    forget_set: dict[str, Any]
    seconds: float
    sentences: int
    changed: dict[int, Answered]

    def after(self, before: Sequence[Answered]) -> list[Answered]:
        """All answers, those that did not change as they were."""
        return [self.changed.get(place, one) for place, one in enumerate(before)]


class KnowledgeStages:
    """The stages of all topics.

    Args:
        topics: makes and reads their sentences.
    """

    def __init__(self, config: ReproductionConfig, models: Models, topics: TopicStages, store: StageStore) -> None:
        self.config, self.models, self.topics, self.store = config, models, topics, store

    @cached_property
    def questions(self) -> Questions:
        return Questions.read(self.config.knowledge)

    def stages(self, model_seed: int) -> list[Stage]:
        """Of the one saved model, whatever the seed."""
        identity, asked = self.topics.text.identity(), {"questions": self.questions.identity()}
        joint, plain = f"joint-{model_seed}", saved_identity(self.config.knowledge.plain)
        before = [
            Stage(PLAIN_MODEL, {**asked, **plain}, (joint,), lambda: self._asked(plain=True)),
            Stage(CODEBOOK_MODEL, asked, (joint,), lambda: self._asked(plain=False)),
        ]
        return before + [
            stage for unit in units(self.config) for stage in (self.topics.sets(unit, identity), self._forgotten(unit))
        ]

    def _asked(self, *, plain: bool) -> dict[str, Any]:
        view = self._plain() if plain else self._view
        return {"answered": ask(task_of(view.model), view, self.questions.every())}

    @property
    def _view(self) -> View:
        return View(*self.models.open(self._joint))

    @property
    def _joint(self) -> str:
        return f"joint-{self.config.model_seed(self.config.seeds[0])}"

    def _plain(self) -> View:
        return View(*self.models.open_plain(self.config.knowledge.plain, self._joint, "knowledge: plain"))

    @cached_property
    def _rows(self) -> list[tuple[str, str]]:
        return rows_of(self.questions.every())

    @cached_property
    def _reached(self) -> Reached:
        prompts, answers = ([row[side] for row in self._rows] for side in (0, 1))
        return Reached(self._view, prompts, answers)

    def _forgotten(self, unit: Unit) -> Stage:
        preset = self.config.search.preset

        def make() -> dict[str, Any]:
            sets, view = self.topics.read_sets(unit), self._view
            began = time.perf_counter()
            found = make_recipe(preset).search(view.model, view.tokenizer, sets, seed=unit.seed).forget_set
            seconds = time.perf_counter() - began
            changed = self._changed(found)
            return asdict(Forgotten(found.to_dict(), seconds, len(sets.search), changed))

        settings = {"preset": preset, "seed": unit.seed, "questions": self.questions.identity()}
        return Stage(forgotten_name(unit), settings, (unit.sets, CODEBOOK_MODEL), make)

    def _changed(self, forget_set: ForgetSet) -> dict[int, Answered]:
        before, task = self.store.result(CODEBOOK_MODEL)["answered"], task_of(self._view.model)
        flat = [row for one in before for row in one]

        def again(places: list[int]) -> list[list[float]]:
            return ask_rows(task, self._view, [self._rows[place] for place in places])

        return changed_answers(before, self._reached.after(forget_set, flat, again))


def forgotten_name(unit: Unit) -> str:
    """The stage of a unit."""
    return f"{unit.name}/knowledge"


def read_forgotten(content: Any, where: str) -> Forgotten:
    """A finished stage.

    Raises:
        CodeUnlearnError: it holds something else.
    """
    return validated(Forgotten, content, where)
