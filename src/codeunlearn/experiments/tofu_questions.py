"""All that a TOFU study asks: the authors to forget, those to retain, and facts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.questions import Question, questions_digest, read_facts
from codeunlearn.experiments.tofu_answers import wrong_answers
from codeunlearn.experiments.tofu_authors import Author, read_authors
from codeunlearn.experiments.tofu_config import TofuConfig

RETAIN = "retain"


@dataclass(frozen=True)
class TofuQuestions:
    """See the module.

    Attributes:
        forget: authors, of whom the splits are the last ones.
        facts: by the name of their set.
    """

    forget: list[Author]
    retain: list[Author]
    facts: dict[str, list[Question]]

    @classmethod
    def read(cls, config: TofuConfig) -> TofuQuestions:
        """All of a configuration.

        Raises:
            CodeUnlearnError: a file cannot be read or holds something else, or there are too few authors.
        """
        assert config.forget is not None
        assert config.retain is not None
        forget, retain = read_authors(Path(config.forget)), read_authors(Path(config.retain))
        keys = [author.key for author in (*forget, *retain)]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise CodeUnlearnError(f"The author {twice} is in {config.forget} and in {config.retain}; leave one out.")
        if (most := max(*config.splits.values(), config.singles)) > len(forget):
            raise CodeUnlearnError(f"{config.forget} has {len(forget)} authors; tofu: splits or singles wants {most}.")
        if len(retain) < 2:
            raise CodeUnlearnError(
                f"{config.retain} has one author, so there are no others to compare with; give more."
            )
        return cls(forget, retain, {one.name: read_facts(one) for one in config.facts})

    @cached_property
    def every(self) -> list[Question]:
        """In the order in which answers are kept; those on authors have wrong answers of ours."""
        asked = [
            Question(row.question, row.answer, wrong_answers(author, row, self.retain), subject=author.key)
            for author in (*self.forget, *self.retain)
            for row in author.rows
        ]
        return [*asked, *(question for asked_set in self.facts.values() for question in asked_set)]

    @cached_property
    def identity(self) -> str:
        """A digest, on which results depend."""
        return questions_digest(self.every)

    def places(self, authors: Sequence[Author]) -> list[int]:
        """Where the questions on these authors are in `every`."""
        keys = {author.key for author in authors}
        return [place for place, one in enumerate(self.every) if one.subject in keys]

    def kept(self) -> dict[str, list[int]]:
        """Places of what is to stay, by set: `RETAIN`, and the facts."""
        start = sum(len(author.rows) for author in (*self.forget, *self.retain))
        found = {RETAIN: self.places(self.retain)}
        for name, asked in self.facts.items():
            found[name] = list(range(start, start + len(asked)))
            start += len(asked)
        return found

    def spoken(self, config: TofuConfig, seed: int) -> dict[str, list[int]]:
        """Places that are also answered freely, by split and by set of what is to stay: a random part of each."""
        sets = {name: self.places(self.last(number)) for name, number in config.splits.items()} | self.kept()
        return {
            name: sorted(random.Random(f"{seed} {name}").sample(places, min(config.answered, len(places))))
            for name, places in sets.items()
        }

    def last(self, number: int) -> list[Author]:
        """The last authors of those to forget."""
        return self.forget[len(self.forget) - number :]
