"""A block takes back its own part and nothing else, in whatever order blocks end; what happens inside one lasts."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from codeunlearn.codebook import BottleneckConfig, ConceptBottleneck, DeletionMode, identify, load_model, model_identity
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.unlearning import ForgetSet, commit, forget, forgetting, restore, set_deletion_mode, undeleted

K, S = 20, 3


def make() -> ConceptBottleneck:
    """A bottleneck alone: all that forgetting needs of a model."""
    torch.manual_seed(0)
    return ConceptBottleneck(BottleneckConfig(d_model=4, num_codes=K, code_dim=4, top_s=S))


@pytest.fixture
def model() -> ConceptBottleneck:
    return make()


def set_of(model: Any, topic: str, *ids: int) -> ForgetSet:
    return ForgetSet(topic, ids, model_identity(model), preset="paper", s_prime=8)


def deleted(model: Any) -> set[int]:
    codebook = model.codebook if isinstance(model, ConceptBottleneck) else model.bottleneck.codebook
    return set(codebook.code_ids[codebook.deleted].tolist())


def topics(model: ConceptBottleneck) -> list[str]:
    return [entry["topic"] for entry in model.config.ledger]


@pytest.mark.parametrize("first", [0, 1])
def test_blocks_that_overlap_without_nesting_end_apart(model: ConceptBottleneck, first: int) -> None:
    forget(model, set_of(model, "sea", 9))
    blocks = [
        forgetting(model, set_of(model, "love", 1, 2)),
        forgetting(model, set_of(model, "dog", 2, 3), mode="drop"),
    ]
    for block in blocks:
        block.__enter__()
    assert deleted(model) == {1, 2, 3, 9}
    blocks[first].__exit__(None, None, None)
    assert deleted(model) == ({2, 3, 9}, {1, 2, 9})[first]
    assert model.codebook.mode == ("drop", "refill")[first]
    blocks[1 - first].__exit__(None, None, None)
    assert deleted(model) == {9}
    assert (model.codebook.mode, model.config.deletion_mode, topics(model)) == ("refill", "refill", ["sea"])


def test_a_thread_that_ends_its_block_leaves_the_blocks_of_others(model: ConceptBottleneck) -> None:
    love, dog = set_of(model, "love", 1, 2), set_of(model, "dog", 2, 3)
    both_in, first_out, seen = threading.Barrier(2, timeout=20), threading.Event(), dict[str, set[int]]()

    def run(forget_set: ForgetSet, ends_first: bool) -> None:
        with forgetting(model, forget_set):
            both_in.wait()
            if not ends_first:
                assert first_out.wait(20)
            seen[forget_set.topic] = deleted(model)
        if ends_first:
            first_out.set()

    threads = [threading.Thread(target=run, args=(love, True)), threading.Thread(target=run, args=(dog, False))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen["dog"] == {2, 3}
    assert seen["love"] >= {1, 2}
    assert deleted(model) == set()


def test_tasks_that_overlap_keep_their_own_deletions(model: ConceptBottleneck) -> None:
    sets = [set_of(model, f"topic {i}", i, i + 1) for i in range(8)]

    async def run(forget_set: ForgetSet, steps: int) -> None:
        with forgetting(model, forget_set):
            for _ in range(steps):
                await asyncio.sleep(0)
                assert set(forget_set.ids) <= deleted(model)

    async def all_of_them() -> None:
        await asyncio.gather(*(run(forget_set, 7 * i % 5 + 1) for i, forget_set in enumerate(sets)))

    asyncio.run(all_of_them())
    assert deleted(model) == set()
    assert topics(model) == []


def test_a_block_that_a_generator_holds_ends_with_it(model: ConceptBottleneck) -> None:
    def held() -> Generator[None]:
        with forgetting(model, set_of(model, "love", 1)):
            yield

    one = held()
    next(one)
    with forgetting(model, set_of(model, "dog", 2)):
        one.close()
        assert deleted(model) == {2}
    assert deleted(model) == set()


def test_an_error_in_one_of_two_blocks_ends_that_one(model: ConceptBottleneck) -> None:
    with forgetting(model, set_of(model, "love", 1)):
        with pytest.raises(KeyError), forgetting(model, set_of(model, "dog", 2)):
            raise KeyError
        assert deleted(model) == {1}


def test_undeleted_and_then_forgetting_deletes_exactly_the_set(model: ConceptBottleneck) -> None:
    love = set_of(model, "love", 1, 2)
    forget(model, love, set_of(model, "dog", 2, 3))
    with undeleted(model), forgetting(model, love):
        assert deleted(model) == {1, 2}
        assert topics(model) == ["love"]
    with forgetting(model, set_of(model, "sea", 9)), undeleted(model):
        assert deleted(model) == set()
    assert deleted(model) == {1, 2, 3}


def test_a_topic_can_be_undeleted_alone(model: ConceptBottleneck) -> None:
    love = set_of(model, "love", 1, 2)
    forget(model, love, set_of(model, "dog", 2, 3))
    for topic in ("love", love):
        with undeleted(model, topic):
            assert deleted(model) == {2, 3}
            assert topics(model) == ["dog"]
    with undeleted(model, "sea"):
        assert deleted(model) == {1, 2, 3}


def test_what_is_forgotten_or_restored_inside_a_block_lasts(model: ConceptBottleneck) -> None:
    forget(model, set_of(model, "dog", 2, 3))
    with forgetting(model, set_of(model, "love", 1, 2)):
        assert forget(model, set_of(model, "sea", 9)) == 1
        assert restore(model, "dog") == 1
        assert deleted(model) == {1, 2, 9}
    assert deleted(model) == {9}
    assert topics(model) == ["sea"]


def test_a_topic_forgotten_inside_its_own_block_stays_forgotten(model: ConceptBottleneck) -> None:
    love = set_of(model, "love", 1, 2)
    with forgetting(model, love):
        assert forget(model, love) == 0
    assert deleted(model) == {1, 2}
    with forgetting(model, love):
        assert restore(model, "love") == 0
        assert deleted(model) == {1, 2}
    assert deleted(model) == set()


def test_the_mode_is_that_of_the_last_block_that_has_one(model: ConceptBottleneck) -> None:
    love = set_of(model, "love", 1)
    with forgetting(model, love, mode="drop"):
        with forgetting(model, love), forgetting(model, love, mode="anchor"):
            assert model.codebook.mode == model.config.deletion_mode == "anchor"
        assert model.codebook.mode == "drop"
        set_deletion_mode(model, "anchor")
        assert model.codebook.mode == "drop"
    assert model.codebook.mode == model.config.deletion_mode == "anchor"


@pytest.mark.parametrize("block", [undeleted, lambda model: forgetting(model, set_of(model, "love", 1))])
def test_a_commit_inside_a_block_is_refused_before_anything_happens(model: ConceptBottleneck, block: Any) -> None:
    forget(model, set_of(model, "dog", 2))
    with block(model), pytest.raises(CodeUnlearnError, match="cannot be undone"):
        commit(model)
    assert model.codebook.num_codes == K
    assert deleted(model) == {2}
    assert model.config.origin is None


def test_a_copy_made_inside_a_block_has_forgotten_for_good(model: ConceptBottleneck) -> None:
    with forgetting(model, set_of(model, "love", 1)):
        twin = copy.deepcopy(model)
    assert deleted(model) == set()
    assert deleted(twin) == {1}
    assert topics(twin) == ["love"]
    with forgetting(twin, set_of(twin, "dog", 2)):
        assert deleted(twin) == {1, 2}
    assert deleted(twin) == {1}
    assert restore(twin) == 1


@pytest.mark.parametrize("inside", ["forgetting", "undeleted"])
def test_what_is_saved_inside_a_block_opens_as_it_was_seen(tiny_model: Any, tmp_path: Path, inside: str) -> None:
    forget(tiny_model, set_of(tiny_model, "dog", 2))
    block = undeleted(tiny_model) if inside == "undeleted" else forgetting(tiny_model, set_of(tiny_model, "love", 1))
    with block:
        tiny_model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert deleted(loaded) == (set() if inside == "undeleted" else {1, 2})
    assert [entry["topic"] for entry in loaded.config.bottleneck.ledger] == (
        [] if inside == "undeleted" else ["dog", "love"]
    )


@pytest.mark.parametrize(
    ("ids", "mode", "said"),
    [
        ((), "refill", "holds no codes"),
        (range(K), "refill", "Only 0 of 20"),
        (range(K), "drop", "Only 0 of 20"),
        (range(S - 1, K), "refill", "Only 1 of 20 .* S = 3"),
        ((1, K), "refill", "names code 20 and the codebook has 20"),
    ],
)
def test_sets_that_cannot_be_meant_are_refused_before_anything_happens(
    model: ConceptBottleneck, ids: Any, mode: DeletionMode, said: str
) -> None:
    bad, good = set_of(model, "all", *ids), set_of(model, "love", 1)
    with pytest.raises(CodeUnlearnError, match=said), forgetting(model, good, bad, mode=mode):
        pass
    set_deletion_mode(model, mode)
    with pytest.raises(CodeUnlearnError, match=said):
        forget(model, good, bad)
    assert deleted(model) == set()
    assert topics(model) == []


def test_a_mode_that_needs_more_codes_than_are_left_is_refused(model: ConceptBottleneck) -> None:
    set_deletion_mode(model, "drop")
    forget(model, set_of(model, "most", *range(1, K)))
    with pytest.raises(CodeUnlearnError, match="Only 1 of 20"):
        set_deletion_mode(model, "refill")
    with (
        pytest.raises(CodeUnlearnError, match="Only 1 of 20"),
        forgetting(model, set_of(model, "love", 1), mode="refill"),
    ):
        pass
    assert model.codebook.mode == "drop"
    assert restore(model) == K - 1


def test_codes_masked_by_hand_stay_so_until_everything_is_taken_back(model: ConceptBottleneck) -> None:
    model.codebook.deleted[7] = True
    forget(model, set_of(model, "love", 1))
    with forgetting(model, set_of(model, "dog", 7, 8)):
        assert deleted(model) == {1, 7, 8}
    with undeleted(model):
        assert deleted(model) == set()
    assert restore(model, "love") == 1
    assert deleted(model) == {7}
    assert restore(model) == 1
    assert deleted(model) == set()


def test_deletions_work_in_and_out_of_inference_mode(model: ConceptBottleneck) -> None:
    with torch.inference_mode():
        twin = copy.deepcopy(model)
        forget(twin, set_of(twin, "love", 1))
    for one in (model, twin):
        with torch.inference_mode():
            forget(one, set_of(one, "dog", 2))
        assert restore(one, "dog") == 1
        with forgetting(one, set_of(one, "sea", 9)):
            assert 9 in deleted(one)
    assert (deleted(model), deleted(twin)) == (set(), {1})


def test_an_identity_that_is_handed_in_stands_for_the_model(model: ConceptBottleneck) -> None:
    love, identity = set_of(model, "love", 1), identify(model)
    with torch.no_grad():
        model.codebook.weight.add_(1)
    with forgetting(model, love, identity=identity):
        assert deleted(model) == {1}
    with pytest.raises(CodeUnlearnError, match="was made for the model"), forgetting(model, love):
        pass
    with pytest.raises(CodeUnlearnError, match="was made for the model"):
        forget(model, set_of(model, "love", 1), identity=identity)


CODES = {"love": {1, 2, 3}, "dog": {3, 4}, "sea": {5}, "all of them": {1, 2, 3, 4, 5}}
TOPIC = st.sampled_from(sorted(CODES))


class Blocks(RuleBasedStateMachine):
    """Any order of opening, closing, forgetting and restoring, against the definition on sets of topics."""

    def __init__(self) -> None:
        super().__init__()
        self.model = make()
        self.sets = {topic: set_of(self.model, topic, *ids) for topic, ids in CODES.items()}
        self.ledger: list[str] = []
        self.mode: str = "refill"
        self.open: list[tuple[AbstractContextManager[None], str | None, set[str] | None, str | None]] = []

    @rule(topic=TOPIC, mode=st.sampled_from([None, "drop", "anchor"]))
    def open_forgetting(self, topic: str, mode: Any) -> None:
        block = forgetting(self.model, self.sets[topic], mode=mode)
        block.__enter__()
        self.open.append((block, topic, None, mode))

    @rule(topics=st.sets(TOPIC, max_size=2))
    def open_undeleted(self, topics: set[str]) -> None:
        block = undeleted(self.model, *topics)
        block.__enter__()
        self.open.append((block, None, topics or set(CODES), None))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close_any(self, data: st.DataObject) -> None:
        block = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))[0]
        block.__exit__(None, None, None)

    @rule(topic=TOPIC)
    def forget(self, topic: str) -> None:
        forget(self.model, self.sets[topic])
        self.ledger += [] if topic in self.ledger else [topic]

    @precondition(lambda self: self.ledger)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        topic = data.draw(st.sampled_from(self.ledger))
        restore(self.model, topic)
        self.ledger.remove(topic)

    @rule(mode=st.sampled_from(["refill", "drop"]))
    def set_mode(self, mode: Any) -> None:
        set_deletion_mode(self.model, mode)
        self.mode = mode

    def teardown(self) -> None:
        while self.open:
            self.open.pop(0)[0].__exit__(None, None, None)
        self.it_is_seen_as_defined()

    @invariant()
    def it_is_seen_as_defined(self) -> None:
        seen, mode = list(self.ledger), self.mode
        for _, adds, lifts, own_mode in self.open:
            seen = [topic for topic in seen if topic not in (lifts or ())]
            seen += [] if adds is None or adds in seen else [adds]
            mode = own_mode or mode
        assert topics(self.model) == seen
        assert deleted(self.model) == {code for topic in seen for code in CODES[topic]}
        assert self.model.codebook.mode == self.model.config.deletion_mode == mode


Blocks.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestBlocks = Blocks.TestCase
