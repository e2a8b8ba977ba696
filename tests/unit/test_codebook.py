"""Equation 3, and what a deletion does to it in each mode."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from codeunlearn.codebook import DELETION_MODES, BottleneckConfig, Codebook, DeletionMode, operator
from codeunlearn.errors import CodeUnlearnError

E = torch.eye(4)


def codebook(mode: DeletionMode = "refill", deleted: tuple[int, ...] = ()) -> Codebook:
    """Four codes of different lengths; for `activation` their order by similarity is 0, 1, 2, 3."""
    book = Codebook(BottleneckConfig(d_model=4, num_codes=4, code_dim=4, top_s=1, deletion_mode=mode))
    with torch.no_grad():
        book.weight.copy_(torch.tensor([[2.0], [3.0], [0.5], [7.0]]) * E)
    book.deleted[list(deleted)] = True
    return book


@pytest.fixture
def activation() -> Tensor:
    return torch.tensor([[4.0, 3.0, 2.0, 1.0]])


def total(book: Codebook, h: Tensor, s: int = 2) -> list[float]:
    return book.combine(book.search(h, s)).squeeze(0).tolist()


def test_the_sum_is_of_the_codes_as_they_are(activation: Tensor) -> None:
    """Equation 3 sums code vectors with their own lengths, though equation 1 compares directions only."""
    assert codebook().search(activation, 2).ids.tolist() == [[0, 1]]
    assert total(codebook(), activation) == [2.0, 3.0, 0.0, 0.0]


@pytest.mark.parametrize("mode", DELETION_MODES)
def test_without_deletions_the_modes_agree(mode: DeletionMode, activation: Tensor) -> None:
    assert total(codebook(mode), activation) == [2.0, 3.0, 0.0, 0.0]


def test_refill_gives_the_slot_to_the_next_best_code(activation: Tensor) -> None:
    assert total(codebook("refill", deleted=(0,)), activation) == [0.0, 3.0, 0.5, 0.0]


def test_drop_leaves_only_the_surviving_codes(activation: Tensor) -> None:
    assert total(codebook("drop", deleted=(0,)), activation) == [0.0, 3.0, 0.0, 0.0]


def test_anchor_fills_the_slot_with_the_mean_of_the_surviving_codes(activation: Tensor) -> None:
    mean = torch.tensor([0.0, 3.0, 0.5, 7.0]) / 3
    expected = torch.tensor([0.0, 3.0, 0.0, 0.0]) + mean
    torch.testing.assert_close(torch.tensor(total(codebook("anchor", deleted=(0,)), activation)), expected)


def test_anchor_fills_every_empty_slot(activation: Tensor) -> None:
    mean = torch.tensor([0.0, 0.0, 0.5, 7.0]) / 2
    torch.testing.assert_close(torch.tensor(total(codebook("anchor", deleted=(0, 1)), activation)), 2 * mean)


def test_refill_with_too_few_codes_left_is_an_error(activation: Tensor) -> None:
    """A model that cannot fill its slots would translate everything into nothing."""
    with pytest.raises(CodeUnlearnError, match="Only 1 of 4 codes are left and 2 are to be selected"):
        codebook("refill", deleted=(0, 1, 2)).search(activation, 2)


@pytest.mark.parametrize("mode", ["drop", "anchor"])
def test_with_every_code_deleted_nothing_of_the_input_is_left(mode: DeletionMode) -> None:
    h = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    book = codebook(mode, deleted=(0, 1, 2, 3))
    assert torch.equal(book.combine(book.search(h, 2)), torch.zeros(6, 4))


def test_a_search_can_look_past_deletions(activation: Tensor) -> None:
    book = codebook("refill", deleted=(0,))
    assert book.search(activation, 2).ids.tolist() == [[1, 2]]
    assert book.search(activation, 2, ignore_deleted=True).ids.tolist() == [[0, 1]]


def test_a_deleted_code_receives_no_gradient_and_a_selected_one_does(activation: Tensor) -> None:
    book = codebook("drop", deleted=(0,))
    book.combine(book.search(activation, 2)).sum().backward()
    assert book.weight.grad is not None
    assert book.weight.grad.tolist() == [[0.0] * 4, [1.0] * 4, [0.0] * 4, [0.0] * 4]


def test_more_codes_than_there_are_is_one_clear_error(activation: Tensor) -> None:
    with pytest.raises(CodeUnlearnError, match="Cannot select 5 codes: the codebook has 4"):
        codebook().search(activation, 5)


def test_deletions_and_ids_travel_with_the_weights() -> None:
    book = codebook()
    book.load_state_dict(codebook(deleted=(1, 3)).state_dict())
    assert book.deleted.tolist() == [False, True, False, True]
    assert book.code_ids.tolist() == [0, 1, 2, 3]


def test_removing_deleted_rows_changes_no_output_and_keeps_the_ids(activation: Tensor) -> None:
    book = codebook("refill", deleted=(0, 2))
    before = total(book, activation)
    assert book.remove_deleted_rows() == 2
    assert total(book, activation) == before
    assert book.num_codes == 2
    assert book.code_ids.tolist() == [1, 3]
    assert not book.deleted.any()


def _delete(book: Codebook) -> None:
    book.deleted[0] = True


def _delete_uncounted(book: Codebook) -> None:
    book.deleted.data[0] = True


def _move(book: Codebook) -> None:
    book.weight[0] = -E[0]


def _move_uncounted(book: Codebook) -> None:
    book.weight.data[0] = -E[0]


def _average(book: Codebook) -> None:
    """As an exponential moving average of weights is kept."""
    other = -book.weight.data.clone()
    other[1:] *= -1
    book.weight.data.mul_(0.1).add_(other, alpha=0.9)


def _load(book: Codebook) -> None:
    book.load_state_dict(codebook(deleted=(0,)).state_dict())


def _replace(book: Codebook) -> None:
    book.weight = torch.nn.Parameter(-book.weight.detach() * (2 * E[0] - 1))
    book.weight.data[1:] *= -1


@pytest.mark.parametrize("inference", [False, True], ids=["", "inference"])
@pytest.mark.parametrize("write", [_delete, _delete_uncounted, _move, _move_uncounted, _average, _load, _replace])
def test_no_search_uses_what_was_prepared_before_a_write(
    write: Callable[[Codebook], None], inference: bool, activation: Tensor
) -> None:
    """Whatever way codes or deletions are written, also where torch does not count it."""
    with torch.inference_mode() if inference else torch.no_grad():
        book = deepcopy(codebook().eval())
        assert book.search(activation, 1).ids.tolist() == [[0]]
        write(book)
        assert book.search(activation, 1).ids.tolist() != [[0]]


def test_prepared_codes_serve_the_next_search_and_go_with_the_weights(activation: Tensor) -> None:
    book = codebook().eval()
    with torch.no_grad():
        book.search(activation, 1)
        kept = operator._kept[book.weight]
        book.search(activation, 1)
        assert operator._kept[book.weight] is kept
    known = len(operator._kept)
    del book
    assert len(operator._kept) == known - 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_code_that_is_no_number_is_an_error(value: float, activation: Tensor) -> None:
    book = codebook().eval()
    book.weight.data[2, 1] = value
    with pytest.raises(CodeUnlearnError, match="Row 2 of the codebook holds what is no finite number"):
        book.search(activation, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_activation_that_is_no_number_is_an_error(value: float, activation: Tensor) -> None:
    activation[0, 3] = value
    with pytest.raises(CodeUnlearnError, match="activations at the bottleneck are not finite"):
        codebook().search(activation, 1)


def test_an_optimizer_step_is_seen_in_evaluation_mode(activation: Tensor) -> None:
    """A fused optimizer writes to the weights without torch counting it."""
    book = codebook().eval()
    with torch.no_grad():
        book.search(activation, 1)
    book.combine(book.search(activation, 1)).sum().backward()
    book.weight.grad = torch.zeros(4, 4)
    book.weight.grad[0, 0] = 1.0
    torch.optim.AdamW([book.weight], lr=100.0, weight_decay=0.0, fused=True).step()
    with torch.no_grad():
        assert book.search(activation, 1).ids.tolist() == [[1]]


def test_a_copy_searches_its_own_codes(activation: Tensor) -> None:
    book = codebook().eval()
    with torch.no_grad():
        book.search(activation, 1)
        copied = deepcopy(book)
        copied.deleted[0] = True
        assert copied.search(activation, 1).ids.tolist() == [[1]]
        assert book.search(activation, 1).ids.tolist() == [[0]]
