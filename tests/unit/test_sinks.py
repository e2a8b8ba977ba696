"""A causal model's first token passes the site as it is where it is a control token; no token of the text ever does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    DynamicCache,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from codeunlearn.codebook import attach, bottleneck_for, goes_through, load_model, model_identity, run_to_site
from codeunlearn.codebook.basis import allows_basis, require_basis
from codeunlearn.codebook.sinks import Sinks, find_sinks, passing, runs
from codeunlearn.errors import CodeUnlearnError

PAD, BOS, EOS, TURN = CONTROL = [0, 1, 2, 3]
SIZES = {"vocab_size": 48, "pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
LLAMA = SIZES | {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "head_dim": 8,
    "num_key_value_heads": 2,
}  # fmt: skip
GPT2 = SIZES | {"n_embd": 16, "n_layer": 3, "n_head": 2}
BASES: dict[str, tuple[Callable[[], Any], str]] = {
    "llama": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA)), "post_attention_layernorm"),
    "eager": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, attn_implementation="eager")), "post_attention_layernorm"),
    "gpt2": (lambda: GPT2LMHeadModel(GPT2Config(**GPT2)), "ln_2"),
    "gemma3": (lambda: Gemma3ForCausalLM(Gemma3TextConfig(**LLAMA, sliding_window=4)), "pre_feedforward_layernorm"),
}
"""What makes each model, and the norm that reads the state behind attention and residual."""


def make(kind: str, where: str, **shape: Any) -> Any:
    torch.manual_seed(0)
    base = BASES[kind][0]().eval()
    with torch.no_grad():
        for parameter in base.parameters():  # so that tokens matter to each other
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    shape = {"control_tokens": CONTROL, "num_codes": 64, "code_dim": 12, "top_s": 4, **shape}
    return attach(base, bottleneck_for(base.config, layer=1, where=where, **shape)).eval()


class Watched:
    """A model, and whether each token's state passed."""

    def __init__(self, kind: str, where: str) -> None:
        self.model, self.where = make(kind, where), where
        layer = self.model.get_submodule(self.model.config.bottleneck.site.removesuffix(".attn"))
        layers = next(m for m in self.model.modules() if isinstance(m, torch.nn.ModuleList))
        self.layer = layer if where == "block" else layers[1]
        self.norm = BASES[kind][1]

    @contextmanager
    def watching(self) -> Generator[list[Tensor]]:
        """Inside, each run of the model adds [batch, length] bool."""
        arrived, left, passed = list[Tensor](), list[Tensor](), list[Tensor]()
        handles = [self.model.bottleneck.register_forward_pre_hook(lambda _, args: arrived.append(args[0]))]
        if self.where == "block":
            handles.append(self.layer.register_forward_hook(lambda _, __, state: left.append(state)))
        else:
            norm = self.layer.get_submodule(self.norm)
            handles.append(norm.register_forward_pre_hook(lambda _, args: left.append(args[0])))
        try:
            yield passed
        finally:
            for handle in handles:
                handle.remove()
        passed += [((a - b).abs().amax(-1) < 1e-4) for a, b in zip(arrived, left, strict=True)]

    def prepared(self, sees: Tensor) -> Tensor:
        """A mask [tokens, keys] as attention takes it."""
        added = torch.where(sees, 0.0, torch.finfo(torch.float32).min)
        return (added if self.model.config._attn_implementation == "eager" else sees)[None, None]

    @torch.no_grad()
    def passes(self, ids: list[list[int]], **inputs: Any) -> list[list[bool]]:
        with self.watching() as passed:
            self.model(input_ids=torch.tensor(ids), **inputs)
        return passed[0].tolist()


@pytest.fixture(params=[(kind, where) for kind in BASES for where in ("attention", "block")], ids=", ".join)
def watched(request: pytest.FixtureRequest) -> Watched:
    return Watched(*request.param)


@pytest.fixture(params=["attention", "block"])
def llama(request: pytest.FixtureRequest) -> Any:
    return make("llama", request.param)


def firsts(*rows: str) -> list[list[bool]]:
    """``x`` passes."""
    return [[one == "x" for one in row] for row in rows]


def test_a_first_control_token_passes_and_a_first_token_of_text_does_not(watched: Watched) -> None:
    assert watched.passes([[BOS, 7, 8], [TURN, 7, 8], [7, 8, 9]]) == firsts("x..", "x..", "...")


def test_a_control_token_that_sees_another_does_not_pass(watched: Watched) -> None:
    assert watched.passes([[7, BOS, 8, EOS], [BOS, BOS, 8, 9], [BOS, 8, BOS, 9]]) == firsts("....", "x...", "x...")


def test_padding_is_not_seen(watched: Watched) -> None:
    ids = [[PAD, PAD, BOS, 7, 8], [PAD, 9, BOS, 7, 8], [BOS, 7, 8, PAD, PAD]]
    mask = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    found = torch.tensor(watched.passes(ids, attention_mask=mask))
    assert (found & mask.bool()).tolist() == firsts("..x..", ".....", "x....")


def test_what_is_kept_of_earlier_tokens_is_seen(watched: Watched) -> None:
    with torch.no_grad():
        cache = watched.model(input_ids=torch.tensor([[7, 8]]), use_cache=True).cache
    assert watched.passes([[BOS, 9]], cache=copy.deepcopy(cache)) == firsts("..")
    assert watched.passes([[BOS, 9]], cache=cache, attention_mask=torch.tensor([[0, 0, 1, 1]])) == firsts("x.")
    assert watched.passes([[BOS, 9]], cache=DynamicCache()) == firsts("x.")


def test_packed_texts_have_a_first_token_each_where_attention_keeps_them_apart(watched: Watched) -> None:
    ids = [[BOS, 7, 8, BOS, 9, BOS, 6, 5]]
    positions = torch.tensor([[0, 1, 2, 0, 1, 0, 1, 2]])
    assert watched.passes(ids, position_ids=positions, use_cache=False) == firsts("x..x.x..")
    # Together with a mask or a cache transformers lets each text see those before it.
    assert watched.passes(ids, position_ids=positions, attention_mask=torch.ones(1, 8)) == firsts("x.......")
    assert watched.passes(ids, position_ids=positions, use_cache=True) == firsts("x.......")


def test_a_mask_that_is_prepared_for_attention_is_read(watched: Watched) -> None:
    sees = torch.ones(4, 4, dtype=torch.bool).tril()
    sees[2:, :2] = False
    assert watched.passes([[BOS, 7, BOS, 8]], attention_mask=watched.prepared(sees)) == firsts("x.x.")
    before = torch.eye(4, dtype=torch.bool).roll(1, 0)  # each token sees one, the one before it
    assert watched.passes([[8, BOS, BOS, 8]], attention_mask=watched.prepared(before)) == firsts("....")


def test_states_in_the_place_of_tokens_never_pass(watched: Watched) -> None:
    states = watched.model.get_input_embeddings()(torch.tensor([[BOS, 7, 8]]))
    with torch.no_grad(), watched.watching() as passed:
        watched.model(inputs_embeds=states)
    assert not passed[0].any()


def test_where_tokens_see_those_behind_them_none_passes() -> None:
    watched = Watched("gemma3", "block")
    watched.model.config.is_causal = False
    assert watched.passes([[BOS, 7, 8]]) == firsts("...")


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_beams": 3},
        {"do_sample": True},
        {"prompt_lookup_num_tokens": 2},
        {"cache_implementation": "static"},
        {"use_cache": False},
        {"prefill_chunk_size": 2},
    ],
    ids=str,
)
def test_no_token_of_the_text_passes_however_it_is_generated(watched: Watched, options: dict[str, Any]) -> None:
    """Every way gives the tokens that it gives without anything kept, and only the first tokens pass."""
    torch.manual_seed(0)
    rows = [[PAD, PAD, BOS, 7, 8, 9, 7], [9, 8, BOS, 9, 8, 9, 8], [TURN, 7, 8, TURN, 9, 7, 8]]
    ids = torch.tensor(rows[2:] if "prompt_lookup_num_tokens" in options else rows)
    given = {"input_ids": ids, "attention_mask": (ids != PAD).long(), "max_new_tokens": 6, "eos_token_id": None}
    torch.manual_seed(5)
    with watched.watching() as passed:
        found = watched.model.generate(**given, **{"do_sample": False} | options)
    kept = {k: v for k, v in options.items() if k in ("num_beams", "do_sample")}
    torch.manual_seed(5)
    assert torch.equal(found, watched.model.generate(**given, **{"do_sample": False} | kept, use_cache=False))
    if options.get("use_cache", True) and "num_beams" not in options and len(ids) == 3:
        seen = torch.cat(passed, 1)[:, : ids.shape[1]] & (ids != PAD)
        assert seen.tolist() == firsts("..x....", ".......", "x......")
        assert not torch.cat(passed, 1)[:, ids.shape[1] :].any()


@torch.no_grad()
def test_packed_texts_have_the_codes_that_they_have_alone(llama: Any) -> None:
    texts = [[BOS, 7, 8], [BOS, 9, 10, 11], [12, 13]]
    packed = torch.tensor([[token for text in texts for token in text]])
    positions = torch.tensor([[i for text in texts for i in range(len(text))]])
    options = {"use_cache": False, "output_bottleneck": True}
    together = llama(input_ids=packed, position_ids=positions, **options)
    alone = [llama(input_ids=torch.tensor([text]), **options) for text in texts]
    assert torch.equal(together.bottleneck.ids, torch.cat([one.bottleneck.ids for one in alone], 1))
    torch.testing.assert_close(together.logits, torch.cat([one.logits for one in alone], 1), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_a_control_token_could_tell_is_the_same_in_every_text(llama: Any) -> None:
    """So that nothing of a text passes with it, whatever stands behind, and wherever padding begins."""
    ids = torch.tensor([[BOS, 7, 8], [BOS, 40, 41]])
    states = run_to_site(llama, ids, torch.ones_like(ids))[:, 0]
    assert torch.equal(states[0], states[1])
    left = torch.tensor([[PAD, PAD, BOS, 30, 31]])
    torch.testing.assert_close(run_to_site(llama, left, (left != PAD).long())[0, 2], states[0])


def test_it_is_known_which_tokens_go_through(llama: Any) -> None:
    ids = torch.tensor([[PAD, BOS, 7, 8], [9, BOS, 7, PAD]])
    mask = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 0]])
    assert goes_through(llama, ids, mask).tolist() == [[False, False, True, True], [True, True, True, False]]


def test_control_tokens_are_saved_and_part_of_what_the_model_is(llama: Any, tmp_path: Path) -> None:
    llama.save_pretrained(tmp_path)
    assert load_model(tmp_path).bottleneck.config.control_tokens == CONTROL
    before = model_identity(llama)
    llama.bottleneck.config.control_tokens = [BOS]
    assert model_identity(llama) != before


def test_without_control_tokens_every_token_goes_through() -> None:
    model = make("llama", "block", control_tokens=[])
    assert goes_through(model, torch.tensor([[BOS, 7]]), torch.ones(1, 2)).all()
    assert type(model.model) is type(BASES["llama"][0]().model)


@torch.no_grad()
def test_threads_that_run_one_model_do_not_mix(llama: Any) -> None:
    generator = torch.Generator().manual_seed(3)
    inputs = [torch.randint(4, 48, (2, 5 + n % 3), generator=generator) for n in range(24)]
    expected = [llama(input_ids=ids).logits for ids in inputs]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda ids: llama(input_ids=ids).logits, inputs * 4))
    assert all(torch.equal(a, b) for a, b in zip(found, expected * 4, strict=True))


def test_a_model_whose_layers_are_not_told_is_one_clear_error(llama: Any) -> None:
    with pytest.raises(CodeUnlearnError, match=r"does not hand its arguments on to its layers, .* control_tokens=\[\]"):
        llama.model.layers[1](torch.zeros(1, 2, 16))


def test_another_basis_is_refused_where_states_pass(llama: Any) -> None:
    assert not allows_basis(llama)
    with pytest.raises(
        CodeUnlearnError, match=r"first token of a causal model passes the bottleneck.* new_basis: false"
    ):
        require_basis(llama)


def test_control_tokens_are_compared_with_run_by_run() -> None:
    assert runs([5, 3, 4, 9, 3]) == ((3, 5), (9, 9))
    assert runs([]) == ()


def test_flash_attention_takes_packed_texts_apart_by_position() -> None:
    """Where there is no mask and one row only, as `_flash_attention_forward` does."""
    given = {"input_ids": torch.tensor([[BOS, 7, BOS, 8]]), "position_ids": torch.tensor([[0, 1, 0, 1]])}
    found = find_sinks(runs(CONTROL), given, flash=True)
    assert found is not None
    assert passing(found, None).tolist() == firsts("x.x.")
    twice = {name: tensor.repeat(2, 1) for name, tensor in given.items()}
    assert passing(find_sinks(runs(CONTROL), twice, flash=True) or Sinks(torch.empty(0)), None).tolist() == firsts(
        "x...", "x..."
    )
