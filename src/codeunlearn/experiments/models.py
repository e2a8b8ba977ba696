"""The stages that make models: zero-shot base, plain fine-tuned, with codebook, and gold (trained without a topic)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from codeunlearn.audit.bypass import Skip
from codeunlearn.codebook import require_bottleneck
from codeunlearn.codebook.loading import load_both
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.corpus.texts import Text
from codeunlearn.corpus.topics import Topic
from codeunlearn.device import pick_device, processes
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import METRICS
from codeunlearn.evaluation.scoring import score
from codeunlearn.evaluation.systems import BEFORE, PLAIN, ZERO_SHOT, Role, System
from codeunlearn.evaluation.test_sets import whole_pool
from codeunlearn.experiments.ablations_config import Variant
from codeunlearn.experiments.config import JointConfig, ReproductionConfig, TopicConfig, train_config
from codeunlearn.experiments.extras import Extras
from codeunlearn.experiments.stages import Stage
from codeunlearn.files import inside
from codeunlearn.record import public_name
from codeunlearn.tasks.base import TASKS, Task, View, task_of
from codeunlearn.tasks.generating import DecodingConfig
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig
from codeunlearn.training.resuming import other_files_digest, weights_digest
from codeunlearn.training.run import train_joint, train_plain
from codeunlearn.training.sizes import SIZES

BASE = "base"
_FREE = ("device", "save_steps", "log_steps")  # of which no result depends


def make_topic(topic: TopicConfig, language: str = "english") -> Topic:
    if topic.forms:
        return Topic.from_forms(topic.word, topic.forms, language=language)
    return Topic.from_word(topic.word, language=language)


class Models:
    """The models of a reproduction, as stages and as files.

    Args:
        out: folder of the reproduction; models lie in ``out/models``.
        text: what models are fine-tuned on.
    """

    def __init__(self, config: ReproductionConfig, out: Path, text: Text, device: str, extras: Extras) -> None:
        self.config, self.out, self.text, self.device, self.extras = config, out, text, device, extras
        self._opened: dict[str, tuple[Any, Any]] = {}

    def stages(self, seed: int) -> list[Stage]:
        """Of all models with this seed, in the order in which they are made; the base comes with the first.

        A saved codebook model stands alone.
        """
        if self.config.joint.model is not None:
            return [self._joint(seed)]
        first = seed == self.config.seeds[0]
        golds = self._golds() if first else []
        return [*([self._base()] if first else []), self._plain(seed), self._joint(seed), self._quality(seed), *golds]

    def path(self, name: str) -> str:
        """Folder or Hub name of a model."""
        saved = self.config.base.model if name == BASE else self.config.joint.model
        if saved is not None:
            return saved
        return str(self.out / "models" / name)

    def open(self, name: str) -> tuple[Any, Any]:
        """Model and tokenizer; the few that were last used are kept in memory."""
        if name not in self._opened:
            while len(self._opened) > 3:
                self._opened.pop(next(iter(self._opened)))
            model, tokenizer = load_both(self.path(name))
            self._opened[name] = model.to(pick_device(self.device)), tokenizer
        self._opened[name] = self._opened.pop(name)
        return self._opened[name]

    def open_plain(self, named: str | None, joint: str, where: str) -> tuple[Any, Any]:
        """A model without a codebook beside a saved one with it: the one that is named, or the adapter's base.

        Args:
            where: the key of the configuration that can name it, for the message.

        Raises:
            CodeUnlearnError: none is named, and the codebook was saved with its model.
        """
        base = require_bottleneck(self.open(joint)[0]).config.base
        name = named or (str(base["name"]) if base else None)
        if not name:
            raise CodeUnlearnError(f"Name the model without a codebook: {where}.")
        model, tokenizer = load_both(name)
        return model.to(pick_device(self.device)), tokenizer

    def system(self, name: str, role: Role, model: str) -> System:
        """A model, by its name, as a system that is opened when it is asked."""

        @contextmanager
        def opened() -> Generator[View]:
            yield View(*self.open(model), self.config.base.source_prefix or None if model == BASE else None)

        return System(name, role, opened)

    @cached_property
    def task(self) -> Task:
        """What all of them are asked: what a saved codebook model is for; those trained here translate."""
        saved = self.config.joint.model
        return TASKS.get("translation") if saved is None else task_of(saved)

    @property
    def how(self) -> DecodingConfig:
        """How all of them answer."""
        return DecodingConfig(num_beams=self.config.scores.beams)

    def gold_of(self, word: str, seed: int) -> str | None:
        """Name of the topic's gold model, if it has one with this seed of the models."""
        if word not in self.config.gold or seed != self.config.seeds[0]:
            return None
        return "gold" if self.config.gold_together else f"gold-{word}"

    def _base(self) -> Stage:
        base = self.config.base
        if base.model is not None:
            return _saved(BASE, base.model)
        text = Text(base.text)
        train = self._train_config(TrainConfig, base.train, self.config.seeds[0])
        topics = [make_topic(topic) for topic in self.config.topics] if base.without_topics else []
        settings = {
            "size": base.size,
            "text": text.identity(),
            "without": [topic.to_dict() for topic in topics],
            "train": _lasting(train),
        }

        def make() -> dict[str, Any]:
            data = self._text_without(text, topics, BASE)
            folder = Path(self.path(BASE))
            return _finished(folder, train_plain(data, str(base.size), folder, train, reuse=True))

        return Stage(BASE, settings, (), make, Path(self.path(BASE)), together=True)

    def _plain(self, seed: int) -> Stage:
        name, train = f"plain-{seed}", self._plain_config(seed)
        folder = Path(self.path(name))

        def make() -> dict[str, Any]:
            return _finished(folder, train_plain(self.config.text, self.path(BASE), folder, train, reuse=True))

        settings = {"text": self._identity, "train": _lasting(train)}
        return Stage(name, settings, (BASE,), make, folder, together=True)

    def _joint(self, seed: int) -> Stage:
        name, start = f"joint-{seed}", self._start(self.config.joint.start, seed)
        if self.config.joint.model is not None:
            return _saved(name, self.config.joint.model, lambda: self._require_nothing_forgotten(name))
        folder = Path(self.path(name))

        def make() -> dict[str, Any]:
            return _finished(folder, self._train_joint(self.config.text, start, folder, seed, self.config.joint))

        settings = {"text": self._identity, **self._joint_settings(seed, self.config.joint)}
        return Stage(name, settings, (start,), make, folder, together=True)

    def _require_nothing_forgotten(self, name: str) -> None:
        model, _ = self.open(name)
        if bool(require_bottleneck(model).codebook.deleted.any()):
            raise CodeUnlearnError(
                f"{self.path(name)} has forgotten something already, so it is no model from before; restore it first."
            )

    def _golds(self) -> list[Stage]:
        """One for each topic that has one, or one without all of them."""
        topics: dict[str, list[Topic]] = {}
        for topic in self.config.topics:
            if name := self.gold_of(topic.word, self.config.seeds[0]):
                topics.setdefault(name, []).append(make_topic(topic))
        return [self._gold(name, without) for name, without in topics.items()]

    def _gold(self, name: str, topics: list[Topic]) -> Stage:
        """The codebook model as if the topics' sentences had never been in the text; the base is the same."""
        seed = self.config.seeds[0]
        folder, after_plain = Path(self.path(name)), self.config.joint.start == "plain"

        def make() -> dict[str, Any]:
            data, start = self._text_without(self.text, topics, name), BASE
            if after_plain:
                start = f"{name}/plain"
                train_plain(data, self.path(BASE), folder / "plain", self._plain_config(seed), reuse=True)
            return _finished(folder, self._train_joint(data, start, folder, seed, self.config.joint))

        without = [topic.to_dict() for topic in topics]
        settings = {"text": self._identity, "without": without, **self._joint_settings(seed, self.config.joint)}
        if after_plain:
            settings["plain"] = _lasting(self._plain_config(seed))
        return Stage(name, settings, (BASE,), make, folder, together=True)

    def variant(self, variant: Variant) -> Stage:
        """A variant of the codebook model, trained with the first seed from where that starts."""
        seed, name = self.config.seeds[0], variant_name(variant.name)
        start = self._start(self.config.ablation_start, seed)
        folder = Path(self.path(name))
        changed = self.config.joint_of(variant)

        def make() -> dict[str, Any]:
            return _finished(folder, self._train_joint(self.config.text, start, folder, seed, changed))

        settings = {"text": self._identity, **self._joint_settings(seed, changed)}
        return Stage(name, settings, (start,), make, folder, together=True)

    def _quality(self, seed: int) -> Stage:
        """How well each model translates as such, and the codebook model with its bottleneck skipped."""
        scores = self.config.scores
        tests = {"whole": scores.whole, "beams": scores.beams, "seed": seed, "text": self._identity}

        def make() -> dict[str, Any]:
            joint = self.system(BEFORE, "before", f"joint-{seed}")
            systems = [
                self.system(ZERO_SHOT, "reference", BASE),
                self.system(PLAIN, "reference", f"plain-{seed}"),
                joint,
                Skip().mount(joint, None, self.task),
            ]
            sets = whole_pool(self.text.pools["test"], scores.whole, seed)
            metrics = self.extras.without()
            return score(self.task, sets, systems, seed=seed, metrics=metrics, how=self.how, samples=0).to_dict()

        settings = {**tests, "metrics": sorted(METRICS.names()), "extras": self.extras.identity}
        return Stage(f"quality-{seed}", settings, (BASE, f"plain-{seed}", f"joint-{seed}"), make)

    def _start(self, model: str, seed: int) -> str:
        """Name of the model from which a joint training starts."""
        return f"plain-{seed}" if model == "plain" else BASE

    def _plain_config(self, seed: int) -> TrainConfig:
        return self._train_config(TrainConfig.finetune, self.config.plain, seed)

    def _train_config(self, make: Any, options: Any, seed: int) -> TrainConfig:
        prefix = self.config.base.source_prefix
        return train_config(make, options, seed=seed, device=self.device, source_prefix=prefix)

    def _train_joint(self, data: DataConfig, start: str, folder: Path, seed: int, joint: JointConfig) -> dict[str, Any]:
        train = self._train_config(TrainConfig.joint, joint.train, seed)
        build = _build_config(joint, seed)
        return train_joint(data, self.path(start), folder, train, build, self._shape(joint), reuse=True)

    def _joint_settings(self, seed: int, joint: JointConfig) -> dict[str, Any]:
        train = self._train_config(TrainConfig.joint, joint.train, seed)
        return {"train": _lasting(train), "build": asdict(_build_config(joint, seed)), "bottleneck": self._shape(joint)}

    def _shape(self, joint: JointConfig) -> dict[str, Any]:
        """Fields of `BottleneckConfig`: the size's where the base is trained here, and what the configuration says."""
        size = self.config.base.size
        return {**(SIZES[size].shape if size else {}), **joint.bottleneck}

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return self.text.identity()

    def _text_without(self, text: Text, topics: list[Topic], name: str) -> DataConfig:
        """Each process writes its own file, under the same name."""
        folder = self.out / "texts" / str(processes().rank)
        return text.write_without(topics, folder / f"{name}.jsonl")


def _saved(name: str, model: str, check: Callable[[], None] = lambda: None) -> Stage:
    """A model that is not made here."""
    known = saved_identity(model)

    def make() -> dict[str, Any]:
        check()
        return known

    return Stage(name, {**known, "other_files": other_files_digest(model)}, (), make)


def saved_identity(model: str | None) -> dict[str, Any]:
    """What a stage depends on whose model is not made here; nothing of an adapter's base, which the codebook names."""
    return {"model": model and public_name(model), "weights": model and weights_digest(model)}


def variant_name(name: str) -> str:
    """Of a variant's model and its stage."""
    return f"ablations/{name}/model"


def _build_config(joint: JointConfig, seed: int) -> BuildConfig:
    options: dict[str, Any] = {"seed": seed, **joint.build}
    return BuildConfig(**options)


def _lasting(train: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in asdict(train).items() if name not in _FREE}


def _finished(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """What later stages depend on; the checkpoints have done their duty."""
    if processes().rank == 0 and (folder / "checkpoints").exists():
        shutil.rmtree(inside(folder, folder / "checkpoints"))
    kept = ("steps", "unexplained_variance", "source_prefix")
    return {"weights": weights_digest(str(folder)), **{key: record[key] for key in kept if key in record}}
