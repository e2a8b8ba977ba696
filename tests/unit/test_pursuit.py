"""Lexical and residual codes: one code says which word a token is, the others what it leaves, and a deletion holds in both."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook import BottleneckConfig
from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.codebook.config import DELETION_MODES, DeletionMode
from codeunlearn.codebook.selecting.gram import Gram
from codeunlearn.codebook.selecting.pursuit import PreparedKinds, pursue, pursue_reference
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.lexical import COHERENCE, set_lexical_and_residual

WIDTH, LEXICAL, RESIDUAL, S = 16, 20, 60, 5


def bottleneck(mode: DeletionMode = "refill", s: int = S) -> ConceptBottleneck:
    config = BottleneckConfig(
        d_model=WIDTH,
        num_codes=LEXICAL + RESIDUAL,
        code_dim=WIDTH,
        top_s=s,
        autoencoder=False,
        lexical_codes=LEXICAL,
        deletion_mode=mode,
    )
    made = ConceptBottleneck(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        made.codebook.weight.copy_(torch.randn(LEXICAL + RESIDUAL, WIDTH, generator=generator))
        made.offset.copy_(torch.randn(WIDTH, generator=generator))
    return made


def activations(number: int = 200) -> Tensor:
    return 3 * torch.randn(number, WIDTH, generator=torch.Generator().manual_seed(2))


def lexical_rows(found: Tensor) -> Tensor:
    return found < LEXICAL


@pytest.mark.parametrize("s", [1, 2, S, 12])
def test_the_search_finds_what_the_definition_says(s: int) -> None:
    b, a = bottleneck(), activations()
    b.codebook.deleted[::7] = True
    found = b.select(a, s)
    wanted = pursue_reference(b.encode(a), b.codebook.weight, torch.arange(80) < LEXICAL, s, b.codebook.deleted)
    assert torch.equal(found.ids, wanted.ids)
    assert torch.allclose(found.scores, wanted.scores, atol=1e-5)


def test_the_first_slot_is_a_lexical_code_as_it_stands_and_all_others_are_residual_codes() -> None:
    b, a = bottleneck(), activations()
    found = b.select(a)
    assert lexical_rows(found.ids[:, 0]).all()
    assert not lexical_rows(found.ids[:, 1:]).any()
    assert (found.scores[:, 0] == 1).all()
    assert (found.scores >= 0).all()
    nearest = F.cosine_similarity(b.encode(a)[:, None], b.codebook.weight[None, :LEXICAL], dim=-1).argmax(1)
    assert torch.equal(found.ids[:, 0], nearest)


def test_every_residual_code_explains_more() -> None:
    """The length of a residual code does not matter; what is left falls from slot to slot."""
    b, a = bottleneck(), activations()
    errors = [(b.run(a).a_hat - a).square().sum() for b in (bottleneck(s=s) for s in range(1, 12))]
    assert all(later < earlier for earlier, later in pairwise(errors))
    longer = copy.deepcopy(b)
    with torch.no_grad():
        longer.codebook.weight[LEXICAL:] *= 7
    assert torch.equal(longer.select(a).ids, b.select(a).ids)
    assert torch.allclose(longer(a), b(a), atol=1e-4)


@pytest.mark.parametrize("mode", DELETION_MODES)
def test_a_deleted_code_of_either_kind_is_never_heard_of_again(mode: DeletionMode) -> None:
    b, a = bottleneck(mode), activations()
    used = b.select(a).ids
    gone = torch.cat([used[:5, 0], used[:5, 1:].flatten()]).unique()
    b.codebook.deleted[gone] = True
    before = b(a)
    if mode == "refill":
        assert not torch.isin(b.select(a).ids, gone).any()
        assert lexical_rows(b.select(a).ids[:, 0]).all()
    with torch.no_grad():
        b.codebook.weight[gone] = b.codebook.weight[gone].flip(0) * 3
    if mode != "refill":  # there the search still sees the direction of what is gone, but nothing of it goes on
        with torch.no_grad():
            b.codebook.weight[gone] = bottleneck(mode).codebook.weight[gone]
    assert torch.allclose(b(a), before, atol=1e-5)


def test_codes_that_are_committed_away_take_nothing_else_with_them() -> None:
    b, a = bottleneck(), activations()
    b.codebook.deleted[[0, 3, 25, 60]] = True
    before = b(a)
    b.codebook.remove_deleted_rows()
    assert torch.allclose(b(a), before, atol=1e-5)
    assert int(b.codebook.is_lexical.sum()) == LEXICAL - 2


def test_no_lexical_code_left_is_one_sentence() -> None:
    b = bottleneck()
    b.codebook.deleted[:LEXICAL] = True
    with pytest.raises(CodeUnlearnError, match="No lexical code is left"):
        b(activations())


def test_it_survives_its_file_and_codes_receive_gradient(tmp_path: Path) -> None:
    b, a = bottleneck(), activations()
    b.save_pretrained(tmp_path)
    again = ConceptBottleneck.from_pretrained(tmp_path).eval()
    assert torch.equal(again(a), b(a))
    b.train()
    b(a).square().sum().backward()
    used = b.select(a).ids.unique()
    weight: Any = b.codebook.weight.grad
    assert weight[used].abs().sum(1).min() > 0


def test_compiled_is_as_eager_before_and_after_a_deletion() -> None:
    b, a = bottleneck(), activations()
    compiled = torch.compile(b, backend="eager")
    with torch.no_grad():
        assert torch.equal(compiled(a), b(a))
        b.codebook.deleted[b.select(a).ids[:, 1].unique()[:10]] = True
        assert torch.equal(compiled(a), b(a))


def test_lexical_codes_need_their_own_shape() -> None:
    with pytest.raises(CodeUnlearnError, match="residual codes are needed"):
        BottleneckConfig(d_model=WIDTH, num_codes=20, code_dim=WIDTH, top_s=2, autoencoder=False, lexical_codes=20)
    with pytest.raises(CodeUnlearnError, match="autoencoder=False"):
        BottleneckConfig(d_model=WIDTH, num_codes=40, code_dim=WIDTH, top_s=2, lexical_codes=20)


def test_pieces_of_text_have_their_mean_as_code_and_others_their_neutral_state_moved() -> None:
    b = bottleneck()
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, 10, (4000,), generator=generator)  # the pieces from 10 on are never seen
    own = torch.randn(LEXICAL, WIDTH, generator=generator) * 5
    states = own[tokens] + torch.randn(4000, WIDTH, generator=generator) * 0.1 + 2.0
    neutral = own - 1.0
    set_lexical_and_residual(b, states, tokens, neutral, seed=0)
    codes = b.codebook.weight[:LEXICAL] + b.offset
    assert torch.allclose(codes, own + 2.0, atol=0.05), (
        "text is 3 above the neutral beginning, wherever a piece is seen"
    )
    assert torch.allclose(b.codebook.weight[LEXICAL:].norm(dim=1), torch.ones(RESIDUAL), atol=5e-3)
    assert torch.equal(b.codebook.weight, b.codebook.weight.bfloat16().float()), (
        "an adapter holds them in half the space"
    )
    assert torch.equal(b.select(states, 1).ids[:, 0], tokens)


def test_residual_codes_point_apart_so_that_no_two_say_the_same() -> None:
    b = bottleneck()
    generator = torch.Generator().manual_seed(4)
    once = torch.randn(150, WIDTH, generator=generator)
    states = torch.cat([once, once, once])
    set_lexical_and_residual(b, states, torch.zeros(450, dtype=torch.long), torch.randn(LEXICAL, WIDTH), seed=0)
    residual = b.codebook.weight[LEXICAL:]
    assert float((residual @ residual.T).fill_diagonal_(-1).max()) <= COHERENCE
    with pytest.raises(CodeUnlearnError, match="tokens that differ enough"):
        set_lexical_and_residual(
            b, states[:3].repeat(40, 1), torch.zeros(120, dtype=torch.long), torch.randn(LEXICAL, WIDTH), 0
        )


def prepared_codes(b: ConceptBottleneck) -> PreparedKinds:
    return PreparedKinds.of(b.codebook.weight.detach(), torch.arange(LEXICAL + RESIDUAL) < LEXICAL, None)


def pursued(b: ConceptBottleneck, a: Tensor, prepared: PreparedKinds) -> tuple[Tensor, Tensor]:
    """What is found, and what the definition says."""
    codes, deleted = b.codebook.weight.detach(), prepared.deleted
    found = pursue(b.encode(a), codes, prepared, S).ids
    return found, pursue_reference(b.encode(a), codes, prepared.is_lexical, S, deleted).ids


def test_what_codes_have_in_common_says_the_same_however_little_of_it_is_kept() -> None:
    b, a = bottleneck(), activations(500)
    prepared = prepared_codes(b)
    for most in (0, 2 * RESIDUAL * 7, 2 * RESIDUAL * RESIDUAL):
        kept = replace(prepared, gram=Gram(prepared.gram.codes, most))
        for _ in range(2):
            found, wanted = pursued(b, a, kept)
            assert torch.equal(found, wanted)


def test_what_codes_have_in_common_outlives_a_deletion() -> None:
    b, a = bottleneck(), activations()
    prepared = prepared_codes(b)
    first, _ = pursued(b, a, prepared)
    gone = torch.zeros(LEXICAL + RESIDUAL, dtype=torch.bool)
    gone[first[:20].unique()] = True
    gone[:2] = False  # a lexical code is left
    found, wanted = pursued(b, a, prepared.without(gone))
    assert torch.equal(found, wanted)
    assert not gone[found].any()
    again, _ = pursued(b, a, prepared.without(gone).without(None))
    assert torch.equal(again, first)


def test_codes_that_are_nearly_the_same_are_told_apart_as_the_definition_does() -> None:
    b, a = bottleneck(), activations()
    with torch.no_grad():
        rows = b.codebook.weight[LEXICAL:]
        rows[RESIDUAL // 2 :] = rows[: RESIDUAL // 2] * (1 + 1e-6 * torch.randn(RESIDUAL // 2, WIDTH))
        rows[:5] = rows[5:10]
    found, wanted = pursued(b, a, prepared_codes(b))
    assert torch.equal(found, wanted)


def test_threads_share_what_codes_have_in_common() -> None:
    b = bottleneck()
    prepared, codes = prepared_codes(b), b.codebook.weight.detach()
    parts = [b.encode(part).detach() for part in activations(400).split(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: pursue(part, codes, prepared, S).ids, parts))
    for part, ids in zip(parts, found, strict=True):
        assert torch.equal(ids, pursue_reference(part, codes, prepared.is_lexical, S).ids)


@pytest.mark.parametrize("first", [True, False])
def test_what_codes_have_in_common_serves_in_and_out_of_inference_mode(first: bool) -> None:
    b = bottleneck()
    parts = activations(60).split(20)
    with torch.inference_mode(first):
        b.select(parts[0])
    with torch.inference_mode(not first):
        found = b.select(parts[1]).ids
    wanted = pursue_reference(b.encode(parts[1]), b.codebook.weight, torch.arange(80) < LEXICAL, S)
    assert torch.equal(found, wanted.ids)
    with torch.inference_mode(first), torch.no_grad():
        assert torch.equal(b.select(parts[2]).ids, b.select(parts[2]).ids)
