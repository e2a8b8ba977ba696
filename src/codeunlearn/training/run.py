"""The ways to a model, as one call each: plain training, a bottleneck from data alone, more codes for it, joint training.

Each reads the data, works on the train pool only, goes on from its last checkpoint when it was killed, and writes the
model with a ``training.json`` beside it that tells how it was made. One process at a time trains into a folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, set_seed

from codeunlearn.codebook.adapter import keep_base
from codeunlearn.codebook.architectures import architecture_of
from codeunlearn.codebook.basis import SignedPermutation, allows_basis, change_downstream_basis, require_basis
from codeunlearn.codebook.bottleneck import require_bottleneck
from codeunlearn.codebook.loading import is_packed, load_both
from codeunlearn.codebook.modeling import Selection, attach, bottleneck_for
from codeunlearn.codebook.prefix import Frame, prompt_frame
from codeunlearn.codebook.prompts import goes_on
from codeunlearn.codebook.wrappers import is_quantised
from codeunlearn.codebook.writing import write_model
from codeunlearn.corpus.identity import pairs_digest
from codeunlearn.corpus.loading import DataConfig, LoadedPairs, filled_pools, load_pairs
from codeunlearn.device import join_processes, pick_device, processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.files import write_json
from codeunlearn.folders import locked
from codeunlearn.record import environment, public_name
from codeunlearn.saving import RECORD, saving
from codeunlearn.tasks.base import View, task_of
from codeunlearn.tasks.batches import tokenize_pairs
from codeunlearn.training.asked import Asked, asked_of, set_asked
from codeunlearn.training.base import load_base, require_trainable
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.growing import grow
from codeunlearn.training.initialise import BuildConfig, initialise_from_data
from codeunlearn.training.joint import JointTrainer
from codeunlearn.training.losses import loss_weights
from codeunlearn.training.processor import prepare_processor
from codeunlearn.training.progress import say_loaded
from codeunlearn.training.resuming import begin, forget_request, other_files_digest, weights_digest
from codeunlearn.training.trainer import PlainTrainer

Complete = Callable[[Path, dict[str, Any]], None]
"""Writes what belongs to a model beside its files: called with the folder, before the model appears, and the record."""


def train_plain(
    data: DataConfig,
    base: str,
    out: Path,
    config: TrainConfig,
    *,
    reuse: bool = False,
    complete: Complete | None = None,
) -> dict[str, Any]:
    """Trains a model without a bottleneck, from scratch or fine-tuned, and saves it to ``out``.

    Args:
        data: pairs of prompt and answer, such as sentences and translations; only their train pool is used.
        base: a name in `SIZES`, a folder or a Hub name.
        reuse: a finished model in ``out`` that was made with the same options is taken, not refused.
        complete: writes what else belongs to the model, which appears when that is done.

    Returns:
        the record that is also written to ``out/training.json``.

    Raises:
        CodeUnlearnError: another process trains into ``out``, or as `begin`.
    """
    prepare_processor()
    join_processes(pick_device(config.device))
    loaded, train_pool = _read(data, whole=config.whole)
    with _alone(out):
        finished = begin(out, _request("plain", data, base, loaded, config=asdict(config)), reuse=reuse)
        if finished:
            return finished
        require_trainable(base)
        start = load_base(base, train_pool, config.seed)
        set_asked(start.model, start.tokenizer, asked_of(config, loaded))
        pairs = _rows(start.model, start.tokenizer, train_pool, config)
        trainer = PlainTrainer(start.model, config, pairs, start.tokenizer, out)
        details = {"config": asdict(config), **_around(start.model), **_run(trainer)}
        record = _record("plain", data, base, loaded, details)
        _save(start.model.to(getattr(torch, config.saved_dtype)), start.tokenizer, out, record, complete)
        return record


def build(
    data: DataConfig,
    base: str,
    out: Path,
    config: BuildConfig,
    shape: dict[str, Any] | None = None,
    source_prefix: str = "",
    device: str = "auto",
    *,
    source_suffix: str = "",
    chat: bool = False,
    task: str | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    adapter: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
    complete: Complete | None = None,
) -> dict[str, Any]:
    """Puts a bottleneck into a trained model from data alone, without a gradient, and saves it to ``out``.

    Args:
        base: folder or Hub name of a model without a bottleneck.
        shape: ``layer``, and fields of `BottleneckConfig` that shall differ from those that fit the base, see `bottleneck_for`.
        source_prefix: put before every prompt; the base's own when empty.
        source_suffix: put behind every prompt, likewise.
        chat: in place of both, what the tokenizer's chat template puts around a message.
        task: what the model is asked, a name in `TASKS`, of one with an encoder and a decoder; what data and base say if absent.
        source_language: of the prompts, a name such as ``german``; what the base says if absent.
        target_language: of the answers, likewise.
        adapter: the bottleneck alone is saved, with the name of its base; so it is for causal models and quantised ones if
            absent.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: see `initialise_from_data`.
        complete: see `train_plain`.
    """
    loaded, train_pool = _read(data)
    with _alone(out):
        begin(out, _request("build", data, base, loaded, build=asdict(config), shape=shape))
        if adapter is False and is_packed(base):
            raise CodeUnlearnError(f"The weights of {base} are quantised and stay in its file; leave --full out.")
        began = time.perf_counter()
        around = None if chat else Frame(source_prefix, source_suffix)
        asked = Asked(around, task, loaded.kind, source_language, target_language)
        model, tokenizer, quality = _built(base, train_pool, config, shape, asked, pick_device(device), progress)
        seconds = round(time.perf_counter() - began, 1)
        if (is_causal(model) or is_quantised(model)) if adapter is None else adapter:
            keep_base(model, base)
        details = {"build": asdict(config), **_around(model), **quality, "seconds": seconds}
        record = _record("build", data, base, loaded, details)
        _save(model, tokenizer, out, record, complete)
        return record


def add_codes(
    data: DataConfig,
    base: str,
    out: Path,
    config: BuildConfig,
    codes: int,
    device: str = "auto",
    *,
    progress: Callable[[int, int], None] | None = None,
    complete: Complete | None = None,
) -> dict[str, Any]:
    """Adds codes to a saved codebook for what it explains badly, and saves the model to ``out``; see `grow`.

    Args:
        base: folder or Hub name of a model with a bottleneck.
        codes: how many are added.
        device, progress, complete: as for `build`.
    """
    loaded, train_pool = _read(data)
    with _alone(out):
        begin(out, _request("grow", data, base, loaded, build=asdict(config), codes=codes))
        began = time.perf_counter()
        model, tokenizer = load_both(base)
        model.to(pick_device(device))
        quality = grow(model, tokenizer, _texts(model, train_pool), codes, config, progress)
        seconds = round(time.perf_counter() - began, 1)
        details = {
            "build": asdict(config),
            "codes": codes,
            **_around(model),
            **quality,
            "seconds": seconds,
        }
        record = _record("grow", data, base, loaded, details)
        _save(model, tokenizer, out, record, complete)
        return record


def train_joint(
    data: DataConfig,
    base: str,
    out: Path,
    config: TrainConfig,
    build_config: BuildConfig,
    shape: dict[str, Any] | None = None,
    *,
    reuse: bool = False,
    complete: Complete | None = None,
) -> dict[str, Any]:
    """Trains model and bottleneck together (eq. 8) from a trained base, starting where `build` ends with nearest codes.

    Raises:
        CodeUnlearnError: residual codes are asked for; or as `train_plain`.
    """
    loss_weights(config.losses)
    if (shape or {}).get("selection") == "residual":
        raise CodeUnlearnError(
            "Joint training moves the S nearest codes, not lexical and residual ones; leave --selection residual out, or "
            "put these into a trained model with `codeunlearn build`."
        )
    prepare_processor()
    device = pick_device(config.device)
    join_processes(device)
    options = {"config": asdict(config), "build": asdict(build_config)}
    loaded, train_pool = _read(data, whole=config.whole)
    with _alone(out):
        finished = begin(out, _request("joint", data, base, loaded, **options, shape=shape), reuse=reuse)
        if finished:
            return finished
        require_trainable(base)
        model, tokenizer, quality = _built(
            base, train_pool, build_config, {"selection": "nearest", **(shape or {})}, asked_of(config, loaded), device
        )
        pairs = _rows(model, tokenizer, train_pool, config)
        trainer = JointTrainer(model, config, pairs, tokenizer, out, _basis(model, build_config))
        about = {"build": asdict(build_config), **quality, "config": asdict(config), **_around(model)}
        record = _record("joint", data, base, loaded, {**about, **_run(trainer)})
        _save(model.to(getattr(torch, config.saved_dtype)), tokenizer, out, record, complete)
        return record


@contextmanager
def _alone(out: Path) -> Generator[None]:
    """Of processes that were started together the first one keeps all others out.

    What is refused before there is anything to go on with leaves nothing behind.
    """
    if processes().rank:
        yield
        return
    with locked(out):
        try:
            yield
        except Exception:
            forget_request(out)
            raise


def _read(data: DataConfig, *, whole: bool = False) -> tuple[LoadedPairs, Dataset]:
    """The pairs and their train pool, or all of them, with a line about what was read."""
    loaded = load_pairs(data)
    if not processes().rank:
        say_loaded(loaded.report)
    return loaded, loaded.dataset if whole else filled_pools(loaded.dataset, ["train"], data.data)["train"]


def _built(
    base: str,
    train_pool: Dataset,
    config: BuildConfig,
    shape: dict[str, Any] | None,
    asked: Asked,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Any, PreTrainedTokenizerBase, dict[str, Any]]:
    start = load_base(base, train_pool, config.seed)
    if start.from_scratch:
        raise CodeUnlearnError(
            f"{base} has weights that are not trained; train it first: codeunlearn train --plain --base {base}."
        )
    settings: dict[str, Any] = {"selection": usual_selection(start.model), **(shape or {})}
    wanted = bottleneck_for(start.model.config, start.tokenizer, **settings)
    set_seed(config.seed)
    model = attach(start.model.eval().to(device), wanted, copy=not is_quantised(start.model))
    if config.new_basis:
        require_basis(model)
    set_asked(model, start.tokenizer, asked)
    quality = initialise_from_data(model, start.tokenizer, _texts(model, train_pool), config, progress)
    basis = _basis(model, config)
    if basis is not None:
        change_downstream_basis(model, basis)
    return model, start.tokenizer, quality


def _around(model: Any) -> dict[str, str]:
    """What stands around every prompt, for the record; a suffix where there is one."""
    frame = prompt_frame(model)
    return {"source_prefix": frame.before} | ({"source_suffix": frame.behind} if frame.behind else {})


def _texts(model: Any, pool: Dataset) -> list[str]:
    """What the model reads of every example: its prompt, and the answer too where the model goes on with it."""
    frame = prompt_frame(model)
    framed = list(map(frame.around, pool["source"]))
    return (
        [f"{text} {answer}" for text, answer in zip(framed, pool["target"], strict=True)] if goes_on(model) else framed
    )


def usual_selection(model: Any) -> Selection:
    """How codes are chosen unless something else is asked for: as in the paper, but for causal models, whose facts it loses."""
    return "residual" if is_causal(model) else "nearest"


def is_causal(model: Any) -> bool:
    """Whether a token sees those before it alone."""
    return architecture_of(model.config.model_type).causal


def _basis(model: Any, config: BuildConfig) -> SignedPermutation | None:
    width = require_bottleneck(model).config.d_model
    wanted = allows_basis(model) if config.new_basis is None else config.new_basis
    return SignedPermutation.random(width, config.seed) if wanted else None


def _rows(model: Any, tokenizer: PreTrainedTokenizerBase, pool: Dataset, config: TrainConfig) -> Dataset:
    """The pool as the model is trained on it."""
    return tokenize_pairs(pool, task_of(model), View(model, tokenizer), config.max_tokens)


def _run(trainer: PlainTrainer) -> dict[str, Any]:
    began = time.perf_counter()
    checkpoint = trainer.last_whole_checkpoint()
    if checkpoint is None or not trainer.take_if_finished(checkpoint):
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    return {
        "steps": trainer.state.global_step,
        "seconds_since_last_start": round(time.perf_counter() - began, 1),
        "log": trainer.state.log_history,
    }


def _request(kind: str, data: DataConfig, base: str, loaded: LoadedPairs, **options: Any) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    about_data = asdict(replace(data, data=public_name(data.data))) | {
        "pairs": loaded.report.kept,
        "sha256": pairs_digest(loaded.dataset["source"], loaded.dataset["target"]),
    }
    return {
        "kind": kind,
        "data": about_data,
        "base": public_name(base),
        "base's weights": weights_digest(base),
        "base's other files": other_files_digest(base),
        **options,
    }


def _record(kind: str, data: DataConfig, base: str, loaded: LoadedPairs, details: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "data": asdict(replace(data, data=public_name(data.data))),
        "base": public_name(base),
        "pairs": loaded.report.to_dict() | {"data": public_name(data.data)},
        "environment": environment(),
        **details,
    }


def _save(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    record: dict[str, Any],
    complete: Complete | None,
) -> None:
    """Model, tokenizer, record and what else belongs to them appear together."""
    if processes().rank:
        return
    with saving(out) as folder:
        write_model(model, tokenizer, folder)
        write_json(folder / RECORD, record)
        if complete is not None:
            complete(folder, record)
