"""The mechanism: codebook, bottleneck, and the models that carry one. Needs torch and transformers only."""

from codeunlearn.codebook.architectures import ARCHITECTURES, Architecture
from codeunlearn.codebook.bottleneck import (
    BottleneckOutput,
    ConceptBottleneck,
    find_bottleneck,
    require_bottleneck,
)
from codeunlearn.codebook.codebook import Codebook
from codeunlearn.codebook.config import DELETION_MODES, BottleneckConfig, DeletionMode
from codeunlearn.codebook.identity import Identity, fingerprint, identify, model_identity
from codeunlearn.codebook.loading import load_encoder, load_model, load_tokenizer
from codeunlearn.codebook.modeling import (
    CodeUnlearnMT5Config,
    CodeUnlearnMT5ForConditionalGeneration,
    CodeUnlearnOutput,
    CodeUnlearnT5Config,
    CodeUnlearnT5ForConditionalGeneration,
    attach,
    bottleneck_for,
)
from codeunlearn.codebook.prefix import Frame, chat_frame, prompt_frame, source_prefix
from codeunlearn.codebook.probing import (
    evaluating,
    goes_through,
    replace_bottleneck_output,
    run_to_site,
    skip_bottleneck,
)
from codeunlearn.codebook.selecting.fast import PreparedCodes, top_s
from codeunlearn.codebook.selecting.reference import Selection, top_s_reference
from codeunlearn.codebook.sites import Output, Residual
from codeunlearn.codebook.wrappers import unwrapped

__all__ = [
    "ARCHITECTURES",
    "DELETION_MODES",
    "Architecture",
    "BottleneckConfig",
    "BottleneckOutput",
    "CodeUnlearnMT5Config",
    "CodeUnlearnMT5ForConditionalGeneration",
    "CodeUnlearnOutput",
    "CodeUnlearnT5Config",
    "CodeUnlearnT5ForConditionalGeneration",
    "Codebook",
    "ConceptBottleneck",
    "DeletionMode",
    "Frame",
    "Identity",
    "Output",
    "PreparedCodes",
    "Residual",
    "Selection",
    "attach",
    "bottleneck_for",
    "chat_frame",
    "evaluating",
    "find_bottleneck",
    "fingerprint",
    "goes_through",
    "identify",
    "load_encoder",
    "load_model",
    "load_tokenizer",
    "model_identity",
    "prompt_frame",
    "replace_bottleneck_output",
    "require_bottleneck",
    "run_to_site",
    "skip_bottleneck",
    "source_prefix",
    "top_s",
    "top_s_reference",
    "unwrapped",
]
