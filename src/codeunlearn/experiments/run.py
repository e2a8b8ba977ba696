"""A reproduction as a whole: its plan, and the making of what is not finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from codeunlearn.corpus.texts import Text
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.experiments.ablations import Ablations
from codeunlearn.experiments.config import ReproductionConfig
from codeunlearn.experiments.extras import Extras
from codeunlearn.experiments.knowledge import KnowledgeStages
from codeunlearn.experiments.models import Models
from codeunlearn.experiments.recipes import RecipeStages
from codeunlearn.experiments.stages import Stage, StageStore
from codeunlearn.experiments.tofu import TofuStages
from codeunlearn.experiments.units import SETS, TopicStages


class Reproduction:
    """The stages of one configuration in one folder.

    Args:
        config: what is reproduced.
        out: folder of everything it makes.
        device: ``auto``, ``cpu`` or ``cuda``.
        redo: stages to make again, see `StageStore`.
        only: stages beside which none is made, see `StageStore`.
        say: told about every stage that is made.
    """

    def __init__(
        self,
        config: ReproductionConfig,
        out: Path,
        *,
        device: str = "auto",
        redo: Sequence[str] = (),
        only: Sequence[str] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.config, self.out = config, out
        self.store = StageStore(out, redo, only, say)
        self.text = Text((config.text,))
        extras = Extras(config.scores, self.text, device)
        self.models = Models(config, out, self.text, device, extras)
        self.topics = TopicStages(config, self.models, self.store, out, self.text, extras)
        self.recipes = RecipeStages(config, self.models, self.topics)
        self.knowledge = KnowledgeStages(config, self.models, self.topics, self.store)
        self.tofu = TofuStages(config, self.models, self.store)
        self.ablations = Ablations(config, self.models, self.topics)

    def stages(self) -> list[Stage]:
        """All stages in the order in which they are made: one seed of the models after the other, then the ablations.

        Where models are trained, sentences come first: a topic with too few is told before that.
        """
        seeds = self.config.model_seeds
        stages = [stage for seed in seeds for stage in (*self.models.stages(seed), *self._work().stages(seed))]
        stages += self.ablations.stages()
        names = [stage.name for stage in stages]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise CodeUnlearnError(f"Two stages would be called {twice}; give each seed and each choice of pools once.")
        trained = self.config.joint.model is None
        return sorted(stages, key=lambda stage: not (trained and stage.name.endswith(SETS)))

    def _work(self) -> RecipeStages | KnowledgeStages | TofuStages | TopicStages:
        if self.config.tofu.forget is not None:
            return self.tofu
        if self.config.recipes.compared:
            return self.recipes
        return self.topics if self.config.knowledge.probes is None else self.knowledge

    def run(self) -> None:
        """Makes all that is not finished."""
        self.store.run(self.stages())
