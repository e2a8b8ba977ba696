"""One topic, one model: opens what is compared, builds the sets from the test pool, and scores them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from codeunlearn.codebook import find_bottleneck, identify, load_model, load_tokenizer, skip_bottleneck, source_prefix
from codeunlearn.device import pick_device
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.evaluation.metrics.base import Outputs, Score
from codeunlearn.evaluation.metrics.knowledge import extraction, probability, rank
from codeunlearn.evaluation.protocol import AFTER, BEFORE, MetricsFor, TopicEvaluation, Translator, evaluate_sets
from codeunlearn.evaluation.test_sets import TestSet
from codeunlearn.record import environment
from codeunlearn.tasks.base import TASKS, View
from codeunlearn.tasks.generating import DecodingConfig, TokenCost, translate_counted
from codeunlearn.unlearning import ForgetSet, forgetting, undeleted

BYPASS = "bypass"


@dataclass(frozen=True)
class EvaluationConfig:
    """How a topic is scored.

    Attributes:
        num_beams: 1 is greedy.
        seed: of the bootstrap.
        device: ``auto``, ``cpu`` or ``cuda``.
        teacher_forcing: also measure what each model knows of the references (`teacher_forcing.py`).
    """

    num_beams: int = 1
    seed: int = 0
    device: str = "auto"
    teacher_forcing: bool = False


def evaluate_topic(
    model_name: str,
    topic: str,
    sets: Sequence[TestSet],
    *,
    forget_sets: Sequence[ForgetSet] = (),
    comparisons: Mapping[str, str] | None = None,
    prefixes: Mapping[str, str] | None = None,
    bypass: bool = False,
    config: EvaluationConfig | None = None,
    extras: MetricsFor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TopicEvaluation:
    """Scores a saved model on a topic before and after forgetting.

    Args:
        model_name: folder or Hub name.
        topic: name of the topic.
        sets: what it is scored on, see `make_test_sets`.
        forget_sets: applied together, in place of what the model has forgotten for their topics; other topics stay
            forgotten before and after. Without any set, a model that has forgotten something is compared with itself before.
        comparisons: other saved models by name, such as ``plain`` and ``zero-shot``.
        prefixes: put before every source of a comparison, by its name; what its configuration says where absent.
        bypass: also score the model with its bottleneck skipped.
        extras: metrics that need a model of their own, see `extra_metrics.extra_metrics`.
    """
    config = config or EvaluationConfig()
    model, tokenizer = load_model(model_name), load_tokenizer(model_name)
    model.to(pick_device(config.device))
    if (forget_sets or bypass) and find_bottleneck(model) is None:
        raise CodeUnlearnError(
            f"{model_name} has no bottleneck, so nothing can be deleted from it or skipped; name a codebook model."
        )
    systems = _systems(model, tokenizer, forget_sets, bypass, config)
    for name, other in (comparisons or {}).items():
        compared = load_model(other).to(model.device)
        systems[name] = ModelTranslator(compared, load_tokenizer(other), config, prefix=(prefixes or {}).get(name))
    details = {
        "config": asdict(config),
        "forget_sets": [
            {"topic": s.topic, "s_prime": s.s_prime, "preset": s.preset, "codes": len(s)} for s in forget_sets
        ],
        "num_codes": bottleneck.config.num_codes if (bottleneck := find_bottleneck(model)) else None,
        "environment": environment(),
    }
    counted = {name: _reporting(t, i, len(systems), progress) for i, (name, t) in enumerate(systems.items())}
    probes = {name: system.knowledge for name, system in systems.items()} if config.teacher_forcing else {}
    evaluation = evaluate_sets(topic, sets, counted, seed=config.seed, details=details, extras=extras, probes=probes)
    details["token_cost"] = {name: asdict(system.cost) for name, system in systems.items() if system.cost}
    return evaluation


def _systems(
    model: Any, tokenizer: Any, forget_sets: Sequence[ForgetSet], bypass: bool, config: EvaluationConfig
) -> dict[str, ModelTranslator]:
    bottleneck = find_bottleneck(model)
    if bottleneck is None:
        return {"model": ModelTranslator(model, tokenizer, config)}
    systems: dict[str, ModelTranslator] = {}
    if forget_sets:
        _require_uncommitted(bottleneck.config.ledger, forget_sets)
        systems[BEFORE] = ModelTranslator(model, tokenizer, config, lambda: undeleted(model, *forget_sets))
        systems[AFTER] = ModelTranslator(model, tokenizer, config, _instead(model, forget_sets))
    else:
        systems[BEFORE] = ModelTranslator(model, tokenizer, config, lambda: undeleted(model))
        if bool(bottleneck.codebook.deleted.any()):
            systems[AFTER] = ModelTranslator(model, tokenizer, config)
    if bypass:
        systems[BYPASS] = ModelTranslator(model, tokenizer, config, lambda: skip_bottleneck(model))
    return systems


def _instead(model: Any, forget_sets: Sequence[ForgetSet]) -> Callable[[], AbstractContextManager[None]]:
    """The state in which these sets are forgotten, in place of whatever the model has forgotten for their topics."""
    identity = identify(model)  # its weights stay as they are while it is scored

    @contextmanager
    def state() -> Generator[None]:
        with undeleted(model, *forget_sets), forgetting(model, *forget_sets, identity=identity):
            yield

    return state


def _require_uncommitted(ledger: Sequence[Mapping[str, Any]], forget_sets: Sequence[ForgetSet]) -> None:
    gone = {entry["topic"] for entry in ledger if entry.get("committed")}
    if topics := [s.topic for s in forget_sets if s.topic in gone]:
        raise CodeUnlearnError(
            f"The codes of {topics[0]!r} are committed away, so that there is no before; name a model from before the commit."
        )


class ModelTranslator:
    """A model as a function of sentences, which knows what its last call cost.

    Args:
        state: entered while it translates, such as ``lambda: forgetting(model, forget_set)``.
        prefix: put before every sentence; what the model's configuration says when absent.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        config: EvaluationConfig,
        state: Callable[[], Any] = nullcontext,
        prefix: str | None = None,
    ) -> None:
        self.model, self.tokenizer, self.state = model, tokenizer, state
        self.decoding = DecodingConfig(num_beams=config.num_beams, prefix=source_prefix(model, prefix))
        self.cost: TokenCost | None = None

    def __call__(self, sentences: Sequence[str]) -> list[str]:
        with self.state():
            done = translate_counted(self.model, self.tokenizer, sentences, self.decoding)
        self.cost = done.cost
        return done.texts

    def knowledge(self, test: TestSet) -> dict[str, Score]:
        """What the model, in its state, knows of the references of a set and of the topic's words in them."""
        with self.state():
            outputs = Outputs(
                test, [], TASKS.get("translation"), View(self.model, self.tokenizer, self.decoding.prefix)
            )
            return {score.name: score for metric in (extraction, probability, rank) if (score := metric(outputs))}


def _reporting(
    translator: Translator, index: int, total: int, progress: Callable[[int, int], None] | None
) -> Translator:
    def run(sentences: Sequence[str]) -> list[str]:
        texts = translator(sentences)
        if progress is not None:
            progress(index + 1, total)
        return texts

    return run
