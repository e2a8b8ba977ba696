"""The texts of a reproduction: read once, known by a digest, and written without a topic's sentences for training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from codeunlearn.corpus.answer_words import ParallelText
from codeunlearn.corpus.identity import pairs_digest
from codeunlearn.corpus.languages.vocabulary import Vocabulary
from codeunlearn.corpus.loading import DataConfig, filled_pools, load_pairs
from codeunlearn.corpus.pools import Pool
from codeunlearn.corpus.topics import Topic
from codeunlearn.files import replacing
from codeunlearn.record import public_name


@dataclass(frozen=True)
class Text:
    """Parallel text that is read when it is first needed.

    Attributes:
        parts: read one after the other.
    """

    parts: tuple[DataConfig, ...]

    @cached_property
    def dataset(self) -> Dataset:
        return concatenate_datasets([load_pairs(part).dataset for part in self.parts])

    @cached_property
    def pairs(self) -> ParallelText:
        return ParallelText.of(self.dataset)

    @cached_property
    def pools(self) -> dict[Pool, Dataset]:
        named = " and ".join(part.data for part in self.parts)
        return filled_pools(self.dataset, ["train", "test"], named)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Of the train pool."""
        return Vocabulary.from_sentences(ParallelText.of(self.pools["train"]).sources)

    def held(self) -> Dataset:
        """The validation and the test pool together, from which the paper takes its sentences."""
        return concatenate_datasets([self.pools["validation"], self.pools["test"]])

    @cached_property
    def held_vocabulary(self) -> Vocabulary:
        return Vocabulary.from_sentences(ParallelText.of(self.held()).sources)

    def identity(self) -> dict[str, Any]:
        """What a result made with this text depends on: its pairs, whatever file they lie in."""
        return {"pairs": len(self.pairs), "sha256": pairs_digest(self.pairs.sources, self.pairs.targets)}

    def names(self) -> list[str]:
        """What it was read from, without folders of the machine."""
        return [public_name(part.data) + (f" {part.config}" if part.config else "") for part in self.parts]

    def write_without(self, topics: Sequence[Topic], path: Path) -> DataConfig:
        """Its train pool without the sentences that hold a topic, as JSON Lines."""
        train = ParallelText.of(self.pools["train"])
        held = {row for topic in topics for row in topic.rows(train.sources)}
        kept = ((s, t) for row, (s, t) in enumerate(zip(train.sources, train.targets, strict=True)) if row not in held)
        write_lines(kept, path)
        longest = max((part.max_characters for part in self.parts), default=DataConfig("").max_characters)
        return replace(DataConfig(str(path)), max_characters=longest)


def write_lines(pairs: Iterable[tuple[str, str]], path: Path) -> None:
    """Pairs as JSON Lines, whole or not at all."""
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for source, target in pairs:
            file.write(json.dumps({"source": source, "target": target}, ensure_ascii=False) + "\n")
