"""TOFU's measures (Maini et al. 2024) of what a model was found to know; shares from 0 to 1.

Definitions are those of `codeunlearn.evaluation.metrics.answers`, and of forget quality and model utility those of
OpenUnlearning (``ks_test``, ``hm_aggregate``). An answer is kept as its summed log probability and its tokens, the end mark
behind a reply among them. A truth ratio has the right answer where TOFU has a paraphrase of it, which our part of TOFU lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hmean, ks_2samp

from codeunlearn.evaluation.metrics.answers import rouge_l_recalls
from codeunlearn.experiments.questions import Answered
from codeunlearn.experiments.tofu import State
from codeunlearn.experiments.tofu_config import TofuConfig
from codeunlearn.experiments.tofu_questions import RETAIN, TofuQuestions

Floats = NDArray[np.float64]
_TINY = 1e-10


@dataclass(frozen=True)
class Measures:
    """Measures of any state on one study's questions.

    Attributes:
        seed: with which the questions that are answered freely were drawn.
    """

    questions: TofuQuestions
    config: TofuConfig
    seed: int

    def split(self, name: str) -> list[int]:
        """Places of the questions on a split's authors."""
        return self.questions.places(self.questions.last(self.config.splits[name]))

    def probability(self, state: State, places: Sequence[int]) -> float:
        """Mean probability of the right answers, each normalised for its length."""
        return float(np.mean(_right([state.answered[place] for place in places])))

    def truth_ratio(self, state: State, places: Sequence[int]) -> float:
        """How near truth ratios are to 1, min(r, 1/r): high is as if the model had never been told."""
        ratios = truth_ratios([state.answered[place] for place in places])
        return float(np.mean(np.minimum(ratios, 1 / (ratios + _TINY))))

    def forget_quality(self, state: State, gold: State, places: Sequence[int]) -> float:
        """p-value of a Kolmogorov-Smirnov test that both models' truth ratios are alike: high is forgotten."""
        own, other = (truth_ratios([one.answered[place] for place in places]) for one in (state, gold))
        found: Any = ks_2samp(own, other)
        return float(found.pvalue)

    def rouge(self, state: State, name: str) -> float:
        """ROUGE-L recall of the free answers, of a split or of a set that is to stay."""
        places = self._spoken[name]
        return float(np.mean([_recall(state.said[place], self.questions.every[place].answer) for place in places]))

    def utility(self, state: State) -> float:
        """Harmonic mean of probability, ROUGE-L recall and truth ratio on all that is to stay: TOFU's nine numbers.

        On facts the probability is that among the answers to choose from; a truth ratio r counts as 1 - r, or 0.
        """
        found: list[float] = []
        for name, places in self.questions.kept().items():
            answered = [state.answered[place] for place in places]
            chosen = _right(answered) if name == RETAIN else _among_options(answered)
            truth = np.maximum(0, 1 - truth_ratios(answered))
            found += [float(np.mean(chosen)), self.rouge(state, name), float(np.mean(truth))]
        return float(hmean(found)) if min(found) > 0 else 0.0

    @cached_property
    def _spoken(self) -> dict[str, list[int]]:
        return self.questions.spoken(self.config, self.seed)


def truth_ratios(answered: Sequence[Answered]) -> Floats:
    """By question, exp of the mean of the wrong answers' mean log probabilities, over the right one's probability.

    Questions without a wrong answer are left out.
    """
    means = [np.mean([_mean(row) for row in wrong]) for _, *wrong in answered if wrong]
    return np.exp(np.array(means)) / (_right([one for one in answered if len(one) > 1]) + _TINY)


@cache
def _recall(said: str, right: str) -> float:
    """ROUGE-L recall of one answer; most of them are the same before and after."""
    return rouge_l_recalls([said], [[right]])[0]


def _right(answered: Sequence[Answered]) -> Floats:
    return np.exp([_mean(one[0]) for one in answered])


def _among_options(answered: Sequence[Answered]) -> Floats:
    wrong = np.array([sum(np.exp(_mean(row)) for row in one[1:]) for one in answered])
    right = _right(answered)
    return right / (right + wrong + _TINY)


def _mean(row: Sequence[float]) -> float:
    """Mean log probability of an answer's tokens; none is sure not to be said."""
    total, tokens = row
    return total / tokens if tokens else -np.inf
