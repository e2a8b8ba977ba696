"""What a model still holds of a topic: how probable it finds the topic's words in the right answers, or what it said itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeunlearn.corpus.matching import WholeWords
from codeunlearn.tasks.base import Task, View
from codeunlearn.tasks.forced import ForcedTokens
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.unlearning.evidence.statistics import FloatArray

OWN_TOKENS = 12
"""Tokens of what a model says by itself."""


@dataclass(frozen=True)
class Probes:
    """Prompts with their right answers, under forced decoding.

    Attributes:
        words: whose tokens in the answers count; all tokens where there are no words.
    """

    task: Task
    prompts: Sequence[str]
    answers: Sequence[str]
    words: Sequence[str] = ()

    @classmethod
    def with_words(cls, task: Task, prompts: Sequence[str], answers: Sequence[str], words: Sequence[str]) -> Probes:
        """Only those whose answer holds one of the words; all of them without words."""
        holds = WholeWords(words)
        kept = [i for i, answer in enumerate(answers) if not words or holds(answer)]
        return cls(task, [prompts[i] for i in kept], [answers[i] for i in kept], words)

    def instead(self, prompts: Sequence[str]) -> Probes:
        """The same answers behind other prompts."""
        return Probes(self.task, prompts, self.answers, self.words)

    @classmethod
    def own(cls, task: Task, model: Any, tokenizer: Any, prompts: Sequence[str]) -> Probes:
        """What the model, as it stands, says to these prompts by itself; those to which it says nothing are left out."""
        how = DecodingConfig(max_new_tokens=OWN_TOKENS)
        said = task.answer(View(model, tokenizer), prompts, how).texts
        kept = [i for i, answer in enumerate(said) if answer]
        return cls(task, [prompts[i] for i in kept], [said[i] for i in kept])

    def log_probability(self, model: Any, tokenizer: Any) -> float:
        """Mean over the tokens of all answers, as the model stands."""
        forced = self.task.forced(View(model, tokenizer), self.prompts, self.answers)
        return float(np.concatenate([one.log_probabilities for one in forced]).mean())

    def probability(self, model: Any, tokenizer: Any) -> float:
        """Mean over all tokens that count, as the model stands."""
        forced = self.task.forced(View(model, tokenizer), self.prompts, self.answers, with_spans=bool(self.words))
        of_tokens = [np.exp(self._counted(*pair)) for pair in zip(self.answers, forced, strict=True)]
        return float(np.concatenate(of_tokens).mean()) if of_tokens else 0.0

    def _counted(self, answer: str, forced: ForcedTokens) -> FloatArray:
        if not self.words:
            return forced.log_probabilities
        spans = WholeWords(self.words).spans(answer)
        inside = [any(a < end and start < b for start, end in spans) for a, b in forced.spans]
        return forced.log_probabilities[np.array(inside, bool)]
