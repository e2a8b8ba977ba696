"""``pipeline("translation", model=...)`` for saved models; transformers 5 no longer brings one of its own."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, Pipeline, pipelines
from transformers.tokenization_utils_base import LARGE_INTEGER

from codeunlearn.codebook.encoding import encode
from codeunlearn.codebook.prefix import source_prefix

TASK = "translation"


class TranslationPipeline(Pipeline):
    """Sentences in, ``{"translation_text": ...}`` out; further arguments go to ``generate``.

    A model that was trained with a text before every sentence keeps it as ``config.source_prefix``; it is put there
    again. The result is a list of dicts; it is a list of such lists only when several sentences are each asked for
    several sequences.
    """

    _load_tokenizer = True
    tokenizer: Any
    model: Any

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        results: Any = super().__call__(inputs, *args, **kwargs)
        if isinstance(inputs, list) and all(len(result) == 1 for result in results):
            return [result[0] for result in results]
        return results

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, parameters, {}

    def preprocess(self, input_: str, **preprocess_parameters: Any) -> Any:
        limit: int = self.tokenizer.model_max_length
        ids = encode(
            self.tokenizer, [source_prefix(self.model) + input_], limit if limit <= LARGE_INTEGER else None
        ).ids
        tokens = torch.tensor(ids)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def _forward(self, input_tensors: dict[str, Any], **forward_parameters: Any) -> Any:
        """Token ids [batch, sequences per sentence, length], so that the base class can take the batch apart."""
        source, mask = cast(Tensor, input_tensors["input_ids"]), input_tensors["attention_mask"]
        ids = cast(Tensor, self.model.generate(input_ids=source, attention_mask=mask, **forward_parameters))
        return {"output_ids": ids.view(len(source), -1, ids.shape[-1])}

    def postprocess(self, model_outputs: Any, **postprocess_parameters: Any) -> list[dict[str, str]]:
        # The clean-up of spaces follows English rules, and French puts spaces before some marks.
        plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        texts = cast(list[str], self.tokenizer.batch_decode(model_outputs["output_ids"][0], **plain))
        return [{"translation_text": text.strip()} for text in texts]


def register_translation() -> None:
    """Makes the task known to transformers, unless it already is."""
    registry = pipelines.PIPELINE_REGISTRY
    if TASK in registry.get_supported_tasks():
        return
    # The names on this list are refused before the registry is asked.
    getattr(pipelines, "REMOVED_TASKS", {}).pop(TASK, None)
    registry.register_pipeline(TASK, pipeline_class=TranslationPipeline, pt_model=AutoModelForSeq2SeqLM, type="text")


register_translation()
