"""What joint training does to a codebook: starts it from data, watches it, revives its dead codes, or leaves it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from codeunlearn.codebook.bottleneck import BottleneckOutput, ConceptBottleneck, require_bottleneck
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.dead_codes import revive, sample_encodings
from codeunlearn.training.health import HealthMonitor
from codeunlearn.training.initialise import BuildConfig, initialise_from_data, unexplained_variance
from codeunlearn.training.joint import freeze
from codeunlearn.training.optimizer import make_optimizer

SENTENCES = [f"{subject} {verb} {thing}" for subject in "abcd" for verb in "efgh" for thing in "ijklmnop"]


def record(ids: list[list[int]], a: Tensor, a_hat: Tensor) -> BottleneckOutput:
    h = torch.ones(*a.shape[:2], 3)
    return BottleneckOutput(a, h, h, a_hat, torch.tensor(ids)[None])


class TestHealth:
    def test_codes_that_only_padding_used_are_dead(self) -> None:
        monitor = HealthMonitor(4)
        a = torch.randn(1, 3, 2)
        monitor.update(record([[0, 1], [0, 1], [2, 3]], a, a), torch.tensor([[1, 1, 0]]))
        report = monitor.report()
        assert report.dead_share == 0.5
        assert report.usage_entropy == pytest.approx(0.5)

    def test_a_reconstruction_by_the_mean_explains_nothing_and_a_perfect_one_everything(self) -> None:
        a = torch.randn(1, 6, 2)
        ids = [[0, 1]] * 6
        for a_hat, expected in ((a, 0.0), (a.mean(1, keepdim=True).expand_as(a), 1.0)):
            monitor = HealthMonitor(4)
            monitor.update(record(ids, a, a_hat), torch.ones(1, 6))
            assert monitor.report().unexplained_variance == pytest.approx(expected)

    def test_a_report_starts_anew(self) -> None:
        monitor = HealthMonitor(4)
        a = torch.randn(1, 3, 2)
        monitor.update(record([[0, 1]] * 3, a, 2 * a), torch.ones(1, 3))
        assert monitor.report().norm_ratio == pytest.approx(2)
        assert monitor.report().dead_share == 1


class TestRevival:
    @pytest.fixture
    def trained(self, tiny_config: BottleneckConfig) -> tuple[ConceptBottleneck, Any]:
        torch.manual_seed(0)
        bottleneck = ConceptBottleneck(tiny_config)
        optimizer = make_optimizer(bottleneck, "adamw", 1e-2, 1e-2, 0.0)
        bottleneck(torch.randn(2, 30, 16)).square().sum().backward()
        optimizer.step()
        return bottleneck, optimizer

    def test_dead_codes_become_encodings_over_s_with_fresh_optimizer_state(
        self, trained: tuple[ConceptBottleneck, Any]
    ) -> None:
        bottleneck, optimizer = trained
        codebook = bottleneck.codebook
        dead = torch.zeros(64, dtype=torch.bool)
        dead[[3, 5]] = True
        before = codebook.weight.detach().clone()
        state = optimizer.state[codebook.weight]
        state["exp_avg"] += 1
        encodings = torch.randn(7, 12)
        assert revive(codebook, dead, encodings, 4, optimizer, seed=0) == 2
        for row in (3, 5):
            assert any(torch.allclose(codebook.weight[row], encoding / 4) for encoding in encodings)
        assert not state["exp_avg"][dead].any()
        assert state["exp_avg"][~dead].all()
        assert torch.equal(codebook.weight[~dead], before[~dead])

    def test_no_two_codes_become_the_same_encoding(self, trained: tuple[ConceptBottleneck, Any]) -> None:
        bottleneck, optimizer = trained
        dead = torch.zeros(64, dtype=torch.bool)
        dead[:10] = True
        encodings = torch.randn(7, 12)
        before = bottleneck.codebook.weight.detach().clone()
        assert revive(bottleneck.codebook, dead, encodings.repeat(3, 1), 4, optimizer, seed=0) == 7
        changed = bottleneck.codebook.weight[(bottleneck.codebook.weight != before).any(1)]
        assert len(changed.unique(dim=0)) == 7

    def test_deleted_codes_stay_dead(self, trained: tuple[ConceptBottleneck, Any]) -> None:
        bottleneck, optimizer = trained
        bottleneck.codebook.deleted[3] = True
        before = bottleneck.codebook.weight.detach().clone()
        dead = torch.zeros(64, dtype=torch.bool)
        dead[3] = True
        assert revive(bottleneck.codebook, dead, torch.randn(7, 12), 4, optimizer, seed=0) == 0
        assert torch.equal(bottleneck.codebook.weight, before)

    def test_encodings_come_from_real_tokens(self, trained: tuple[ConceptBottleneck, Any]) -> None:
        output = trained[0].run(torch.randn(2, 5, 16))
        mask = torch.tensor([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
        drawn = sample_encodings(output, mask, 50, seed=0)
        real = output.h[mask.bool()]
        assert drawn.shape == (50, 12)
        assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in real.tolist()}


class TestStartFromData:
    def test_codes_are_encodings_over_s_and_the_decoder_explains_unseen_tokens(
        self, tiny_model: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("codeunlearn.training.initialise.HELD_OUT_TOKENS", 64)
        bottleneck = require_bottleneck(tiny_model)
        random = unexplained_variance(bottleneck, torch.randn(64, 16))
        quality = initialise_from_data(tiny_model, tiny_tokenizer, SENTENCES, BuildConfig(fit_tokens=200))
        assert quality["unexplained_variance"] < 0.5 < random
        norms = bottleneck.codebook.weight.norm(dim=1) * bottleneck.config.top_s
        torch.testing.assert_close(norms, torch.full_like(norms, 12**0.5), rtol=1e-2, atol=0.0)

    def test_too_little_text_is_one_clear_sentence(self, tiny_model: Any, tiny_tokenizer: Any) -> None:
        with pytest.raises(CodeUnlearnError, match=r"too few for 64 codes .* give more data or fewer codes"):
            initialise_from_data(tiny_model, tiny_tokenizer, SENTENCES[:2], BuildConfig())


@pytest.mark.parametrize(("part", "base", "bottleneck"), [("nothing", 1, 1), ("base", 0, 1), ("bottleneck", 1, 0)])
def test_what_is_frozen_gets_no_gradient(tiny_model: Any, part: Any, base: int, bottleneck: int) -> None:
    inside = require_bottleneck(tiny_model)
    freeze(tiny_model, inside, part)
    names = {id(p) for p in inside.parameters()}
    assert {p.requires_grad for p in tiny_model.parameters() if id(p) not in names} == {bool(base)}
    assert {p.requires_grad for p in inside.parameters()} == {bool(bottleneck)}


def test_muon_serves_a_frozen_base(tiny_model: Any) -> None:
    bottleneck = require_bottleneck(tiny_model)
    freeze(tiny_model, bottleneck, "base")
    optimizer = make_optimizer(tiny_model, "muon", 1e-2, 1e-3, 0.1)
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {id(p) for p in bottleneck.parameters()}
