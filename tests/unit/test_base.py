"""A training starts only from a model and data that fit it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AddedToken, PreTrainedTokenizerFast

from codeunlearn.corpus.loading import DataConfig, filled_pools
from codeunlearn.corpus.pools import POOLS, pool_of
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.base import load_base
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig
from codeunlearn.training.run import build, train_joint, train_plain

NONE = Dataset.from_dict({"source": [], "target": []})


def save(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast) -> str:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_tokenizer_that_fits_the_embeddings_is_taken(
    tmp_path: Path, tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    base = load_base(save(tmp_path, tiny_base, tiny_tokenizer), NONE, 0)
    assert not base.from_scratch
    assert base.tokenizer.get_vocab() == tiny_tokenizer.get_vocab()


def test_a_tokenizer_larger_than_the_embeddings_is_refused(
    tmp_path: Path, tiny_base: Any, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    folder = save(tmp_path, tiny_base, tiny_tokenizer)
    larger = PreTrainedTokenizerFast.from_pretrained(folder)
    larger.add_tokens([AddedToken(f"new{i}") for i in range(48)])
    larger.save_pretrained(folder)
    with pytest.raises(CodeUnlearnError, match=r"has a token 95 and the model embeds 48"):
        load_base(folder, NONE, 0)


def sentences_of(pool: str, count: int) -> list[str]:
    return [s for i in range(400) if pool_of(s := f"The dog has {i} bones.") == pool][:count]


@pytest.fixture
def only_test(tmp_path: Path) -> DataConfig:
    """A file all of whose sentences are in the test pool."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{s}\tLe chien.{i}\n" for i, s in enumerate(sentences_of("test", 5))), encoding="utf-8")
    return DataConfig(str(path))


def test_a_training_says_which_columns_it_reads(
    tmp_path: Path, only_test: DataConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CodeUnlearnError, match="no sentence in the train pool"):
        build(only_test, "absent/base", tmp_path / "out", BuildConfig(), device="cpu")
    assert f"5 pairs from {only_test.data}, columns 1, 2\n" in capsys.readouterr().err


def test_no_training_begins_without_a_sentence_to_train_on(tmp_path: Path, only_test: DataConfig) -> None:
    out = tmp_path / "out"
    with pytest.raises(CodeUnlearnError, match=r"no sentence in the train pool \(0 for train, 0 for validation, 5 for"):
        train_plain(only_test, "tiny", out, TrainConfig(device="cpu"))
    with pytest.raises(CodeUnlearnError, match="no sentence in the train pool"):
        train_joint(only_test, "absent/base", out, TrainConfig(device="cpu"), BuildConfig())
    with pytest.raises(CodeUnlearnError, match="no sentence in the train pool"):
        build(only_test, "absent/base", out, BuildConfig(), device="cpu")
    assert not out.exists()


@pytest.mark.parametrize("held", POOLS)
@pytest.mark.parametrize("needed", POOLS)
def test_a_pool_that_is_needed_holds_sentences(held: str, needed: Any) -> None:
    found = sentences_of(held, 3)
    data = Dataset.from_dict({"source": found, "target": found})
    if held == needed:
        assert list(filled_pools(data, [needed], "pairs.tsv")[needed]["source"]) == found
    else:
        with pytest.raises(CodeUnlearnError, match=f"pairs.tsv has no sentence in the {needed} pool"):
            filled_pools(data, [needed], "pairs.tsv")
