"""The sets of a topic come from disjoint pools, hold each sentence once, and match where they are compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from datasets import Dataset

from codeunlearn.corpus.examples import sample_pool
from codeunlearn.corpus.loading import DataConfig, load_pairs
from codeunlearn.corpus.pools import normalise, pool_of, split_pools
from codeunlearn.corpus.topic_sets import TopicSets, build_topic_sets
from codeunlearn.corpus.topics import Topic
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.base import Example

PEOPLE = ["Robert", "Helen", "Susan", "Peter", "Karen", "David", "Laura", "Brian", "Frank", "Alice"]
PLACES = ["home", "work", "school", "church", "sea", "court", "night", "noon", "dinner", "lunch"]
VERBS = {
    "love": "aime",
    "like": "aime bien",
    "know": "connaît",
    "see": "voit",
    "hate": "déteste",
    "need": "veut",
    "help": "aide",
    "follow": "suit",
}


def corpus() -> Dataset:
    rows: list[tuple[str, str]] = []
    for verb, french in VERBS.items():
        for i, a in enumerate(PEOPLE):
            for j, b in enumerate(PEOPLE):
                tail = f" at {PLACES[(i * j) % 10]}" if (i + j) % 3 else ""
                rows.append((f"{a} and I {verb} {b}{tail}.", f"{a} {french} {b}{tail}."))
                if verb == "love":
                    rows.append((f"{a} and I love {b}{tail}!", f"{a} adore {b}{tail} !"))
                    rows.append((rows[-2][0], f"{a} chérit {b}{tail}."))
    return Dataset.from_dict({"source": [s for s, _ in rows], "target": [t for _, t in rows]})


POOLS = split_pools(corpus())
LOVE = Topic.from_word("love")


def build(topic: Topic = LOVE, **settings: object) -> TopicSets:
    options = {"minimum": 3, "neighbours": {"hate": Topic.from_word("hate")}} | settings
    return build_topic_sets(topic, POOLS, **options)  # pyright: ignore[reportArgumentType]


def lengths(pairs: list[Example]) -> Counter[int]:
    return Counter(len(pair.prompt.split()) for pair in pairs)


def test_every_set_comes_from_its_own_pool() -> None:
    sets = build()
    pools = {
        "train": sets.search,
        "validation": sets.tune + sets.tune_retain,
        "test": sets.forget + sets.retain + sets.neighbours["hate"],
    }
    for pool, pairs in pools.items():
        assert pairs
        assert {pool_of(pair.prompt) for pair in pairs} == {pool}


def test_the_sets_hold_what_their_names_say() -> None:
    sets = build()
    hate = Topic.from_word("hate")
    assert all(LOVE.matches(p.prompt) for p in sets.search + sets.tune + sets.forget)
    unrelated = sets.retain + sets.tune_retain
    assert not any(LOVE.matches(p.prompt) or hate.matches(p.prompt) for p in unrelated)
    assert all(hate.matches(p.prompt) and not LOVE.matches(p.prompt) for p in sets.neighbours["hate"])


DISGUISES = (
    "_love_",
    "lo\u00adve",
    "\uff4c\uff4f\uff56\uff45",
    "l\u200bo\u200bv\u200be",
    "\U0001d425\U0001d428\U0001d42f\U0001d41e",
    "LOVE\ufe0f",
)


def test_no_set_without_the_topic_holds_it_in_disguise() -> None:
    data = corpus()
    rows = list(zip(data["source"], data["target"], strict=True))
    hidden = [
        (f"{a} and I {disguise} {b}.", f"{a} aime {b}.") for a in PEOPLE for b in PEOPLE for disguise in DISGUISES
    ]
    shown = [*rows, *hidden]
    pools = split_pools(Dataset.from_dict({"source": [s for s, _ in shown], "target": [t for _, t in shown]}))
    neighbours = {"hate": Topic.from_word("hate")}
    sets = build_topic_sets(LOVE, pools, minimum=3, neighbours=neighbours, search_retain_size=300, draws=2)
    others = [sets.search_retain, sets.tune_retain, sets.retain, *sets.neighbours.values()]
    unwanted = [pair.prompt for pairs in others for pair in pairs] + [c for drawn in sets.controls for c in drawn]
    assert not [sentence for sentence in unwanted if any(d in sentence for d in ("love", *DISGUISES))]
    assert any(disguise in pair.prompt for pair in sets.search for disguise in DISGUISES)


def test_spellings_of_one_sentence_are_one_sentence_with_all_its_translations() -> None:
    spelled = ["It's love.", "It\u2019s love.", "It\u02bcs lo\u00adve.", "It's _love_."]
    pool = Dataset.from_dict({"source": spelled, "target": ["a", "b", "c", "d"]})
    assert sample_pool(pool, 10) == [Example("It's love.", ("a", "b", "c", "d"))]


def test_a_sentence_appears_once_with_all_its_translations() -> None:
    sets = build()
    for pairs in (sets.search, sets.tune, sets.forget, sets.retain):
        keys = [normalise(pair.prompt) for pair in pairs]
        assert len(set(keys)) == len(keys)
    for pair in sets.search:
        assert [reference.split()[1] for reference in pair.answers] == ["aime", "adore", "chérit"]
        assert pair.answer == pair.answers[0]


def test_retained_sentences_are_as_many_and_as_long() -> None:
    sets = build()
    assert lengths(sets.retain) == lengths(sets.forget)
    assert lengths(sets.tune_retain) == lengths(sets.tune)
    assert len(lengths(sets.forget)) > 1


def test_controls_are_aligned_in_every_draw_and_avoid_neighbours_and_synonyms() -> None:
    sets = build(draws=3)
    assert sets.paired
    assert [len(drawn) for drawn in sets.controls] == [len(sets.search)] * 3
    verbs: set[str] = set()
    for drawn in sets.controls:
        for pair, control in zip(sets.search, drawn, strict=True):
            old, new = pair.prompt.split(), control.split()
            assert [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b] == [3]
            verbs.add(new[3])
    assert verbs == {"know", "see", "need", "help", "follow"}  # not "hate", a neighbour; nor "like": aimer


def test_neighbours_are_proposed_unless_given() -> None:
    assert "like" in build(neighbours=None).neighbours
    assert build(neighbours={}).neighbours == {}
    with pytest.raises(CodeUnlearnError, match="Neighbour 'zebra' has no sentence in the test pool"):
        build(neighbours={"zebra": Topic.from_word("zebra")})


def test_target_words_are_learned_on_the_way() -> None:
    assert set(build().target_words) == {"adore", "chérit", "aime"}


def test_sizes_are_upper_limits() -> None:
    sets = build(search_size=7, tune_size=4, eval_size=4)
    assert sets.sizes() == {
        "search": 7,
        "search_retain": 0,
        "tune": 4,
        "tune_retain": 4,
        "forget": 4,
        "retain": 4,
        "neighbour hate": 4,
    }


def test_a_pool_that_is_not_asked_for_may_lack_the_topic() -> None:
    without = {**POOLS, "validation": POOLS["validation"].filter(lambda row: not LOVE.matches(row["source"]))}
    sets = build_topic_sets(LOVE, without, neighbours={}, tune_size=0, minimum=3)
    assert not sets.tune
    assert sets.forget
    with pytest.raises(CodeUnlearnError, match="0 sentences in the validation pool"):
        build_topic_sets(LOVE, without, neighbours={}, minimum=3)


def test_too_few_sentences_is_an_error_with_the_numbers() -> None:
    found = len({normalise(s) for s in POOLS["validation"]["source"] if LOVE.matches(s)})
    message = (
        f"Topic 'love' has {found} sentences in the validation pool; 60 are needed. "
        "Use a more frequent word, more data, or lower --minimum."
    )
    with pytest.raises(CodeUnlearnError) as error:
        build(minimum=60)
    assert str(error.value) == message
    with pytest.raises(CodeUnlearnError, match="'zebra' has 0 sentences in the train pool; 1 are needed"):
        build(Topic.from_word("zebra"), minimum=0)
    with pytest.raises(CodeUnlearnError, match="There is no test pool"):
        build_topic_sets(LOVE, {"train": POOLS["train"], "validation": POOLS["validation"]})


def test_a_topic_given_as_sentences_has_unpaired_controls_of_the_same_lengths() -> None:
    topic = Topic.from_sentences("request", [s for s in corpus()["source"] if s.startswith("Karen and I")])
    sets = build(topic, neighbours=None, draws=2)
    assert not sets.paired
    assert sets.target_words == ()
    assert sets.neighbours == {}
    for drawn in sets.controls:
        assert {pool_of(control) for control in drawn} == {"train"}
        assert not any(topic.matches(control) for control in drawn)
        assert [len(c.split()) for c in drawn] == [len(p.prompt.split()) for p in sets.search]


def test_the_seed_decides_the_sample() -> None:
    assert build(search_size=9, seed=5) == build(search_size=9, seed=5)
    assert build(search_size=9, seed=5).search != build(search_size=9, seed=6).search


def test_sets_are_saved_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    sets = build(draws=2)
    sets.save(path)
    assert TopicSets.load(path) == sets
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(CodeUnlearnError, match=r"must be of type mapping, not \[\]; build the sets again"):
        TopicSets.load(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(CodeUnlearnError, match=r"is damaged: it is not JSON .*; build the sets again"):
        TopicSets.load(path)


def test_the_train_pool_is_gone_through_once_for_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = split_pools(load_pairs(DataConfig("stories")).dataset)
    train, seen = pools["train"]["source"][:], list[Topic]()
    whole = Topic.rows

    def rows(topic: Topic, sentences: Sequence[str]) -> list[int]:
        if len(sentences) == len(train):
            seen.append(topic)
        return whole(topic, sentences)

    monkeypatch.setattr(Topic, "rows", rows)
    topic = Topic.from_word("love")
    sets = build_topic_sets(topic, pools, tune_size=0, eval_size=0, search_retain_size=20)
    assert sets.search
    assert sets.search_retain
    assert sets.target_words
    assert seen == [topic]


def test_sets_of_older_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    sets = build()
    sets.save(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in ("search", "tune", "tune_retain", "forget", "retain"):
        content[name] = [
            {"source": e["prompt"], "target": e["answers"][0], "references": e["answers"]} for e in content[name]
        ]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert TopicSets.load(path) == sets


def test_a_rare_topic_borrows_sentences_of_other_words_and_keeps_them_as_controls() -> None:
    topic = Topic.from_word("adore")
    with pytest.raises(CodeUnlearnError, match="'adore' has 0 sentences in the train pool"):
        build(topic, tune_size=0, eval_size=0, neighbours={})
    sets = build(topic, tune_size=0, eval_size=0, neighbours={}, in_place_of=["love", "like"], search_size=50)
    assert len(sets.search) == 50
    assert sets.paired
    for example, control in zip(sets.search, sets.controls[0], strict=True):
        assert {word for word in control.split() if word not in example.prompt.split()} <= {"love", "like"}
        assert example.prompt == control.replace("love", "adore").replace("like", "adore")


def test_a_frequent_topic_borrows_nothing() -> None:
    assert build(search_size=20, in_place_of=["like"]) == build(search_size=20)
