"""Opening saved models and their tokenizers, from a folder or the Hub: the one way in for files of strangers.

Weights are read from safetensors alone and no code of the model's own is run, see `untrusted.py`; what comes out is
whole and sound, or there is one sentence that says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerBase,
)
from transformers import AutoTokenizer as _AutoTokenizer
from transformers.utils import logging

from codeunlearn.codebook.adapter import KIND, base_kind, load_adapter
from codeunlearn.codebook.architectures import architecture_of, base_type, find_architecture
from codeunlearn.codebook.checks import require_fit, require_numbers, require_settings, require_whole
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.codebook.generation import generation_of
from codeunlearn.codebook.languages import set_languages, told
from codeunlearn.codebook.modeling import with_bottleneck
from codeunlearn.codebook.quantised import QUANTISATION, require_bitsandbytes
from codeunlearn.codebook.untrusted import CONFIG, TOKENIZER, check_source, check_weights, commit_of, drop_code
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import exists, reason

DeviceMap = str | dict[str, int | str | torch.device] | None
_TRIES = 5
_SAFELY: dict[str, Any] = {"trust_remote_code": False}


def load_model(
    name: str | Path,
    dtype: torch.dtype | Literal["auto"] = torch.float32,
    *,
    revision: str | None = None,
    device_map: DeviceMap = None,
    check_ledger: bool = True,
) -> Any:
    """A saved model, with or without a bottleneck; of an architecture that is not known here, an encoder-decoder one.

    Args:
        name: folder or Hub name.
        dtype: type of the weights in memory; ``auto`` keeps the saved one, for a model that is to be saved again.
        revision: branch, tag or commit of a Hub model, the newest if absent; an adapter knows that of its base.
        device_map: over which devices the model is spread, as for transformers, such as ``auto``; needs accelerate.
        check_ledger: refuse a model whose ledger and mask differ, as an interrupted write leaves it; without this check
            `restore` can mend it.

    Raises:
        CodeUnlearnError: there is no such model; its files ask for code; a tensor is missing, misshapen, left over, or
            holds no numbers; or ledger and mask differ.
    """
    name = _found(name, slashes=(1,))
    with _opening(name, f"The model in {name}"):
        commit = commit_of(name, revision)
        return _unchanged_meanwhile(Path(name), lambda: _load(name, commit, dtype, device_map, check_ledger)).eval()


def load_both(name: str | Path) -> tuple[Any, PreTrainedTokenizerBase]:
    """A saved model and its tokenizer, which a multilingual one needs to begin answers in their language.

    Raises:
        CodeUnlearnError: as `load_model` and `load_tokenizer`.
    """
    model, tokenizer = load_model(name), load_tokenizer(name)
    set_languages(model, tokenizer)
    return model, tokenizer


def saved_kind(name: str | Path) -> tuple[str | None, dict[str, str]]:
    """The ``model_type`` of a saved model, and what its files say of task and languages; an adapter's are those of its base.

    Its weights are not read.

    Raises:
        CodeUnlearnError: there is no such model; its files ask for code.
    """
    name = _found(name, slashes=(1,))
    with _opening(name, f"The model in {name}"):
        settings = check_source(name)
        config = settings.get(CONFIG, {})
        kind = base_kind(config) if config.get("model_type") == KIND else config.get("model_type")
        return kind, _told(settings, name)


def _told(settings: dict[str, dict[str, Any]], name: str) -> dict[str, str]:
    config = settings.get(CONFIG, {})
    own: Any = config.get("base") if config.get("model_type") == KIND else config
    return told(own if isinstance(own, dict) else {}, settings.get(TOKENIZER, {}), name)


def _load(
    name: str,
    revision: str | None,
    dtype: torch.dtype | Literal["auto"],
    device_map: DeviceMap,
    check_ledger: bool,
) -> Any:
    settings = check_source(name, revision)
    if Path(name).is_dir():
        check_weights(Path(name))
    config = settings.get(CONFIG, {})
    if config.get("model_type") == KIND:
        load_base = partial(load_model, dtype=dtype, device_map=device_map)
        adapter = load_adapter(
            name, revision, lambda base, its: load_base(base, revision=its), dtype, check_ledger=check_ledger
        )
        return _noting(adapter, settings, name)
    architecture = find_architecture(config.get("model_type"))
    if architecture is None:
        generation_of(settings, CONFIG, name)
    else:
        require_settings(settings, architecture, name)
        with_bottleneck(base_type(config["model_type"]))
    if config.get(QUANTISATION) is not None:
        require_bitsandbytes()
    options = {**_SAFELY, "revision": revision, "use_safetensors": True, "dtype": dtype, "output_loading_info": True}
    if device_map is not None:
        options["device_map"] = device_map
    if not check_ledger and "bottleneck" in config:
        options["check_ledger"] = False
    auto: Any = AutoModelForSeq2SeqLM if architecture is None else architecture.auto
    model, info = auto.from_pretrained(name, **options)
    drop_code(model.config)
    require_whole(info, name)
    require_numbers(model, name)
    return _noting(model, settings, name)


def _noting(model: Any, settings: dict[str, dict[str, Any]], name: str) -> Any:
    """The model, in whose configuration stands what its files say of task and languages."""
    for key, value in _told(settings, name).items():
        setattr(model.config, key, value)
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


def is_packed(name: str | Path) -> bool:
    """Whether a saved model's weights are quantised; they are not read.

    Raises:
        CodeUnlearnError: there is no such model; its files ask for code.
    """
    name = _found(name, slashes=(1,))
    with _opening(name, f"The model in {name}"):
        return check_source(name).get(CONFIG, {}).get(QUANTISATION) is not None


def lacks_head(name: str | Path) -> bool:
    """Whether a saved model is an encoder of a known family that does not classify texts yet; its weights are not read.

    Raises:
        CodeUnlearnError: there is no such model; its files ask for code.
    """
    name = _found(name, slashes=(1,))
    with _opening(name, f"The model in {name}"):
        config = check_source(name).get(CONFIG, {})
        architecture = find_architecture(config.get("model_type"))
        known = [one for one in config.get("architectures") or [] if isinstance(one, str)]
        classifies = architecture is not None and architecture.auto is AutoModelForSequenceClassification
        return classifies and bool(known) and not any(one.endswith("ForSequenceClassification") for one in known)


def load_with_new_head(name: str | Path, labels: Sequence[str]) -> Any:
    """A saved encoder, such as one that was trained to fill gaps, with a random head for these classes, in float32.

    Raises:
        CodeUnlearnError: as `load_model`.
    """
    name = _found(name, slashes=(1,))
    with _opening(name, f"The encoder in {name}"):
        settings = check_source(name)
        if Path(name).is_dir():
            check_weights(Path(name))
        architecture = architecture_of(settings[CONFIG]["model_type"])
        require_settings(settings, architecture, name)
        model, info = architecture.auto.from_pretrained(
            name,
            **_SAFELY,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            id2label=dict(enumerate(labels)),
            label2id={label: i for i, label in enumerate(labels)},
        )
        body = f"{model.base_model_prefix}."
        for keys in ("missing_keys", "unexpected_keys"):  # heads come and go, and the pooler before them
            info[keys] = {key for key in info[keys] if key.startswith(body) and ".pooler." not in key}
        drop_code(model.config)
        require_whole(info, name)
        require_numbers(model, name)
        return model.eval()


def load_encoder(name: str | Path) -> Any:
    """The encoder of any saved model, in evaluation mode and float32, for metrics that compare its states.

    Of a model that is no encoder-decoder one it is all but the head.

    Raises:
        CodeUnlearnError: there is no such model, or its files ask for code.
    """
    name = _found(name, slashes=(0, 1))
    with _opening(name, f"The encoder in {name}"):
        settings = check_source(name)
        if "bottleneck" in settings.get(CONFIG, {}) or AutoConfig.from_pretrained(name, **_SAFELY).is_encoder_decoder:
            whole = load_model(name)
            return whole.get_encoder() if whole.config.is_encoder_decoder else whole.base_model
        model = AutoModel.from_pretrained(name, **_SAFELY, use_safetensors=True, dtype=torch.float32)
        require_numbers(model, name)
        return model.eval()


def load_tokenizer(name: str | Path, *, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer saved beside a model; a causal model's that has no padding token pads with its end mark, behind a mask.

    Args:
        name: folder or Hub name.
        revision: as for `load_model`.

    Raises:
        CodeUnlearnError: there is none, it asks for code, it cannot fill up a batch, or it has tokens that the model has not.
    """
    name = _found(name, slashes=(0, 1))
    with _opening(name, f"{name} holds no tokenizer that can be opened", complete=True):
        revision = commit_of(name, revision)
        settings = check_source(name, revision)
        # transformers knows no configuration of this type, and would say so.
        own = {"config": BottleneckConfig()} if settings.get(CONFIG, {}).get("model_type") == KIND else {}
        tokenizer: Any = _AutoTokenizer.from_pretrained(name, revision=revision, **own, **_SAFELY)
        architecture = find_architecture(settings.get(CONFIG, {}).get("model_type"))
        if tokenizer.pad_token_id is None and architecture is not None and architecture.causal:
            tokenizer.pad_token = tokenizer.eos_token
        require_fit(tokenizer, settings.get(CONFIG, {}), name)
        return tokenizer


@contextmanager
def _opening(name: str, what: str, *, complete: bool = False) -> Generator[None]:
    """Whatever goes wrong inside is one sentence with the model's name.

    A file can make transformers, safetensors and tokenizers fail with errors of any kind, so that none is left out.
    """
    try:
        with _without_bars():
            yield
    except Exception as error:
        if isinstance(error, CodeUnlearnError) and name in str(error):
            raise
        raise CodeUnlearnError(f"{what}{'' if complete else ' cannot be opened'}: {reason(error)}.") from error


@contextmanager
def _without_bars() -> Generator[None]:
    """Without transformers' bars over the tensors of a file.

    Its own switch would take the Hub's bars over downloads too, which can be long. Only who turned bars off turns them on,
    so that blocks may be within each other and in several threads.
    """
    shown = logging.is_progress_bar_enabled()
    logging._tqdm_active = False  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        if shown:
            logging._tqdm_active = True  # pyright: ignore[reportPrivateUsage]


def _found(name: str | Path, slashes: tuple[int, ...]) -> str:
    """The name, if it can be one of a folder that is there or of a model of the Hub."""
    name = str(name)
    there = exists(Path(name))
    if there and Path(name).is_file():
        raise CodeUnlearnError(f"{name} is a file, not a model; give the folder of a saved model or a Hub name.")
    if not there and (name.startswith((".", "/")) or name.count("/") not in slashes or not name.isprintable()):
        shown = name if name.isprintable() else repr(name)
        raise CodeUnlearnError(f"There is no model folder {shown}; give the folder of a saved model or a Hub name.")
    return name
