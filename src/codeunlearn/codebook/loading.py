"""Opening saved models and their tokenizers, from a folder or the Hub: the one way in for files of strangers.

Weights are read from safetensors alone and no code of the model's own is run, see `untrusted.py`; what comes out is
whole and sound, or there is one sentence that says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, PreTrainedTokenizerBase
from transformers import AutoTokenizer as _AutoTokenizer

from codeunlearn.codebook.generation import GenerationShape, generation_of
from codeunlearn.codebook.sites import FAMILIES
from codeunlearn.codebook.untrusted import CONFIG, GENERATION, check_source, check_types, check_weights
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import reason
from codeunlearn.validation import Count, Field, Index, Positive, Shape, Share, validated

_TRIES = 5
_SAFELY: dict[str, Any] = {"trust_remote_code": False}
_FAMILY = {name for family in FAMILIES for name in family.model_types}


class _BottleneckKeys(Shape, extra="allow"):
    """What every version has saved; a default in the place of one that is gone would be another bottleneck."""

    d_model: Any
    num_codes: Any
    code_dim: Any
    top_s: Any
    site: Any


class _BaseShape(Shape, extra="allow"):
    """What transformers would take as it comes, or stumble over, in the configuration of a T5."""

    model_type: str
    vocab_size: Count = 1
    d_model: Count = 1
    d_kv: Count = 1
    d_ff: Count = 1
    num_layers: Count = 1
    num_decoder_layers: Count | None = None
    num_heads: Count = 1
    relative_attention_num_buckets: Count = 1
    relative_attention_max_distance: Count = 1
    dropout_rate: Share = 0.0
    layer_norm_epsilon: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    initializer_factor: Positive = 1.0
    feed_forward_proj: str | None = None
    dense_act_fn: str | None = None
    is_gated_act: bool | None = None
    return_dict: Literal[True] = True
    output_attentions: Literal[False] | None = None
    output_hidden_states: Literal[False] | None = None
    chunk_size_feed_forward: Literal[0] = 0
    is_decoder: Literal[False] = False
    use_cache: bool = True
    scale_decoder_outputs: bool = True
    tie_word_embeddings: bool = True
    is_encoder_decoder: Literal[True] = True
    pad_token_id: Index = 0
    eos_token_id: Index | list[Index] | None = None
    decoder_start_token_id: Index | None = None
    bos_token_id: Index | None = None
    source_prefix: str | None = None
    bottleneck: _BottleneckKeys | None = None


def load_model(
    name: str | Path, dtype: torch.dtype | Literal["auto"] = torch.float32, *, check_ledger: bool = True
) -> Any:
    """A saved encoder-decoder model, with or without a bottleneck.

    Args:
        name: folder or Hub name.
        dtype: type of the weights in memory; ``auto`` keeps the saved one, for a model that is to be saved again.
        check_ledger: refuse a model whose ledger and mask differ, as an interrupted write leaves it; without this check
            `restore` can mend it.

    Raises:
        CodeUnlearnError: there is no such model; its files ask for code; a tensor is missing, misshapen, left over, or
            holds no numbers; or ledger and mask differ.
    """
    name = _found(name, slashes=(1,))
    with _opening(name, f"The model in {name}"):
        return _unchanged_meanwhile(Path(name), lambda: _load(name, dtype, check_ledger)).eval()


def _load(name: str, dtype: torch.dtype | Literal["auto"], check_ledger: bool) -> Any:
    settings = check_source(name)
    if Path(name).is_dir():
        check_weights(Path(name))
    asked = generation_of(settings, CONFIG, name)
    if settings.get(CONFIG, {}).get("model_type") in _FAMILY:
        _check_settings(settings[CONFIG], asked, name)
    options = {**_SAFELY, "use_safetensors": True, "dtype": dtype, "output_loading_info": True}
    if not check_ledger and "bottleneck" in settings.get(CONFIG, {}):
        options["check_ledger"] = False
    model, info = AutoModelForSeq2SeqLM.from_pretrained(name, **options)
    require_whole(info, name)
    _require_numbers(model, name)
    return model


def _unchanged_meanwhile(folder: Path, load: Callable[[], Any]) -> Any:
    """What was loaded of one folder: again where another process put a new one in its place between two of the files."""
    for _ in range(_TRIES - 1):
        place = _place(folder)
        try:
            model = load()
        except Exception:
            if _place(folder) == place:
                raise
        else:
            if _place(folder) == place:
                return model
    return load()


def _place(folder: Path) -> tuple[int, int] | None:
    """Device and number of a folder; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def load_encoder(name: str | Path) -> Any:
    """The encoder of any saved model, in evaluation mode and float32, for metrics that compare its states.

    Raises:
        CodeUnlearnError: there is no such model, or its files ask for code.
    """
    name = _found(name, slashes=(0, 1))
    with _opening(name, f"The encoder in {name}"):
        check_source(name)
        if AutoConfig.from_pretrained(name, **_SAFELY).is_encoder_decoder:
            return load_model(name).get_encoder()
        model = AutoModel.from_pretrained(name, **_SAFELY, use_safetensors=True, dtype=torch.float32)
        _require_numbers(model, name)
        return model.eval()


def load_tokenizer(name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer saved beside a model.

    Raises:
        CodeUnlearnError: there is none, it asks for code, it cannot fill up a batch, or it has tokens that the model has not.
    """
    name = _found(name, slashes=(0, 1))
    with _opening(name, f"{name} holds no tokenizer that can be opened", told=True):
        settings = check_source(name)
        tokenizer: Any = _AutoTokenizer.from_pretrained(name, **_SAFELY)
        _require_fit(tokenizer, settings.get(CONFIG, {}), name)
        return tokenizer


@contextmanager
def _opening(name: str, what: str, *, told: bool = False) -> Generator[None]:
    """Whatever goes wrong inside is one sentence with the model's name.

    A file can make transformers, safetensors and tokenizers fail with errors of any kind, so that none is left out.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, CodeUnlearnError) and name in str(error):
            raise
        raise CodeUnlearnError(f"{what}{'' if told else ' cannot be opened'}: {reason(error)}.") from error


def _found(name: str | Path, slashes: tuple[int, ...]) -> str:
    """The name, if it can be one of a folder that is there or of a model of the Hub."""
    name = str(name)
    try:
        path = Path(name)
        exists = path.exists()
        is_file = path.is_file()
    except (OSError, ValueError):  # too long, or with a null byte
        exists = is_file = False
    if is_file:
        raise CodeUnlearnError(f"{name} is a file, not a model; give the folder of a saved model or a Hub name.")
    if not exists and (name.startswith((".", "/")) or name.count("/") not in slashes or not name.isprintable()):
        shown = name if name.isprintable() else repr(name)
        raise CodeUnlearnError(f"There is no model folder {shown}; give the folder of a saved model or a Hub name.")
    return name


def require_whole(info: dict[str, Any], name: str) -> None:
    """That the file held the tensors that the configuration asks for, and no others.

    Args:
        info: transformers' account of the loading.

    Raises:
        CodeUnlearnError: it did not.
    """
    if info["mismatched_keys"]:
        key, found, expected = sorted(info["mismatched_keys"])[0]
        raise CodeUnlearnError(
            f"{name} holds {key} with shape {tuple(found)}, but its config.json asks for {tuple(expected)}; "
            "the two files do not belong together: save or download the model again."
        )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise CodeUnlearnError(
            f"{name} lacks {len(missing)} of the model's tensors (the first is {missing[0]}); save or download it "
            "again, or attach a bottleneck to a plain model with `codeunlearn build`."
        )
    if info["unexpected_keys"]:
        unexpected = sorted(info["unexpected_keys"])
        raise CodeUnlearnError(
            f"{name} holds {len(unexpected)} tensors that its config.json leaves out (the first is {unexpected[0]}); the "
            "two files do not belong together: save or download the model again."
        )


def _check_settings(config: dict[str, Any], generation: GenerationShape | None, name: str) -> None:
    """Of a T5, with or without a bottleneck."""
    shape = validated(_BaseShape, config, f"{CONFIG} of {name}")
    _check_activation(shape, name)
    used = [shape.pad_token_id, shape.eos_token_id, shape.decoder_start_token_id, shape.bos_token_id]
    if generation is not None:
        used += generation.token_ids()
        if generation.decoder_start_token_id is None and generation.bos_token_id is None:
            raise CodeUnlearnError(
                f"{GENERATION} of {name} says no decoder_start_token_id, with which an output begins."
            )
    if (largest := max(_numbers(used))) >= shape.vocab_size:
        raise CodeUnlearnError(
            f"{name} asks for the token {largest} and embeds {shape.vocab_size:,}; save or download it again."
        )
    if Path(name).is_dir():
        check_types(Path(name))


def _check_activation(shape: _BaseShape, name: str) -> None:
    """transformers follows ``feed_forward_proj`` and passes over the two keys that it writes beside it."""
    wanted = shape.feed_forward_proj or ("gated-gelu" if shape.model_type.endswith("mt5") else "relu")
    gated = wanted.startswith("gated-")
    function = "gelu_new" if wanted == "gated-gelu" else wanted.removeprefix("gated-")
    if shape.dense_act_fn not in (None, function) or shape.is_gated_act not in (None, gated):
        raise CodeUnlearnError(
            f"{CONFIG} of {name} names two activations: feed_forward_proj is {wanted!r}, dense_act_fn {shape.dense_act_fn!r} and "
            f"is_gated_act {shape.is_gated_act!r}; save or download the model again."
        )


def _numbers(nested: Any) -> Iterator[int]:
    """All whole numbers in lists however deep."""
    if isinstance(nested, list):
        for part in cast(list[Any], nested):
            yield from _numbers(part)
    elif isinstance(nested, int):
        yield nested


def _require_numbers(model: nn.Module, name: str) -> None:
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CodeUnlearnError(
                f"{key} in {name} holds values that are not numbers; save or download the model again."
            )


def _require_fit(tokenizer: Any, config: dict[str, Any], name: str) -> None:
    if tokenizer.pad_token_id is None:
        raise CodeUnlearnError(f"The tokenizer in {name} has no padding token, so that it cannot make batches.")
    if not isinstance(tokenizer.model_max_length, (int, float)) or tokenizer.model_max_length < 1:
        raise CodeUnlearnError(
            f"The tokenizer in {name} takes no text: its model_max_length is {tokenizer.model_max_length!r}."
        )
    size = config.get("vocab_size")
    used = {tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id} - {None}
    used.update(tokenizer("").input_ids)  # what stands around every text
    words = set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)
    if isinstance(size, int) and (largest := max(used | words)) >= size:
        raise CodeUnlearnError(
            f"The tokenizer in {name} has a token {largest} and the model embeds {size:,}; they do not belong together."
        )
