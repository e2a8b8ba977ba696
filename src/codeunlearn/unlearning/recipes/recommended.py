"""The recommended recipe: codes that tell the topic from its controls, deleted in the order of what they do (`find_path`).

Where codes stand in for each other, so that the effect of one alone says little, and in models without an encoder it is
`Rounds`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from transformers import PreTrainedTokenizerBase

from codeunlearn.codebook import model_identity, require_bottleneck, unwrapped
from codeunlearn.corpus.topic_sets import TopicSets
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.record import now
from codeunlearn.tasks.base import Example
from codeunlearn.unlearning.evidence.code_lists import CodeLists
from codeunlearn.unlearning.evidence.counting import Progress, count_codes
from codeunlearn.unlearning.evidence.effects import DeletionEffects
from codeunlearn.unlearning.evidence.enrichment import EPSILON, enrichment
from codeunlearn.unlearning.forget_set import CodeEvidence, ForgetSet
from codeunlearn.unlearning.recipes.base import RECIPES, RETAINED, Needs, TopicSearch, beginnings
from codeunlearn.unlearning.recipes.candidates import DEPTH, read_codes
from codeunlearn.unlearning.recipes.paired import Paired
from codeunlearn.unlearning.recipes.path import Choice, Material, find_path
from codeunlearn.unlearning.recipes.path_options import PathOptions
from codeunlearn.unlearning.recipes.rounds import Rounds


@dataclass(frozen=True)
class Recommended(PathOptions):
    """Round by round, the codes that take most of the topic for what they cost; options as `PathOptions`."""

    name: ClassVar[str] = "recommended"

    def needs(self) -> Needs:
        return Needs(retained=RETAINED)

    def search(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        sets: TopicSets,
        *,
        seed: int = 0,
        steps: Sequence[int] | None = None,
        progress: Progress | None = None,
        created: str | None = None,
    ) -> TopicSearch:
        """As `Recipe.search`. Steps are beginnings of the path, by default of 1, 2, 4, 8, ... codes and the whole.

        Args:
            progress: called after every round with the per cent of the topic words' probability that are gone, and 100.

        Raises:
            CodeUnlearnError: ``search_retain`` is empty, or as `read_material` and `find_path`.
        """
        codebook = require_bottleneck(model).codebook
        if not (codebook.ranked and unwrapped(model).config.is_encoder_decoder):
            rounds = Rounds(self.alpha, self.fdr, self.correction, max_codes=self.max_codes, mode=self.mode)
            return rounds.search(model, tokenizer, sets, seed=seed, steps=steps, progress=progress, created=created)
        material = read_material(model, tokenizer, sets, self)

        def show(left: float) -> None:
            if progress is not None:
                progress(round(100 - 100 * left), 100)

        path = find_path(material, self, seed=seed, progress=show)
        s = require_bottleneck(model).config.top_s
        sources = [pair.prompt for pair in sets.search]
        counts = count_codes(model, tokenizer, sources, sets.controls, s_primes=(s,), paired=sets.paired)
        evidence = tuple(
            _evidence(choice, rank, material, int(codebook.code_ids[choice.row]), tokenizer)
            for rank, choice in enumerate(path.choices, start=1)
        )
        forget_set = ForgetSet(
            topic=sets.topic.name,
            ids=tuple(e.id for e in evidence),
            fingerprint=model_identity(model),
            forms=tuple(sets.topic.forms),
            target_forms=tuple(sets.target_words),
            evidence=evidence,
            preset=self.name,
            preset_options=asdict(self),
            s_prime=s,
            seed=seed,
            num_codes=codebook.num_codes,
            n_topic=counts.n_topic,
            n_control=counts.n_control,
            codes_tested=path.tested,
            topic_left=path.topic_left,
            created=created or now(),
        )
        table = Paired().table(counts, s) if counts.draws == 1 else enrichment(counts, s)
        return TopicSearch(forget_set, table, counts, path, beginnings(forget_set, steps), "codes")


def read_material(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sets: TopicSets,
    options: PathOptions,
) -> Material:
    """Reads the sentences once; what the recipe does with them needs the encoder no more.

    Raises:
        CodeUnlearnError: a topic of words has no words on the target side. Only of a topic given as sentences are the whole
            translations what is to be forgotten.
    """
    if not sets.target_words and sets.topic.kind != "sentences":
        raise CodeUnlearnError(
            f"No words for {sets.topic.name!r} are known on the target side, so nothing says what its translations are to "
            "lose; give them: --target-words WORD,WORD."
        )
    reading = read_codes(
        model, tokenizer, sets, depth=min(DEPTH, require_bottleneck(model).codebook.num_codes), mode=options.mode
    )

    def effects(of: CodeLists, pairs: Sequence[Example], words: Sequence[str] = ()) -> DeletionEffects:
        return DeletionEffects(model, tokenizer, of, [pair.answer for pair in pairs], words=words, mode=options.mode)

    topic, retained = (
        effects(reading.topic, sets.search, sets.target_words),
        effects(reading.retained, sets.search_retain),
    )
    return Material(reading, topic, retained)


def _evidence(
    choice: Choice, rank: int, material: Material, code: int, tokenizer: PreTrainedTokenizerBase
) -> CodeEvidence:
    f_topic = choice.topic / material.reading.topic.sentences
    f_control = choice.control / (material.reading.topic.sentences * len(material.reading.controls))
    return CodeEvidence(
        id=code,
        topic=choice.topic,
        control=choice.control,
        f_topic=f_topic,
        f_control=f_control,
        r=math.log2((f_topic + EPSILON) / (f_control + EPSILON)),
        p=choice.p,
        top_tokens=tuple((str(tokenizer.convert_ids_to_tokens(token)), number) for token, number in choice.tokens),
        q=choice.q,
        effect=choice.effect,
        effect_low=choice.effect_low,
        effect_high=choice.effect_high,
        topic_gain=choice.topic_gain,
        retain_cost=choice.retain_cost,
        stability=choice.stability,
        rank=rank,
        odds_ratio=choice.odds_ratio,
        z=choice.z,
        alignment=choice.alignment,
    )


RECIPES.register(Recommended.name)(Recommended)
