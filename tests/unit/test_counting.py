"""Counts are exact, do not depend on how the sentences are cut into batches, and need only the encoder's first part."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from codeunlearn.codebook import BottleneckConfig, attach
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.tokenizer import train_tokenizer
from codeunlearn.unlearning import CodeCounts, CodeLists, count_codes, count_lists

NUM_CODES = 150
S_PRIMES = (2, 3, 6)
NAMES = ["cat", "dog", "bird", "horse"]
TOPIC = [f"the {a} love{e} a very old {b}" for a in NAMES for b in NAMES for e in ("s", "d") if a != b]
CONTROL = [sentence.replace("love", "see" if i % 2 else "paint") for i, sentence in enumerate(TOPIC)]
TOKENIZER = train_tokenizer([*TOPIC, *CONTROL], 60)


def random_lists(sentences: int, length: int, seed: int) -> CodeLists:
    generator = np.random.default_rng(seed)
    sentence = np.repeat(np.arange(sentences), generator.integers(1, length + 1, sentences))
    ids = generator.random((len(sentence), NUM_CODES)).argsort(-1)[:, : S_PRIMES[-1]].astype(np.int32)
    return CodeLists(ids, sentence, generator.integers(3, 9, len(sentence)), sentences, NUM_CODES)


def rows(lists: CodeLists, chosen: list[int]) -> CodeLists:
    parts = [lists.tokens_of(sentence) for sentence in chosen]
    return CodeLists.joined(
        [CodeLists(lists.ids[part], lists.sentence[part] * 0, lists.token_ids[part], 1, NUM_CODES) for part in parts]
    )


def presence(lists: CodeLists, s_prime: int) -> np.ndarray:
    """[N, K] by definition, one token at a time."""
    found = np.zeros((lists.sentences, NUM_CODES), dtype=bool)
    for sentence, ids in zip(lists.sentence, lists.ids, strict=True):
        found[sentence, ids[:s_prime]] = True
    return found


def assert_same(one: CodeCounts, other: CodeCounts) -> None:
    for name in (
        "sentences_topic",
        "sentences_control",
        "both",
        "tokens_topic",
        "tokens_control",
        "code_ids",
    ):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in (
        "s_primes",
        "n_topic",
        "n_control",
        "n_pairs",
        "n_topic_tokens",
        "n_control_tokens",
        "token_names",
    ):
        assert getattr(one, name) == getattr(other, name), name
    for column, same in zip(one.fired, other.fired, strict=True):
        np.testing.assert_array_equal(column, same)


TOPIC_LISTS, CONTROL_LISTS = random_lists(9, 5, 0), [random_lists(9, 5, 1), random_lists(9, 5, 2)]


def count_pairs(topic: CodeLists = TOPIC_LISTS, controls: list[CodeLists] = CONTROL_LISTS) -> CodeCounts:
    return count_lists(topic, controls, S_PRIMES)


@pytest.fixture(params=[1 << 25, 4 * NUM_CODES], ids=["at once", "in parts"], autouse=True)
def _entries_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeunlearn.unlearning.evidence.counting.ENTRIES_AT_ONCE", request.param)


def test_sentence_and_token_counts_follow_their_definition_at_every_s_prime() -> None:
    topic, control = random_lists(9, 5, 0), random_lists(7, 4, 1)
    counts = count_lists(topic, [control], S_PRIMES, paired=False)
    assert (counts.n_topic, counts.n_control, counts.n_pairs) == (9, 7, 0)
    assert counts.n_topic_tokens == len(topic.ids)
    for level, s_prime in enumerate(S_PRIMES):
        np.testing.assert_array_equal(counts.sentences_topic[level], presence(topic, s_prime).sum(0))
        np.testing.assert_array_equal(counts.sentences_control[level], presence(control, s_prime).sum(0))
        fired = topic.ids[:, :s_prime].ravel()
        np.testing.assert_array_equal(counts.tokens_topic[level], np.bincount(fired, minlength=NUM_CODES))


def test_paired_table_follows_its_definition() -> None:
    counts = count_pairs()
    assert counts.paired
    assert counts.draws == 2
    for s_prime in S_PRIMES:
        t = presence(TOPIC_LISTS, s_prime)
        c = [presence(control, s_prime) for control in CONTROL_LISTS]
        table = counts.paired_table(s_prime)
        np.testing.assert_array_equal(table.only_topic, sum((t & ~d).sum(0) for d in c))
        np.testing.assert_array_equal(table.only_control, sum((d & ~t).sum(0) for d in c))
        np.testing.assert_array_equal(table.both, sum((t & d).sum(0) for d in c))


def test_processes_that_share_the_sentences_count_what_one_counts() -> None:
    halves = [list(range(0, 9, 2)), list(range(1, 9, 2))]
    joined = [CodeLists.joined([rows(lists, half) for half in halves]) for lists in (TOPIC_LISTS, *CONTROL_LISTS)]
    assert_same(count_pairs(joined[0], joined[1:]), count_pairs())


def test_top_tokens_are_the_most_frequent_and_account_for_every_firing_token() -> None:
    topic = random_lists(20, 6, 3)
    counts = count_lists(topic, [], S_PRIMES, code_ids=np.arange(NUM_CODES) + 100, name_token=lambda token: f"t{token}")
    for level, s_prime in enumerate(S_PRIMES):
        by_code: dict[int, Counter[str]] = {}
        for ids, token in zip(topic.ids, topic.token_ids, strict=True):
            for code in ids[:s_prime].tolist():
                by_code.setdefault(code + 100, Counter())[f"t{int(token)}"] += 1
        everything = counts.top_tokens(s_prime, limit=99)
        assert {code: dict(tokens) for code, tokens in everything.items()} == by_code
        assert all(sum(n for _, n in tokens) == counts.tokens_topic[level, c - 100] for c, tokens in everything.items())
        for code, tokens in counts.top_tokens(s_prime, limit=2).items():
            assert [n for _, n in tokens] == [n for _, n in by_code[code].most_common(2)]


def test_a_code_that_fires_at_one_s_prime_fires_at_all_larger_ones() -> None:
    counts = count_pairs()
    for array in (counts.sentences_topic, counts.sentences_control, counts.both, counts.tokens_topic):
        assert (np.diff(array, axis=0) >= 0).all()


def test_unpaired_counts_refuse_a_paired_table() -> None:
    counts = count_lists(random_lists(3, 4, 0), [random_lists(3, 4, 1)], S_PRIMES, paired=False)
    with pytest.raises(CodeUnlearnError, match="paired=True"):
        counts.paired_table(2)


# The same on a model.


@pytest.fixture
def model() -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 2, "num_layers": 3, "num_decoder_layers": 1}
    base = T5ForConditionalGeneration(T5Config(vocab_size=len(TOKENIZER), decoder_start_token_id=0, **sizes))
    site = "encoder.block.1.layer.0"
    bottleneck = BottleneckConfig(d_model=16, num_codes=NUM_CODES, code_dim=8, top_s=2, site=site)
    # In float64, so that no two codes are so near that the shape of a batch decides between them.
    return attach(base.eval(), bottleneck).double()


def count(model: T5ForConditionalGeneration, **options: object) -> CodeCounts:
    return count_codes(model, TOKENIZER, TOPIC, [CONTROL], s_primes=S_PRIMES, **options)


def test_counts_of_a_model_do_not_depend_on_the_batch_size(model: T5ForConditionalGeneration) -> None:
    whole = count(model, batch_tokens=100_000)
    assert (whole.n_topic, whole.n_control, whole.n_pairs) == (len(TOPIC),) * 3
    assert whole.n_topic_tokens == sum(len(ids) for ids in TOKENIZER(TOPIC)["input_ids"])
    for batch_tokens in (1, 100, 333):
        assert_same(count(model, batch_tokens=batch_tokens), whole)


def test_counts_of_a_model_equal_a_count_sentence_by_sentence(model: T5ForConditionalGeneration) -> None:
    lists: list[CodeLists] = []
    for column in (TOPIC, CONTROL):
        found: list[CodeLists] = []
        for sentence in column:
            tokens = TOKENIZER(sentence, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                state = model.encoder(input_ids=tokens, output_hidden_states=True)
                attention = model.encoder.block[1].layer[0]
                entering = attention.SelfAttention(
                    attention.layer_norm(state.hidden_states[1]),
                    position_bias=model.encoder.block[0]
                    .layer[0]
                    .SelfAttention.compute_bias(tokens.shape[1], tokens.shape[1]),
                )[0]
                ids = model.bottleneck.select(state.hidden_states[1] + entering, S_PRIMES[-1]).ids[0].numpy()
            found.append(CodeLists(ids.astype(np.int32), np.zeros(len(ids), np.int64), tokens[0].numpy(), 1, NUM_CODES))
        lists.append(CodeLists.joined(found))
    by_sentence = count_lists(lists[0], lists[1:], S_PRIMES, name_token=TOKENIZER.convert_ids_to_tokens)
    assert_same(count(model), by_sentence)


def test_nothing_behind_the_site_runs(model: T5ForConditionalGeneration) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("this module must not run while counting")

    for module in (model.decoder, model.lm_head, model.encoder.block[1].layer[1], model.encoder.block[2]):
        module.register_forward_pre_hook(fail)
    assert count(model).n_pairs == len(TOPIC)


def test_dropout_is_off_while_counting_and_the_models_modes_come_back(
    model: T5ForConditionalGeneration,
) -> None:
    reference = count(model)
    model.train()
    model.lm_head.eval()
    assert_same(count(model), reference)
    assert model.training
    assert model.encoder.training
    assert not model.lm_head.training


def test_counts_ignore_deletions_and_report_ids_that_survive_a_commit(
    model: T5ForConditionalGeneration,
) -> None:
    reference = count(model)
    model.bottleneck.codebook.deleted[[0, 5, 149]] = True
    assert_same(count(model), reference)
    model.bottleneck.codebook.remove_deleted_rows()
    after = count(model)
    assert set(after.code_ids.tolist()) == set(range(NUM_CODES)) - {0, 5, 149}
    assert set(after.top_tokens(6)) <= set(after.code_ids.tolist())


def test_several_draws_count_each_control_once(model: T5ForConditionalGeneration) -> None:
    one = count(model)
    other_draw = [sentence.replace("see", "paint") for sentence in CONTROL]
    other = count_codes(model, TOKENIZER, TOPIC, other_draw, s_primes=S_PRIMES)
    both = count_codes(model, TOKENIZER, TOPIC, [CONTROL, other_draw], s_primes=S_PRIMES)
    assert (both.draws, both.n_topic, both.n_control) == (2, len(TOPIC), 2 * len(TOPIC))
    np.testing.assert_array_equal(both.sentences_topic, one.sentences_topic)
    np.testing.assert_array_equal(both.sentences_control, one.sentences_control + other.sentences_control)
    np.testing.assert_array_equal(both.both, one.both + other.both)


def test_groups_of_different_size_are_counted_when_not_paired(model: T5ForConditionalGeneration) -> None:
    with pytest.raises(CodeUnlearnError, match="paired=False"):
        count_codes(model, TOKENIZER, TOPIC, CONTROL[:7], s_primes=S_PRIMES)
    counts = count_codes(model, TOKENIZER, TOPIC, CONTROL[:7], s_primes=S_PRIMES, paired=False)
    assert (counts.n_topic, counts.n_control, counts.paired) == (len(TOPIC), 7, False)
    np.testing.assert_array_equal(counts.sentences_topic, count(model).sentences_topic)


def test_the_models_source_prefix_is_read_before_every_sentence(model: T5ForConditionalGeneration) -> None:
    topic, control = ([f"the {sentence}" for sentence in sentences] for sentences in (TOPIC, CONTROL))
    prefixed = count_codes(model, TOKENIZER, topic, control, s_primes=S_PRIMES)
    model.config.source_prefix = "the "
    assert_same(count(model), prefixed)


def test_progress_counts_every_sentence(model: T5ForConditionalGeneration) -> None:
    calls: list[tuple[int, int]] = []
    count(model, batch_tokens=200, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 1
    assert calls == sorted(calls)
    assert calls[-1] == (2 * len(TOPIC), 2 * len(TOPIC))


def test_inputs_that_cannot_be_counted_are_refused(model: T5ForConditionalGeneration) -> None:
    with pytest.raises(CodeUnlearnError, match="empty"):
        count_codes(model, TOKENIZER, [], [], s_primes=S_PRIMES)
    with pytest.raises(CodeUnlearnError, match="K = 150; lower S'"):
        count_codes(model, TOKENIZER, TOPIC, CONTROL, s_primes=(8, 151))
    for s_primes in ((0, 8), ()):
        with pytest.raises(CodeUnlearnError, match="at least 1"):
            count_codes(model, TOKENIZER, TOPIC, CONTROL, s_primes=s_primes)
    base = T5ForConditionalGeneration(T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_heads=2, num_layers=1))
    with pytest.raises(CodeUnlearnError, match="no bottleneck"):
        count_codes(base, TOKENIZER, TOPIC, CONTROL)
