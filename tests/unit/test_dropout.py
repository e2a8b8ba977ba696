"""Dropout drawn once per sentence and feature."""

import torch
from torch import nn

from codeunlearn.training.dropout import SentenceDropout, use_sentence_dropout
from codeunlearn.training.sizes import SIZES


def test_a_feature_is_dropped_at_every_position_of_a_sentence_or_at_none() -> None:
    torch.manual_seed(0)
    out = SentenceDropout(0.5).train()(torch.ones(64, 7, 32))
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert set(out.unique().tolist()) == {0.0, 2.0}


def test_sentences_are_dropped_independently_and_the_mean_is_kept() -> None:
    torch.manual_seed(0)
    out = SentenceDropout(0.25).train()(torch.ones(512, 3, 64))
    assert not torch.equal(out[0], out[1])
    assert abs(out.mean().item() - 1.0) < 0.02


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.randn(2, 3, 4)
    assert torch.equal(SentenceDropout(0.5).eval()(x), x)


def test_every_dropout_layer_of_a_t5_is_replaced_and_its_answers_outside_training_stay() -> None:
    torch.manual_seed(0)
    model = SIZES["tiny"].model(100).eval()
    ids = torch.randint(2, 100, (2, 5))
    before = model(input_ids=ids, labels=ids).logits
    use_sentence_dropout(model, 0.3)
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    assert any(isinstance(module, SentenceDropout) for module in model.modules())
    assert torch.equal(model(input_ids=ids, labels=ids).logits, before)
    model.train()
    assert not torch.equal(model(input_ids=ids, labels=ids).logits, before)
