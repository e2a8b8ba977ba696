"""The same prompts under one forget set after another, asked again only where a deletion can reach them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from codeunlearn.codebook import DeletionMode, require_bottleneck
from codeunlearn.codebook.prompts import goes_on
from codeunlearn.tasks.base import View
from codeunlearn.unlearning import CodeReader, ForgetSet, forgetting
from codeunlearn.unlearning.evidence.code_lists import CodeLists

_T = TypeVar("_T")


class Reached:
    """What a model says or finds probable for fixed prompts, before and after deletions.

    Behind the bottleneck a prompt is known by the codes that its tokens select. If none of these is deleted, nothing
    changes for it in any deletion mode, and what was found before is kept. A model that goes on with its prompt reads its
    answer through the bottleneck too: there the answers must be known. Where they are not, and where a model has forgotten
    something already, everything is asked again.

    Args:
        view: the model as it stands before.
        prompts: in any number.
        answers: by prompt, the answer that is forced; None where the model answers by itself.
    """

    def __init__(self, view: View, prompts: Sequence[str], answers: Sequence[str] | None = None) -> None:
        self._model, self.prompts = view.model, list(prompts)
        bottleneck, follows = require_bottleneck(view.model), goes_on(view.model)
        self._codes: CodeLists | None = None
        if self.prompts and not bottleneck.codebook.deleted.any() and not (follows and answers is None):
            reader = CodeReader(view.model, view.tokenizer, bottleneck.config.top_s)
            read = reader.read(self.prompts, answers if follows else None)
            # Without the tokens' states, which weigh much more and are not asked for.
            self._codes = CodeLists(read.ids, read.sentence, read.token_ids, read.sentences, read.num_codes)

    def after(
        self,
        forget_set: ForgetSet,
        before: Sequence[_T],
        ask: Callable[[list[int]], Sequence[_T]],
        mode: DeletionMode | None = None,
    ) -> list[_T]:
        """What ``ask`` finds with the set forgotten, by prompt; that of before for an empty set.

        Args:
            before: what it found for all prompts before.
            ask: from places of prompts to what is found for them.
        """
        found = list(before)
        touched = self.touched(forget_set).tolist() if forget_set.ids else []
        if touched:
            with forgetting(self._model, forget_set, mode=mode):
                again = ask(touched)
            for place, one in zip(touched, again, strict=True):
                found[place] = one
        return found

    def touched(self, forget_set: ForgetSet) -> NDArray[np.int64]:
        """Places of the prompts with a token that selects a code of the set, ascending."""
        if self._codes is None:
            return np.arange(len(self.prompts))
        code_ids = require_bottleneck(self._model).codebook.code_ids.cpu().numpy()
        rows = np.flatnonzero(np.isin(code_ids, forget_set.ids))
        return np.unique(self._codes.sentence[np.isin(self._codes.ids, rows).any(1)])
