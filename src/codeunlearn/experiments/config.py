"""What a reproduction is made of: small frozen dataclasses that a YAML file mirrors key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_type_hints

from codeunlearn.audit.beside import check_beside
from codeunlearn.codebook import DeletionMode
from codeunlearn.corpus.loading import DataConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.ablations_config import AblationConfig, Variant, check_variants
from codeunlearn.experiments.knowledge_config import KnowledgeConfig
from codeunlearn.experiments.recipes_config import RecipesConfig, check_recipes
from codeunlearn.experiments.tofu_config import TofuConfig, check_tofu
from codeunlearn.files import is_file_name
from codeunlearn.reading import checked, merged, read, read_yaml
from codeunlearn.training.config import TrainConfig
from codeunlearn.training.initialise import BuildConfig
from codeunlearn.training.losses import LossWeights
from codeunlearn.training.sizes import SIZES
from codeunlearn.unlearning import RECIPES, S_PRIMES
from codeunlearn.validation import MOST, Count, Index, Seed

_TAKEN = {"ablations", "changed"}  # what stages and --redo call otherwise
PoolChoice = Literal["disjoint", "paper"]
Options = Mapping[str, Any]
_SHAPE: dict[str, Any] = {
    "num_codes": Count,
    "code_dim": Count,
    "top_s": Count,
    "layer": Index,
    "deletion_mode": DeletionMode,
    "autoencoder": bool,
}


@dataclass(frozen=True)
class BaseConfig:
    """The zero-shot model: a saved one, or one trained here on other text.

    Attributes:
        model: folder or Hub name of a saved model; without it ``size`` is trained.
        source_prefix: put before every source sentence of every model, as pretrained T5 expects.
        size: a name in `SIZES`.
        text: what it is trained on; several are read one after the other.
        without_topics: sentences that hold a topic are left out of that text.
        train: options of `TrainConfig` that differ from its defaults.
    """

    model: str | None = None
    source_prefix: str = ""
    size: str | None = None
    text: tuple[DataConfig, ...] = ()
    without_topics: bool = False
    train: Options = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class JointConfig:
    """The codebook model.

    Attributes:
        model: folder or Hub name of a saved one, which is used as it is: then nothing is trained.
        start: the model it starts from, the ``base`` as in the paper, or the ``plain`` model.
        train: options of `TrainConfig` that differ from the defaults of joint training.
        bottleneck: K (``num_codes``), F (``code_dim``), S (``top_s``), ``layer`` of the encoder from 0, ``deletion_mode``;
            ``autoencoder``; what is absent fits the base.
        build: options of `BuildConfig`.
    """

    model: str | None = None
    start: Literal["base", "plain"] = "base"
    train: Options = field(default_factory=dict[str, Any])
    bottleneck: Options = field(default_factory=dict[str, Any])
    build: Options = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class TopicConfig:
    """A topic; in YAML also just its word.

    Attributes:
        word: what is to be forgotten, and the topic's name.
        forms: its surface forms; the word's inflections when absent.
        target_words: its words on the target side; learned from the train pool when absent.
        neighbours: related words to report on; proposed from the train pool when absent.
        in_place_of: words in whose place the topic is put where the text says little of it, see `build_topic_sets`.
    """

    word: str
    forms: tuple[str, ...] = ()
    target_words: tuple[str, ...] = ()
    neighbours: tuple[str, ...] | None = None
    in_place_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchConfig:
    """How a topic's codes are found.

    Attributes:
        preset: the recipe, a name in `RECIPES`.
        s_primes: the values of S'.
        size: at most so many search sentences.
        draws: control sentences for each.
        pools: where sentences come from: ``disjoint`` searches on train and scores on test, ``paper`` takes both from
            validation and test as the paper does. With both named, each is done and the difference reported.
    """

    preset: str = "paper"
    s_primes: tuple[Count, ...] = S_PRIMES
    size: Count = 500
    draws: Count = 1
    pools: tuple[PoolChoice, ...] = ("disjoint",)


@dataclass(frozen=True)
class ScoreConfig:
    """How the models are scored.

    Attributes:
        size: sentences of each set, at most.
        minimum: a topic with fewer is an error.
        whole: sentences of the test pool on which translation as such is judged.
        beams: 1 is greedy.
        s_prime: S' of table 2 and of the placebo; chosen beforehand.
        example_s_primes: S' of the examples (tables 1, 4 and 5).
        placebo_draws: random sets of codes per topic and seed; 0 for none.
        usage_size: sentences of the train pool on which the use of codes is counted.
        methods: other ways to forget, or controls, scored beside the recipe's deletion; names in `METHODS`.
        attacks: on the codebook model with the codes of ``s_prime`` deleted; names in `ATTACKS`.
        scorer: folder or Hub name of a translation model trained on other text, whose likelihood and states make two
            semantic scores; none without it.
        bertscore: the paper's BERTScore precision with this encoder, folder or Hub name.
        bartscore: the paper's BARTScore with this BART, folder or Hub name.
        comet: COMET with this model of the Hub.
    """

    size: Count = 500
    minimum: Count = 20
    whole: Count = 1000
    beams: Count = 1
    s_prime: Count = 72
    example_s_primes: tuple[Count, ...] = (8, 24, 72)
    placebo_draws: Index = 20
    usage_size: Count = 5000
    methods: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    scorer: str | None = None
    bertscore: str | None = None
    bartscore: str | None = None
    comet: str | None = None


@dataclass(frozen=True)
class ReproductionConfig:
    """One reproduction.

    Attributes:
        text: the parallel text on which models are fine-tuned, searched and scored.
        base: the zero-shot model; none beside a saved codebook model.
        topics: what is forgotten, one at a time.
        title: heading of the report.
        note: a sentence for the report, such as what the text stands in for.
        plain: options of `TrainConfig` for fine-tuning without a bottleneck.
        joint: the codebook model.
        gold: topics for which the codebook model is trained again without their sentences.
        gold_together: one such model without the sentences of all these topics, in place of one for each.
        seeds: of the search sentences, controls, test sentences and placebos; the first also of the models.
        models_per_seed: plain and codebook model are trained once per seed, not only once.
        search: how codes are found.
        scores: how models are scored.
        ablations: variants of the codebook model.
        recipes: recipes side by side, in place of all other searches and scores.
        knowledge: what a language model knows before and after, in their place too.
        tofu: invented authors whom a language model forgets, in place of topics and all that is said of them.
        concept: the topic of table 1 and figure 3; the first one when absent.
        name: the topic of tables 4 and 5 and figure 4; the second one when absent.
        neighbour: the neighbour of ``concept`` in figure 5; its first one when absent.
    """

    text: DataConfig
    base: BaseConfig = field(default_factory=BaseConfig)
    topics: tuple[TopicConfig, ...] = ()
    title: str = "CodeUnlearn, reproduced"
    note: str = ""
    plain: Options = field(default_factory=dict[str, Any])
    joint: JointConfig = field(default_factory=JointConfig)
    gold: tuple[str, ...] = ()
    gold_together: bool = False
    seeds: tuple[Seed, ...] = (0, 1, 2)
    models_per_seed: bool = False
    search: SearchConfig = field(default_factory=SearchConfig)
    scores: ScoreConfig = field(default_factory=ScoreConfig)
    ablations: AblationConfig = field(default_factory=AblationConfig)
    recipes: RecipesConfig = field(default_factory=RecipesConfig)
    knowledge: KnowledgeConfig = field(default_factory=KnowledgeConfig)
    tofu: TofuConfig = field(default_factory=TofuConfig)
    concept: str | None = None
    name: str | None = None
    neighbour: str | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def concept_topic(self) -> str:
        return self.concept or self.topics[0].word

    @property
    def name_topic(self) -> str:
        return self.name or self.topics[min(1, len(self.topics) - 1)].word

    @property
    def ablation_start(self) -> Literal["base", "plain"]:
        """The model from which the ablations' reference and variants start."""
        return self.ablations.start or self.joint.start

    def joint_of(self, variant: Variant) -> JointConfig:
        """The variant's codebook model."""
        joint = self.joint
        return replace(
            joint,
            start=self.ablation_start,
            train={**joint.train, **self.ablations.train, **variant.train},
            bottleneck={**joint.bottleneck, **variant.bottleneck},
            build={**joint.build, **variant.build},
        )

    def model_seed(self, seed: int) -> int:
        """The seed of the models that are searched and scored with ``seed``."""
        return seed if self.models_per_seed else self.seeds[0]

    @property
    def model_seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(map(self.model_seed, self.seeds)))

    @classmethod
    def load(cls, path: Path, **changes: Any) -> ReproductionConfig:
        """Reads a YAML file.

        Args:
            changes: keys of the file that are given otherwise, nested as there. A text of the base keeps the options that
                the file has for a text of the same file name.

        Raises:
            CodeUnlearnError: the file cannot be read, or a key or value in it cannot be used.
        """
        content = read_yaml(path)
        given = merged(content, changes)
        _keep_text_options(given, content)
        return read(cls, given, path.name)


def _keep_text_options(changed: dict[str, Any], content: dict[str, Any]) -> None:
    """Texts of the base that are of a file name in ``content`` keep the options they have there."""
    options = {Path(text["data"]).name: text for text in _base_texts(content)}
    given = _base_texts(changed)
    if given and changed["base"] is not content.get("base"):
        changed["base"]["text"] = [{**options.get(Path(text["data"]).name, {}), **text} for text in given]


def _base_texts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The texts of the base that are given as mappings; none where any is not."""
    base: Any = content.get("base")
    found: Any = base.get("text") if isinstance(base, dict) else None
    texts = cast(list[Any], found if isinstance(found, list) else [found])
    return texts if all(isinstance(text, dict) and isinstance(text.get("data"), str) for text in texts) else []


def train_config(make: Any, options: Options, **more: Any) -> TrainConfig:
    """Options over the defaults of ``make``; weights of losses may be given as a mapping."""
    given = dict(options)
    if isinstance(given.get("losses"), Mapping):
        given["losses"] = LossWeights(**given["losses"])
    return make(**{**more, **given})


def _check(config: ReproductionConfig) -> None:
    base, words = config.base, [topic.word for topic in config.topics]
    if config.joint.model is not None:
        _check_saved(config)
    elif (base.model is None) == (base.size is None):
        raise CodeUnlearnError("The base is either a saved model (base: model) or trained here (base: size); give one.")
    if base.size is not None and base.size not in SIZES:
        raise CodeUnlearnError(f"Unknown size {base.size!r} of the base; choose one of {', '.join(SIZES)}.")
    if base.size is not None and not base.text:
        raise CodeUnlearnError("A base that is trained here needs text of its own; give --base-data or base: text.")
    if unfit := [word for word in words if not is_file_name(word) or word.lower() in _TAKEN]:
        raise CodeUnlearnError(
            f"The topic {unfit[0]!r} cannot be the name of a folder, in which its results would lie; choose another word, and "
            "give this one among its forms."
        )
    if (not words and config.tofu.forget is None) or len(set(words)) < len(words) or not config.seeds:
        raise CodeUnlearnError("Give at least one seed and one topic, and each topic once.")
    for text in (config.text, *base.text):
        if text.limit is not None and text.limit < 1:
            raise CodeUnlearnError(f"text: limit of {text.data} is {text.limit}; it must be at least 1.")
    for key in ("concept", "name"):
        if (word := getattr(config, key)) is not None and word not in words:
            raise CodeUnlearnError(f"{key} is {word!r}, which is none of the topics {', '.join(words)}.")
    for purpose, named in (("a gold model", config.gold), ("the ablations", config.ablations.topics)):
        if missing := [word for word in named if word not in words]:
            raise CodeUnlearnError(
                f"There is no topic {missing[0]!r} for {purpose}; the topics are {', '.join(words)}."
            )
    RECIPES.get(config.search.preset)
    if config.recipes.compared and (config.search.pools != ("disjoint",) or config.ablations.variants):
        raise CodeUnlearnError(
            "A study of recipes searches, chooses and scores on pools of its own and has no ablations beside it; leave "
            "search: pools and ablations out."
        )
    if config.recipes.compared and (config.scores.methods or config.scores.attacks):
        raise CodeUnlearnError(
            "A study of recipes scores nothing but recipes; leave scores: methods and scores: attacks out."
        )
    if config.knowledge.probes is not None and (config.joint.model is None or config.recipes.compared):
        raise CodeUnlearnError(
            "A study of knowledge asks a saved codebook model and compares no recipes; name joint: model."
        )
    check_tofu(config.tofu)
    others = words or config.knowledge.probes is not None or config.recipes.compared
    if config.tofu.forget is not None and (config.joint.model is None or others):
        raise CodeUnlearnError(
            "A TOFU study forgets the authors of its files in a saved codebook model; name joint: model, and leave topics, "
            "knowledge and recipes out."
        )
    check_beside(config.scores.methods, config.scores.attacks)
    _check_levels(config)
    check_variants(config.ablations)
    for where, options, known in (
        ("base: train", base.train, _hints(TrainConfig)),
        ("plain", config.plain, _hints(TrainConfig)),
        ("joint: train", config.joint.train, _hints(TrainConfig)),
        ("joint: build", config.joint.build, _hints(BuildConfig)),
        ("joint: bottleneck", config.joint.bottleneck, _SHAPE),
        ("ablations: train", config.ablations.train, _hints(TrainConfig)),
        *((f"the variant {v.name!r}: train", v.train, _hints(TrainConfig)) for v in config.ablations.variants),
        *((f"the variant {v.name!r}: build", v.build, _hints(BuildConfig)) for v in config.ablations.variants),
        *((f"the variant {v.name!r}: bottleneck", v.bottleneck, _SHAPE) for v in config.ablations.variants),
        *(
            (f"the recipe {r.name!r}: options", r.options, _hints(RECIPES.get(r.preset)))
            for r in config.recipes.compared
        ),
    ):
        if foreign := sorted(set(options) - set(known)):
            raise CodeUnlearnError(f"{where} sets {foreign[0]!r}, which is none of {', '.join(known)}.")
        for name, value in options.items():
            checked(known[name], value, f"{where}: {name}")
        if known is _SHAPE and options.get("top_s", 1) > options.get("num_codes", MOST):
            raise CodeUnlearnError(
                f"{where}: top_s is {options['top_s']}, more than num_codes, {options['num_codes']}."
            )
    check_recipes(config.recipes)


def _check_saved(config: ReproductionConfig) -> None:
    trained = (config.base != BaseConfig(), config.plain, config.gold, config.ablations.variants)
    if any(trained) or config.joint != JointConfig(model=config.joint.model):
        raise CodeUnlearnError(
            "joint: model names a saved codebook model, so nothing is trained; leave base, plain, gold, ablations and "
            "what else is under joint out."
        )


def _check_levels(config: ReproductionConfig) -> None:
    for level in (config.scores.s_prime, *config.scores.example_s_primes):
        if level not in config.search.s_primes:
            searched = ", ".join(map(str, config.search.s_primes))
            raise CodeUnlearnError(
                f"S' = {level} is to be shown but not searched; scores: s_prime or example_s_primes has it, and search: s_primes "
                f"has {searched}."
            )


def _hints(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, in their order."""
    hints = get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls)}
