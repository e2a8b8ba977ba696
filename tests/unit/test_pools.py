"""A sentence belongs to one pool, for ever and in every file."""

from __future__ import annotations

from itertools import chain

import pytest
from datasets import Dataset

from codeunlearn.corpus.pools import POOLS, normalise, pool_of, split_pools

SENTENCES = [f"Sentence number {i} is about a dog." for i in range(4000)]


def test_the_pools_are_disjoint_and_together_everything_in_order() -> None:
    pools = split_pools(Dataset.from_dict({"source": SENTENCES, "target": SENTENCES}))
    rows = {pool: list(pools[pool]["source"]) for pool in POOLS}
    assert sorted(chain.from_iterable(rows.values())) == sorted(SENTENCES)
    place = {sentence: i for i, sentence in enumerate(SENTENCES)}
    assert all(row == sorted(row, key=place.__getitem__) for row in rows.values())
    assert len(set().union(*rows.values())) == sum(map(len, rows.values()))


def test_the_shares_are_eighty_ten_ten() -> None:
    shares = {pool: sum(pool_of(s) == pool for s in SENTENCES) / len(SENTENCES) for pool in POOLS}
    assert shares == {
        "train": pytest.approx(0.8, abs=0.02),
        "validation": pytest.approx(0.1, abs=0.02),
        "test": pytest.approx(0.1, abs=0.02),
    }


@pytest.mark.parametrize(
    "variant", ["I LOVE you!", "  i love  you", "« I love you. »", "I\u00a0love you", "\uff29 love you"]
)
def test_spelling_variants_of_a_sentence_share_a_pool(variant: str) -> None:
    """Otherwise a near copy of a test sentence could be trained on."""
    assert normalise(variant) == "i love you"
    assert pool_of(variant) == pool_of("I love you.")


def test_different_words_are_different_sentences() -> None:
    assert normalise("I love you") != normalise("I loved you")
    assert normalise("Il a été là") != normalise("Il a ete la")


def test_a_sentence_keeps_its_pool_from_version_to_version() -> None:
    """Results are comparable only while these never change."""
    elsewhere = {2: "test", 14: "validation", 27: "test", 28: "test"}
    assert {i: pool_of(f"sentence {i}") for i in range(30)} == {i: elsewhere.get(i, "train") for i in range(30)}


def test_the_pool_does_not_depend_on_the_company() -> None:
    few = split_pools(Dataset.from_dict({"source": SENTENCES[5:50]}))
    many = split_pools(Dataset.from_dict({"source": SENTENCES[:500][::-1]}))
    assert all(set(few[pool]["source"]) <= set(many[pool]["source"]) for pool in POOLS)
