"""Codes are added for what a codebook explains badly; what was there, and what was forgotten, stays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from codeunlearn.codebook import fingerprint, load_model, model_identity, require_bottleneck
from codeunlearn.codebook.encoding import padded_with_mask
from codeunlearn.codebook.probing import run_to_site
from codeunlearn.codebook.writing import save_model
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.growing import grow
from codeunlearn.training.initialise import BuildConfig, initialise_from_data, unexplained_variance
from codeunlearn.unlearning import ForgetSet, commit, forget

OLD = [f"{subject} {verb} {thing}" for subject in "abcd" for verb in "efgh" for thing in "ijklmnop"]
NEW = [f"{first}{second} {third} dog" for first in "qrstuv" for second in "wxyz" for third in "abcdefgh"]
ADDED = BuildConfig(fit_tokens=600)


@pytest.fixture
def model(tiny: Callable[..., Any], tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its codes were made from other text than that for which it grows."""
    monkeypatch.setattr("codeunlearn.training.initialise.HELD_OUT_TOKENS", 64)
    made = tiny(num_codes=49 + 40, code_dim=16, autoencoder=False, lexical_codes=49)
    initialise_from_data(made, tiny_tokenizer, OLD, BuildConfig(fit_tokens=200))
    return made


def states(model: Any, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    ids, mask = padded_with_mask([tokenizer(text).input_ids for text in texts], 0, 8)
    with torch.no_grad():
        return run_to_site(model, ids, mask)[mask.bool()]


def test_new_codes_explain_new_text_better_and_old_ones_stay_as_they_were(model: Any, tiny_tokenizer: Any) -> None:
    codebook = require_bottleneck(model).codebook
    before = codebook.weight.clone()
    found = grow(model, tiny_tokenizer, NEW, 20, ADDED)
    assert found["unexplained_variance"] < 0.8 * found["unexplained_variance_before"]
    assert torch.equal(codebook.weight[: len(before)], before)
    assert codebook.code_ids.tolist() == list(range(len(before) + 20))
    assert model.config.bottleneck.num_codes == len(before) + 20


def test_codes_grown_for_a_text_explain_it_better_than_codes_grown_for_another(model: Any, tiny_tokenizer: Any) -> None:
    left: dict[str, float] = {}
    for name, text in (("new", NEW), ("old", OLD)):
        grown = copy.deepcopy(model)
        grow(grown, tiny_tokenizer, text, 20, ADDED)
        new_states = states(grown, tiny_tokenizer, NEW)
        left[name] = unexplained_variance(require_bottleneck(grown), new_states)
    assert left["new"] < 0.9 * left["old"]


def test_tokens_that_become_codes_are_those_that_are_explained_badly(model: Any, tiny_tokenizer: Any) -> None:
    bottleneck, found = require_bottleneck(model), states(model, tiny_tokenizer, NEW)
    known = bottleneck.codebook.num_codes
    with torch.no_grad():
        left = found - bottleneck.offset - bottleneck.codebook.weight[bottleneck.select(found, 1).ids[:, 0]]
        unexplained = (bottleneck.run(found).a_hat - found).square().sum(-1) / found.square().sum(-1)
    grow(model, tiny_tokenizer, NEW, 20, ADDED)
    became = (F.normalize(left, dim=-1) @ bottleneck.codebook.weight[known:].T).argmax(0)
    assert unexplained[became].mean() > 1.5 * unexplained.mean()


def test_forget_sets_stay_valid_through_growth_a_file_and_a_commit(
    model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    first = ForgetSet("first", (3, 60), model_identity(model))
    grow(model, tiny_tokenizer, NEW, 10, ADDED)
    second = ForgetSet("second", (5, 70), model_identity(model))
    grow(model, tiny_tokenizer, NEW, 5, BuildConfig(fit_tokens=600, seed=1))
    save_model(model, tiny_tokenizer, tmp_path / "grown")
    again = load_model(tmp_path / "grown")
    assert fingerprint(again) == fingerprint(model)
    assert forget(again, first) == 2
    assert commit(again) == 2
    assert forget(again, second) == 2


def test_another_model_does_not_take_over_the_names(model: Any, tiny_tokenizer: Any) -> None:
    of_before = ForgetSet("before", (3,), model_identity(model))
    grow(model, tiny_tokenizer, NEW, 10, ADDED)
    with torch.no_grad():
        require_bottleneck(model).codebook.weight[0] += 1
    with pytest.raises(CodeUnlearnError, match="was made for the model"):
        forget(model, of_before)


def test_what_was_forgotten_gets_no_codes_of_its_own(model: Any, tiny_tokenizer: Any) -> None:
    bottleneck = require_bottleneck(model)
    taken = bottleneck.select(states(model, tiny_tokenizer, NEW)).ids
    gone = int(taken[:, 0].mode().values)
    forget(model, ForgetSet("gone", (gone,), model_identity(model)))
    known, hidden = bottleneck.codebook.num_codes, states(model, tiny_tokenizer, NEW)[(taken == gone).any(-1)]
    grow(model, tiny_tokenizer, NEW, 10, ADDED)
    added = bottleneck.codebook.weight[known:]
    wanted = bottleneck.encode(hidden) - bottleneck.codebook.weight[bottleneck.select(hidden, 1).ids[:, 0]]
    cosines = torch.nn.functional.normalize(wanted, dim=-1) @ added.detach().T
    assert float(cosines.max()) < 0.999, "no code is what a token says that takes the deleted code"


def test_a_committed_model_is_not_grown(model: Any, tiny_tokenizer: Any) -> None:
    forget(model, ForgetSet("gone", (3,), model_identity(model)))
    commit(model)
    with pytest.raises(CodeUnlearnError, match="from before the commit"):
        grow(model, tiny_tokenizer, NEW, 10, ADDED)


def test_too_little_text_is_one_clear_sentence(model: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(CodeUnlearnError, match=r"too few for 500; give more data, more tokens .* or fewer codes"):
        grow(model, tiny_tokenizer, NEW, 500, ADDED)
    with pytest.raises(CodeUnlearnError, match="Of the tokens read, 0 differ enough"):
        grow(model, tiny_tokenizer, [], 5, ADDED)
    for text in (["a"], ["a e"]):
        with pytest.raises(CodeUnlearnError, match="too few for 1"):
            grow(model, tiny_tokenizer, text, 1, ADDED)
    with pytest.raises(CodeUnlearnError, match="give at least 1"):
        grow(model, tiny_tokenizer, NEW, 0, ADDED)


def test_the_nearest_codes_are_not_added_to(tiny_model: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(CodeUnlearnError, match="build the bottleneck again with more of them"):
        grow(tiny_model, tiny_tokenizer, NEW, 10, ADDED)
