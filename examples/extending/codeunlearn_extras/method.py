"""A method without codes: the topic's words are kept from the output, and nothing is forgotten behind it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.evaluation.systems import System
from codeunlearn.methods.base import METHODS
from codeunlearn.tasks.base import Task, View


@METHODS.register("silence")
@dataclass(frozen=True)
class Silence:
    """Tokens with which a word of the topic begins get no probability."""

    name: ClassVar[str] = "silence"

    def forget(self, base: System, sets: TopicSets, task: Task, *, seed: int = 0) -> System:
        @contextmanager
        def silent() -> Generator[View]:
            with base.open() as view:
                ids = [view.tokenizer(word, add_special_tokens=False).input_ids[0] for word in sets.target_words]

                def mute(_module: Any, _inputs: Any, logits: torch.Tensor) -> torch.Tensor:
                    return logits.index_fill(-1, torch.tensor(ids, device=logits.device), -1e4)

                handle = view.model.get_output_embeddings().register_forward_hook(mute)
                try:
                    yield view
                finally:
                    handle.remove()

        return System(self.name, "after", silent)
