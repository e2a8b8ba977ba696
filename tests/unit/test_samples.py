"""The texts in the package: the pairs that they were made of, with their topics, pools and terms."""

from __future__ import annotations

from collections import Counter

import pytest

from codeunlearn.corpus.identity import pairs_digest
from codeunlearn.corpus.loading import load_pairs
from codeunlearn.corpus.pools import POOLS, normalise, pool_of
from codeunlearn.corpus.samples import FOLDER, SAMPLES, planted_topics
from codeunlearn.corpus.topics import Topic

# The digest of the stories is that of the grammar's own output.
DIGESTS = {
    "stories": "e82768f717e1a0573a14572e83849910def620a038641599f1a18743295f6ee4",
    "tatoeba": "8ac19c6da8901828137e0c56e147793550c2acfecc6510491c095d1fc9e48d38",
}
TOPICS = ("love", "Boston", "dog", "music", "wine", "doctor", "teacher", "happy")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_holds_the_pairs_that_results_were_made_with(name: str) -> None:
    dataset = load_pairs(name).dataset
    assert pairs_digest(dataset["source"], dataset["target"]) == DIGESTS[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_has_clean_pairs_and_says_its_terms(name: str) -> None:
    sample = SAMPLES[name]
    assert all(side and side == side.strip() and "\t" not in side for pair in sample.pairs() for side in pair)
    about = (FOLDER / sample.about).read_text(encoding="utf-8")
    assert sample.file in about
    assert f"{len(sample.pairs()):,}" in about
    assert "Terms" in about


def test_topics_of_the_real_text_have_enough_sentences_as_its_description_counts_them() -> None:
    about = " ".join((FOLDER / SAMPLES["tatoeba"].about).read_text(encoding="utf-8").split())
    sources = [source for source, _ in SAMPLES["tatoeba"].pairs()]
    for topic in map(Topic.from_word, TOPICS):
        counts = Counter(pool_of(sources[row]) for row in topic.rows(sources))
        assert counts["train"] > 170
        assert counts["test"] > 20
        first = topic.rows(sources[: len(sources) // 2])
        assert 0.4 < len(first) / counts.total() < 0.6, "the first lines are a random part"
        assert f"{topic.name} " + " ".join(f"{counts[pool]:,}" for pool in POOLS) in about


def test_no_test_sentence_of_the_real_text_reads_like_a_train_sentence() -> None:
    pools = {pool: set[str]() for pool in POOLS}
    for source, _ in SAMPLES["tatoeba"].pairs():
        pools[pool_of(source)].add(normalise(source))
    assert not pools["train"] & pools["test"]
    assert min(map(len, pools.values())) > 1000


def test_planted_topics_are_in_the_sentences_that_their_forms_say() -> None:
    pairs, topics = SAMPLES["stories"].pairs(), planted_topics()
    for name, topic in topics.items():
        rows = Topic.from_forms(name, topic.forms).rows([source for source, _ in pairs])
        assert len(rows) == topic.sentences >= 350
        translated = Topic.from_forms(name, topic.target_forms).rows([pairs[row][1] for row in rows])
        assert len(translated) == len(rows)
        assert set(topic.neighbours) < topics.keys()
