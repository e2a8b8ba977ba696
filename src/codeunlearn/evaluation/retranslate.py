"""The same sentences under one forget set after another, translated again only where a deletion can reach them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeunlearn.codebook import DeletionMode, require_bottleneck
from codeunlearn.evaluation.protocol import Translator
from codeunlearn.unlearning import CodeReader, ForgetSet, forgetting
from codeunlearn.unlearning.evidence.code_lists import CodeLists


class Retranslator:
    """Translations of fixed sentences by one model, before and after deletions.

    Behind the bottleneck a sentence is known by the codes that its tokens select. If none of these is deleted, nothing
    changes for it in any deletion mode, and the translation from before is kept. A model that has forgotten something
    already is translated with as a whole.

    Args:
        translator: translates with ``model`` as it stands.
        sentences: source sentences, in any number.
        before: their translations with nothing more deleted; made here unless given.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        translator: Translator,
        sentences: Sequence[str],
        before: Sequence[str] | None = None,
    ) -> None:
        self._model, self._translator, self._sentences = model, translator, list(sentences)
        self.before = translator(self._sentences) if before is None else list(before)
        bottleneck = require_bottleneck(model)
        self._codes: CodeLists | None = None
        if self._sentences and not bottleneck.codebook.deleted.any():
            reader = CodeReader(model, tokenizer, bottleneck.config.top_s)
            self._codes = CodeLists.read(reader, self._sentences, bottleneck.codebook.num_codes)

    def after(self, forget_set: ForgetSet, mode: DeletionMode | None = None) -> list[str]:
        """Translations with the set forgotten, which are those of before for an empty one; the model is as before afterwards."""
        texts = list(self.before)
        if not forget_set.ids:
            return texts
        touched = self.touched(forget_set).tolist()
        with forgetting(self._model, forget_set, mode=mode):
            again = self._translator([self._sentences[i] for i in touched]) if touched else []
        for i, text in zip(touched, again, strict=True):
            texts[i] = text
        return texts

    def touched(self, forget_set: ForgetSet) -> NDArray[np.int64]:
        """Places of the sentences with a token that selects a code of the set, ascending."""
        if self._codes is None:
            return np.arange(len(self._sentences))
        code_ids = require_bottleneck(self._model).codebook.code_ids.cpu().numpy()
        rows = np.flatnonzero(np.isin(code_ids, forget_set.ids))
        return np.unique(self._codes.sentence[np.isin(self._codes.ids, rows).any(1)])
