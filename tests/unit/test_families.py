"""Every family of models carries a bottleneck in every place alike: it is attached, runs, is saved, and loses codes."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import Tensor
from transformers import CONFIG_MAPPING

from codeunlearn.codebook import (
    attach,
    bottleneck_for,
    goes_through,
    load_model,
    model_identity,
    replace_bottleneck_output,
    require_bottleneck,
    run_to_site,
    skip_bottleneck,
)
from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.architectures import OWN, architecture_of
from codeunlearn.codebook.basis import SignedPermutation, change_downstream_basis
from codeunlearn.codebook.writing import save_model
from codeunlearn.unlearning import ForgetSet, commit, forget

SIZES = {"vocab_size": 48, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8,
}  # fmt: skip
WINDOW = {"sliding_window": 4}
BART = {
    "d_model": 16, "encoder_layers": 3, "decoder_layers": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 32, "dropout": 0.0,
    "attention_dropout": 0.0, "decoder_start_token_id": 2, "forced_eos_token_id": None,
}  # fmt: skip
BERT = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "num_labels": 3,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 32,
    "initializer_range": 0.3,
}  # fmt: skip
NEOX = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "hidden_dropout": 0.0
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", LLAMA),
    "mistral": ("mistral", LLAMA | WINDOW),
    "ministral": ("ministral", LLAMA | WINDOW),
    "qwen2": ("qwen2", LLAMA | WINDOW | {"use_sliding_window": True, "max_window_layers": 1}),
    "qwen3": ("qwen3", LLAMA),
    "smollm3": ("smollm3", LLAMA),
    "olmo": ("olmo", LLAMA),
    "gemma": ("gemma", LLAMA),
    "gemma2": ("gemma2", LLAMA | WINDOW),
    "gemma3": ("gemma3_text", LLAMA | WINDOW),
    "olmo2": ("olmo2", LLAMA),
    "olmo3": ("olmo3", LLAMA | WINDOW),
    "phi3": ("phi3", LLAMA | {"resid_pdrop": 0.0}),
    "gpt2": (
        "gpt2",
        {"n_embd": 16, "n_layer": 3, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    ),
    "gpt-neox": ("gpt_neox", NEOX),
    "gpt-neox in sequence": ("gpt_neox", NEOX | {"use_parallel_residual": False}),
    "t5": ("t5", {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 3, "dropout_rate": 0.0,
                  "decoder_start_token_id": 0}),
    "bart": ("bart", BART),
    "mbart": ("mbart", BART),
    "marian": ("marian", BART),
    "m2m100": ("m2m_100", BART | {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}),
    "pegasus": ("pegasus", BART),
    "bert": ("bert", BERT),
    "roberta": ("roberta", BERT),
    "xlm-roberta": ("xlm-roberta", BERT),
    "distilbert": ("distilbert", {"dim": 16, "hidden_dim": 24, "n_layers": 3, "n_heads": 2, "num_labels": 3,
                                  "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0,
                                  "initializer_range": 0.3}),
    "modernbert": ("modernbert", BERT | {"local_attention": 4, "cls_token_id": 1, "sep_token_id": 2}),
    "deberta-v2": ("deberta-v2", BERT | {"relative_attention": True, "position_buckets": 4, "pos_att_type": ["p2c", "c2p"],
                                         "conv_kernel_size": 3}),
}  # fmt: skip
LAYER = 1


class Case(NamedTuple):
    """A family with a bottleneck in one of its places; models are not to be changed."""

    base: Any
    model: Any
    causal: bool

    @property
    def translates(self) -> bool:
        return self.base.config.is_encoder_decoder

    @property
    def writes(self) -> bool:
        return self.causal or self.translates


@cache
def make_base(family: str) -> Any:
    kind, settings = FAMILIES[family]
    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**SIZES | settings)
    architecture: Any = architecture_of(kind)
    return architecture.auto.from_config(config).eval()


@cache
def make(family: str, where: str) -> Case:
    base = make_base(family)
    torch.manual_seed(1)
    config = bottleneck_for(base.config, layer=LAYER, where=where, num_codes=64, code_dim=12, top_s=4)
    return Case(base, attach(base, config), architecture_of(base.config.model_type).causal)


def places(family: str) -> list[str]:
    kind, settings = FAMILIES[family]
    found = architecture_of(kind)
    config = CONFIG_MAPPING[kind](**SIZES | settings)
    return [where for where in sorted(found.places) if found.has(config, LAYER, where)]


EVERY = [(family, where) for family in FAMILIES for where in places(family)]
FIRST = [(family, places(family)[0]) for family in FAMILIES]
ENTRIES = {type(architecture_of(FAMILIES[family][0])): (family, where) for family, where in reversed(FIRST)}


@pytest.fixture(params=EVERY, ids=lambda one: f"{one[0]}, {one[1]}")
def case(request: pytest.FixtureRequest) -> Case:
    """Every family, in every place."""
    return make(*request.param)


@pytest.fixture(params=FIRST, ids=lambda one: f"{one[0]}, {one[1]}")
def once(request: pytest.FixtureRequest) -> Case:
    """Every family once, behind attention where it has that place."""
    return make(*request.param)


@pytest.fixture(params=ENTRIES.values(), ids=lambda one: f"{one[0]}, {one[1]}")
def entry(request: pytest.FixtureRequest) -> Case:
    """One family of every entry, for what takes seconds."""
    return make(*request.param)


TEXTS = [[1, 7, 11, 30, 5, 9], [1, 12, 33, 8], [1, 40, 41, 42, 43, 44]]


def batch(side: str = "right") -> dict[str, Tensor]:
    """The texts as one batch: ids and mask."""
    width = max(map(len, TEXTS))
    fill = [[0] * (width - len(text)) for text in TEXTS]
    rows = [text + rest if side == "right" else rest + text for text, rest in zip(TEXTS, fill, strict=True)]
    ids = torch.tensor(rows)
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def run(case: Case, model: Any = None, inputs: dict[str, Tensor] | None = None, **options: Any) -> Any:
    model, inputs = case.model if model is None else model, inputs or batch()
    given = {"decoder_input_ids": torch.tensor([[2, 7, 9]] * len(inputs["input_ids"]))} if case.translates else {}
    return model(**inputs, **given, **options)


def logits(case: Case, model: Any = None, inputs: dict[str, Tensor] | None = None) -> Tensor:
    with torch.no_grad():
        return run(case, model, inputs).logits


def test_every_family_of_this_package_is_here() -> None:
    known = {kind for one in OWN for kind in one.model_types} - {"mt5"}
    assert known == {kind for kind, _ in FAMILIES.values()}


def test_base_weights_keep_their_names_and_values(case: Case) -> None:
    base, model = case.base.state_dict(), case.model.state_dict()
    assert {name for name in model if "bottleneck" not in name} == set(base)
    assert all(torch.equal(model[name], value) for name, value in base.items())


def test_skipping_the_bottleneck_gives_the_base_to_the_last_bit(case: Case) -> None:
    with skip_bottleneck(case.model):
        assert torch.equal(logits(case), logits(case, case.base))
    assert not torch.allclose(logits(case), logits(case, case.base), atol=1e-4)


def test_nothing_gets_round_the_bottleneck(case: Case) -> None:
    """With another state in the place of every token's, no token has a say in what comes out."""
    torch.manual_seed(2)
    state, inputs = torch.randn(16), {"input_ids": torch.tensor([TEXTS[0], TEXTS[2]])}
    with replace_bottleneck_output(case.model, lambda a: state.expand_as(a)):
        first, second = logits(case, inputs=inputs)
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)
    first, second = logits(case, inputs=inputs)
    assert not torch.allclose(first, second, atol=1e-4)


def test_a_saved_model_is_the_model(case: Case, tmp_path: Path) -> None:
    case.model.save_pretrained(tmp_path)
    for opened in (load_model(tmp_path), architecture_of(case.model.config.model_type).auto.from_pretrained(tmp_path)):
        assert type(opened) is type(case.model)
        assert opened.config.model_type == f"codeunlearn-{case.base.config.model_type}"
        assert torch.equal(logits(case, opened.eval()), logits(case))
        assert model_identity(opened) == model_identity(case.model)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_runs_its_own_bottleneck(case: Case, copied: Callable[[Any], Any]) -> None:
    twin, before = copied(case.model), logits(case)
    assert torch.equal(logits(case, twin), before)
    twin.bottleneck.codebook.deleted[:56] = True
    assert not torch.equal(logits(case, twin), before)
    assert torch.equal(logits(case), before)


@torch.no_grad()
def test_a_bottleneck_can_be_put_into_the_base_itself(case: Case, tmp_path: Path) -> None:
    base = copy.deepcopy(case.base)
    weights = {name: parameter.data_ptr() for name, parameter in base.named_parameters()}
    model = attach(base, case.model.config.bottleneck, copy=False)
    assert model is base
    assert type(model) is type(case.model)
    assert {name: parameter.data_ptr() for name, parameter in model.named_parameters() if name in weights} == weights
    model.bottleneck.load_state_dict(case.model.bottleneck.state_dict())
    assert torch.equal(logits(case, model), logits(case))
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(case, load_model(tmp_path)), logits(case))
    assert model_identity(model) == model_identity(case.model)


@torch.no_grad()
def test_a_base_that_is_spread_over_devices_gets_its_bottleneck_where_its_site_is(once: Case) -> None:
    """accelerate has hooks around its modules' forwards then."""
    base = copy.deepcopy(once.base)
    for module in base.modules():
        add_hook_to_module(module, AlignDevicesHook("cpu", io_same_device=True))
    model = attach(base, once.model.config.bottleneck, copy=False)
    model.bottleneck.load_state_dict(once.model.bottleneck.state_dict())
    assert torch.equal(logits(once, model), logits(once))


def test_layers_keep_the_names_by_which_they_are_known(case: Case) -> None:
    """As accelerate does, which must not divide a layer."""
    for name, module in case.base.named_modules():
        assert type(case.model.get_submodule(name)).__name__.removeprefix("CodeUnlearn") == type(module).__name__


def used_codes(case: Case, model: Any = None) -> Tensor:
    inputs = batch()
    with torch.no_grad():
        record = run(case, model, output_bottleneck=True).bottleneck
    return record.ids[goes_through(case.model, **inputs)].unique()


def test_a_deleted_code_is_never_chosen_and_a_committed_one_is_gone(case: Case, tmp_path: Path) -> None:
    model, before = copy.deepcopy(case.model), logits(case)
    gone = used_codes(case)[::2]
    forget(model, ForgetSet("topic", tuple(gone.tolist()), model_identity(model)))
    masked = logits(case, model)
    assert not torch.isin(used_codes(case, model), gone).any()
    assert not torch.allclose(masked, before, atol=1e-5)
    commit(model)
    model.save_pretrained(tmp_path)
    opened = load_model(tmp_path)
    torch.testing.assert_close(logits(case, opened), masked)
    left = require_bottleneck(opened).codebook.code_ids
    assert len(left) == 64 - len(gone)
    assert not torch.isin(left, gone).any()


def test_a_text_has_the_same_codes_alone_and_in_a_batch(case: Case) -> None:
    bottleneck = require_bottleneck(case.model)
    for side in ("right", "left") if case.causal else ("right",):
        inputs = batch(side)
        together = bottleneck.select(run_to_site(case.model, **inputs)).ids
        for row, text in enumerate(TEXTS):
            ids = torch.tensor([text])
            alone = bottleneck.select(run_to_site(case.model, ids, torch.ones_like(ids))).ids
            assert torch.equal(together[row][inputs["attention_mask"][row].bool()], alone[0])


def test_a_run_to_the_site_is_the_whole_runs_and_stops_there(case: Case) -> None:
    ran: list[int] = []
    layers = next(m for m in case.model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 3)
    handles = [
        layer.register_forward_hook(lambda *_, number=number: ran.append(number)) for number, layer in enumerate(layers)
    ]
    try:
        states = run_to_site(case.model, **batch())
    finally:
        for handle in handles:
            handle.remove()
    assert ran == [0]
    with torch.no_grad():
        record = run(case, output_bottleneck=True).bottleneck
    real = batch()["attention_mask"].bool()
    torch.testing.assert_close(states[real], record.a[real])


def test_hidden_states_are_those_behind_the_bottleneck(case: Case) -> None:
    with torch.no_grad():
        output = run(case, output_hidden_states=True, output_attentions=True)
        base = run(case, case.base, output_hidden_states=True, output_attentions=True)
    found, plain = ((o.encoder_hidden_states if case.translates else o.hidden_states) for o in (output, base))
    assert len(found) == len(plain) == 4
    assert torch.equal(found[LAYER], plain[LAYER])
    assert not torch.allclose(found[LAYER + 1], plain[LAYER + 1], atol=1e-4)


def test_bfloat16_is_kept_and_nearly_the_same(case: Case) -> None:
    model = attach(copy.deepcopy(case.base).bfloat16(), case.model.config.bottleneck)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        output = run(case, model, output_bottleneck=True)
    assert output.logits.isfinite().all()
    assert output.bottleneck.a_hat.dtype == torch.bfloat16


def test_gradient_checkpointing_changes_no_gradient(once: Case) -> None:
    def gradients(model: Any) -> dict[str, Tensor]:
        output = run(once, model.train(), output_bottleneck=True)
        record = output.bottleneck
        (output.logits.square().mean() + (record.a - record.a_hat).square().mean()).backward()
        return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}

    plain, saving = copy.deepcopy(once.model), copy.deepcopy(once.model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # transformers renames the method in version 6
        saving.gradient_checkpointing_enable()
    runs: list[object] = []
    saving.bottleneck.register_forward_hook(lambda *_: runs.append(None))
    expected, found = gradients(plain), gradients(saving)
    assert "bottleneck" in " ".join(expected)
    assert len(runs) == 2  # the second run is the checkpoint's
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, msg=name)


@torch.no_grad()
def test_compiled_layers_are_the_layers(entry: Case) -> None:
    part = entry.model.get_encoder() if entry.translates else entry.model.base_model
    torch.compiler.reset()
    compiled = torch.compile(part, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(**batch())[0], part(**batch())[0])


@pytest.mark.parametrize("where", places("t5"))
def test_another_basis_behind_either_place_changes_nothing_but_what_skipping_gives(where: str) -> None:
    case = make("t5", where)
    model = copy.deepcopy(case.model)
    change_downstream_basis(model, SignedPermutation.random(16, 0))
    torch.testing.assert_close(logits(case, model), logits(case), atol=1e-5, rtol=1e-4)
    with skip_bottleneck(model):
        assert not torch.allclose(logits(case, model), logits(case, case.base), atol=1e-2)


@torch.no_grad()
def step_by_step(case: Case, tokens: int) -> Tensor:
    """Greedy, the whole text read again for each token, nothing kept."""
    inputs = batch("left" if case.causal else "right")
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    target = torch.full((len(ids), 1), case.model.config.decoder_start_token_id or 0) if case.translates else ids
    for _ in range(tokens):
        if case.translates:
            scores = case.model(**inputs, decoder_input_ids=target).logits[:, -1]
        else:
            position_ids = (mask.cumsum(-1) - 1).clamp(min=0)
            scores = case.model(input_ids=target, attention_mask=mask, position_ids=position_ids, use_cache=False)
            scores = scores.logits[:, -1]
        target = torch.cat([target, scores.argmax(-1, keepdim=True)], 1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
    return target


WRITING = [(family, where) for family, where in EVERY if make(family, where).writes]


def generated(case: Case) -> Tensor:
    inputs = batch("left" if case.causal else "right")
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    return case.model.generate(**inputs, **options)


@pytest.mark.parametrize(("family", "where"), WRITING, ids=lambda one: one)
def test_generating_is_choosing_step_by_step(family: str, where: str) -> None:
    case = make(family, where)
    assert torch.equal(generated(case), step_by_step(case, 6))


CAUSAL = [family for family in FAMILIES if architecture_of(FAMILIES[family][0]).causal]


@cache
def make_residual(family: str) -> Case:
    """A causal family with the two kinds of codes that `build` gives it, where that puts them."""
    base = make_base(family)
    torch.manual_seed(1)
    config = bottleneck_for(base.config, layer=LAYER, selection="residual", num_codes=49 + 40, top_s=4)
    return Case(base, attach(base, config).eval(), causal=True)


@pytest.fixture(params=CAUSAL)
def residual(request: pytest.FixtureRequest) -> Case:
    return make_residual(request.param)


@pytest.fixture(params=[*WRITING, *CAUSAL], ids=str)
def writing(request: pytest.FixtureRequest) -> Case:
    """Every family that writes, in every place, and with residual codes."""
    return make_residual(request.param) if isinstance(request.param, str) else make(*request.param)


def test_what_is_forgotten_stays_so_step_by_step(writing: Case) -> None:
    gone = used_codes(writing)[::2]
    without = writing._replace(model=copy.deepcopy(writing.model))
    forget(without.model, ForgetSet("topic", tuple(gone.tolist()), model_identity(without.model)))
    taken: list[Tensor] = []
    handle = require_bottleneck(without.model).register_forward_hook(
        lambda module, given, _: taken.append(module.select(given[0]).ids)
    )
    found = generated(without)
    handle.remove()
    assert torch.equal(found, step_by_step(without, 6))
    assert not torch.isin(torch.cat([ids.flatten() for ids in taken]), gone).any()


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_an_assistant_that_knows_a_forgotten_topic_changes_nothing(family: str) -> None:
    """Assisted generation asks the model itself of every token that the assistant, here the plain base, suggests."""
    case = make_residual(family)
    model = copy.deepcopy(case.model)
    forget(model, ForgetSet("topic", tuple(used_codes(case)[::2].tolist()), model_identity(model)))
    ids = torch.tensor(TEXTS[:1])
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    alone = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    assisted = model.generate(ids, attention_mask=torch.ones_like(ids), assistant_model=case.base, **options)
    assert torch.equal(assisted, alone)


def test_residual_codes_are_the_same_alone_and_in_a_batch(residual: Case) -> None:
    test_a_text_has_the_same_codes_alone_and_in_a_batch(residual)
    assert torch.equal(generated(residual), step_by_step(residual, 6))


@pytest.mark.parametrize("kind", [*FIRST, *CAUSAL], ids=str)
def test_an_adapter_and_its_base_are_the_model(
    kind: tuple[str, str] | str, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    case = make_residual(kind) if isinstance(kind, str) else make(*kind)
    case.base.save_pretrained(tmp_path / "base")
    model = copy.deepcopy(case.model)
    keep_base(model, str(tmp_path / "base"))
    save_model(model, tiny_tokenizer, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter")
    assert torch.equal(logits(case, again), logits(case))
    assert model_identity(again) == model_identity(model)
