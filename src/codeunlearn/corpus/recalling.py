"""What a language model says of a subject by itself: text to search on for what the user's own text says little of.

The model goes on from beginnings that name the subject; whole sentences that name it are kept. They are drawn at random, for
the most probable ones are few, and they say what the model holds, right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from codeunlearn.codebook import Frame, evaluating
from codeunlearn.codebook.prompts import encode_prompts, goes_on
from codeunlearn.corpus.matching import WholeWords
from codeunlearn.corpus.pools import normalise
from codeunlearn.device import has_fast_bf16
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.tasks.generating import end_marks, padded_rows
from codeunlearn.tasks.sentences import sentences_of
from codeunlearn.validation import Count, Seed

BEGINNINGS = (
    "{}", "{} is", "{} has", "The {}", "In {},", "About {}:", "Of {} it is said that", "What is special about {} is",
    "People know {} for", "{} is best known for", "Everybody who has heard of {} knows", "The history of {} began",
    "A short description of {}:", "Most people think of {} as", "One fact about {} is that", "I have read that {}",
    "Question: What is {}?\nAnswer: {} is", "She told me a lot about {}, such as", "When I think of {}, I think of",
    "Nothing is as typical of {} as",
)  # fmt: skip
FEWEST_WORDS = 5
_IDLE = 3  # rounds without a new sentence, after which there are no more


@dataclass(frozen=True)
class RecallConfig:
    """How the model is asked.

    Attributes:
        sentences: as many for each subject, at most.
        temperature: of the draws; 1 is the model's own distribution.
        top_p: the most probable tokens that have so much probability together are drawn from.
        max_new_tokens: of one answer.
        rows: answers that are generated at a time.
        seed: of the draws.
    """

    sentences: Count = 400
    temperature: float = 1.0
    top_p: float = 0.95
    max_new_tokens: Count = 40
    rows: Count = 80
    seed: Seed = 0


def recall(
    model: Any,
    tokenizer: Any,
    subject: str,
    config: RecallConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Sentences of the model's own that name a subject, in the order in which they were drawn.

    Args:
        subject: as it is written within a sentence.
        progress: called with the sentences found and wanted.

    Raises:
        CodeUnlearnError: the model does not go on with a text.
    """
    if not goes_on(model):
        raise CodeUnlearnError("Only a model without an encoder tells what it knows (AutoModelForCausalLM).")
    config = config or RecallConfig()
    holds, found, idle = WholeWords([subject]), dict[str, str](), 0
    for answers in _drawn(model, tokenizer, [one.format(subject, subject) for one in BEGINNINGS], config):
        before = len(found)
        for sentence in (one for text in answers for one in _whole(text)):
            if holds(sentence) and len(sentence.split()) >= FEWEST_WORDS:
                found.setdefault(normalise(sentence), sentence)
        if progress is not None:
            progress(min(len(found), config.sentences), config.sentences)
        idle = 0 if len(found) > before else idle + 1
        if len(found) >= config.sentences or idle == _IDLE:
            break
    return list(found.values())[: config.sentences]


def _whole(text: str) -> Iterator[str]:
    """Its sentences but one that is broken off."""
    for sentence in sentences_of(text):
        if sentence.rstrip("\"'”’)").endswith((".", "!", "?")) and not sentence.startswith(("Question:", "Answer:")):
            yield sentence


@torch.inference_mode()
def _drawn(model: Any, tokenizer: Any, beginnings: Sequence[str], config: RecallConfig) -> Iterator[list[str]]:
    """Batch after batch without an end, every beginning as often as the others."""
    torch.manual_seed(config.seed)
    rows = encode_prompts(model, tokenizer, beginnings, Frame()).ids
    ends, place = end_marks(model, tokenizer), 0
    while True:
        chosen = [(place + i) % len(rows) for i in range(config.rows)]
        place += config.rows
        ids, mask = padded_rows([rows[i] for i in chosen], tokenizer, left=True)
        kind = model.device.type
        with evaluating(model), torch.autocast(kind, torch.bfloat16, has_fast_bf16(model.device)):
            said = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                do_sample=True,
                temperature=config.temperature,
                top_p=config.top_p,
                top_k=0,
                max_new_tokens=config.max_new_tokens,
                eos_token_id=ends,
                pad_token_id=ends[0],
            )
        texts = tokenizer.batch_decode(said[:, ids.shape[1] :], skip_special_tokens=True)
        yield [f"{beginnings[i].rpartition(chr(10))[2]}{text}" for i, text in zip(chosen, texts, strict=True)]
