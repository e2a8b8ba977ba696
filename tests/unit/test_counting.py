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
from codeunlearn.unlearning import CodeBatch, CodeCounter, CodeCounts, count_codes

NUM_CODES = 150
S_PRIMES = (2, 3, 6)
NAMES = ["cat", "dog", "bird", "horse"]
TOPIC = [f"the {a} love{e} a very old {b}" for a in NAMES for b in NAMES for e in ("s", "d") if a != b]
CONTROL = [sentence.replace("love", "see" if i % 2 else "paint") for i, sentence in enumerate(TOPIC)]
TOKENIZER = train_tokenizer([*TOPIC, *CONTROL], 60)


def random_batch(sentences: int, length: int, seed: int) -> CodeBatch:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.rand(sentences, length, NUM_CODES, generator=generator).argsort(-1)[..., : S_PRIMES[-1]]
    lengths = torch.randint(1, length + 1, (sentences, 1), generator=generator)
    tokens = torch.randint(3, 9, (sentences, length), generator=generator)
    return CodeBatch(ids, torch.arange(length)[None] < lengths, tokens)


def rows(batch: CodeBatch, chosen: list[int]) -> CodeBatch:
    return CodeBatch(*(tensor[chosen] for tensor in batch))


def presence(batch: CodeBatch, s_prime: int) -> np.ndarray:
    """[B, K] by definition, one token at a time."""
    found = np.zeros((len(batch.ids), NUM_CODES), dtype=bool)
    for i, (ids, mask) in enumerate(zip(batch.ids, batch.mask, strict=True)):
        for token_codes, real in zip(ids, mask, strict=True):
            if real:
                found[i, token_codes[:s_prime].numpy()] = True
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


@pytest.fixture
def pair_batches() -> tuple[CodeBatch, list[CodeBatch]]:
    return random_batch(9, 5, 0), [random_batch(9, 5, 1), random_batch(9, 5, 2)]


def count_pairs(topic: CodeBatch, controls: list[CodeBatch]) -> CodeCounter:
    counter = CodeCounter(NUM_CODES, S_PRIMES)
    counter.update_pairs(topic, controls)
    return counter


def test_sentence_and_token_counts_follow_their_definition_at_every_s_prime() -> None:
    topic, control = random_batch(9, 5, 0), random_batch(7, 4, 1)
    counter = CodeCounter(NUM_CODES, S_PRIMES)
    counter.update(topic, "topic")
    counter.update(control, "control")
    counts = counter.result()
    assert (counts.n_topic, counts.n_control, counts.n_pairs) == (9, 7, 0)
    assert counts.n_topic_tokens == int(topic.mask.sum())
    for level, s_prime in enumerate(S_PRIMES):
        np.testing.assert_array_equal(counts.sentences_topic[level], presence(topic, s_prime).sum(0))
        np.testing.assert_array_equal(counts.sentences_control[level], presence(control, s_prime).sum(0))
        fired = topic.ids[topic.mask][:, :s_prime].flatten().numpy()
        np.testing.assert_array_equal(counts.tokens_topic[level], np.bincount(fired, minlength=NUM_CODES))


def test_paired_table_follows_its_definition(
    pair_batches: tuple[CodeBatch, list[CodeBatch]],
) -> None:
    topic, controls = pair_batches
    counts = count_pairs(topic, controls).result()
    assert counts.paired
    assert counts.draws == 2
    for s_prime in S_PRIMES:
        t = presence(topic, s_prime)
        c = [presence(control, s_prime) for control in controls]
        table = counts.paired_table(s_prime)
        np.testing.assert_array_equal(table.only_topic, sum((t & ~d).sum(0) for d in c))
        np.testing.assert_array_equal(table.only_control, sum((d & ~t).sum(0) for d in c))
        np.testing.assert_array_equal(table.both, sum((t & d).sum(0) for d in c))


def test_batched_counts_equal_counts_in_one_pass(pair_batches: tuple[CodeBatch, list[CodeBatch]]) -> None:
    topic, controls = pair_batches
    batched = CodeCounter(NUM_CODES, S_PRIMES)
    for part in ([4, 0], [8], [1, 2, 3, 5, 6, 7]):
        batched.update_pairs(rows(topic, part), [rows(control, part) for control in controls])
    assert_same(batched.result(), count_pairs(topic, controls).result())


def test_two_processes_that_share_the_sentences_equal_one(
    pair_batches: tuple[CodeBatch, list[CodeBatch]],
) -> None:
    topic, controls = pair_batches
    halves = [list(range(0, 9, 2)), list(range(1, 9, 2))]
    first, second = (count_pairs(rows(topic, h), [rows(c, h) for c in controls]) for h in halves)
    before = first.result()
    assert_same((first + second).result(), count_pairs(topic, controls).result())
    assert_same(first.result(), before)


def test_padding_is_counted_nowhere(pair_batches: tuple[CodeBatch, list[CodeBatch]]) -> None:
    topic, controls = pair_batches
    junk = random_batch(9, 3, 7)
    padded = CodeBatch(
        torch.cat([topic.ids, junk.ids], 1),
        torch.cat([topic.mask, torch.zeros_like(junk.mask)], 1),
        torch.cat([topic.tokens, junk.tokens], 1),
    )
    assert_same(count_pairs(padded, controls).result(), count_pairs(topic, controls).result())


def test_top_tokens_are_the_most_frequent_and_account_for_every_firing_token() -> None:
    topic = random_batch(20, 6, 3)
    counter = CodeCounter(NUM_CODES, S_PRIMES)
    counter.update(rows(topic, list(range(11))), "topic")
    counter.update(rows(topic, list(range(11, 20))), "topic")
    counts = counter.result(torch.arange(NUM_CODES) + 100, lambda token: f"t{token}")
    for level, s_prime in enumerate(S_PRIMES):
        by_code: dict[int, Counter[str]] = {}
        for ids, token in zip(topic.ids[topic.mask], topic.tokens[topic.mask], strict=True):
            for code in ids[:s_prime].tolist():
                by_code.setdefault(code + 100, Counter())[f"t{int(token)}"] += 1
        everything = counts.top_tokens(s_prime, limit=99)
        assert {code: dict(tokens) for code, tokens in everything.items()} == by_code
        assert all(sum(n for _, n in tokens) == counts.tokens_topic[level, c - 100] for c, tokens in everything.items())
        for code, tokens in counts.top_tokens(s_prime, limit=2).items():
            assert [n for _, n in tokens] == [n for _, n in by_code[code].most_common(2)]


def test_a_code_that_fires_at_one_s_prime_fires_at_all_larger_ones(
    pair_batches: tuple[CodeBatch, list[CodeBatch]],
) -> None:
    counts = count_pairs(*pair_batches).result()
    for array in (counts.sentences_topic, counts.sentences_control, counts.both, counts.tokens_topic):
        assert (np.diff(array, axis=0) >= 0).all()


def test_unpaired_counts_refuse_a_paired_table() -> None:
    counter = CodeCounter(NUM_CODES, S_PRIMES)
    counter.update(random_batch(3, 4, 0), "topic")
    counter.update(random_batch(3, 4, 1), "control")
    with pytest.raises(CodeUnlearnError, match="paired=True"):
        counter.result().paired_table(2)


def test_s_prime_must_be_between_one_and_the_number_of_codes() -> None:
    with pytest.raises(CodeUnlearnError, match="K = 150"):
        CodeCounter(NUM_CODES, (8, 151))
    with pytest.raises(CodeUnlearnError, match="at least 1"):
        CodeCounter(NUM_CODES, (0, 8))


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
    counts = count(model)
    counter = CodeCounter(NUM_CODES, S_PRIMES)
    for pair in zip(TOPIC, CONTROL, strict=True):
        batches = []
        for sentence in pair:
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
                ids = model.bottleneck.select(state.hidden_states[1] + entering, S_PRIMES[-1]).ids
            batches.append(CodeBatch(ids, torch.ones_like(tokens), tokens))
        counter.update_pairs(batches[0], batches[1:])
    assert_same(counts, counter.result(name_token=TOKENIZER.convert_ids_to_tokens))


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
    with pytest.raises(CodeUnlearnError, match="lower S'"):
        count_codes(model, TOKENIZER, TOPIC, CONTROL, s_primes=(151,))
    base = T5ForConditionalGeneration(T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_heads=2, num_layers=1))
    with pytest.raises(CodeUnlearnError, match="no bottleneck"):
        count_codes(base, TOKENIZER, TOPIC, CONTROL)
