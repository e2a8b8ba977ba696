"""The architectures that can carry a bottleneck: one class a family, and others from other packages.

Add a family: subclass `Architecture` or one of its kinds, register it under a name, and list it here (in this package) or
name its module as an entry point of the group ``codeunlearn`` (in another).
"""

from codeunlearn.codebook.architectures.base import ARCHITECTURES, Architecture, Settings, base_type
from codeunlearn.codebook.architectures.decoders import GPT2, Decoder, Gemma, GPTNeoX, Llama, Phi3
from codeunlearn.codebook.architectures.encoders import Bert, DebertaV2, DistilBert, Encoder, ModernBert, Roberta
from codeunlearn.codebook.architectures.finding import architecture_of, find_architecture
from codeunlearn.codebook.architectures.seq2seq import Bart, MBart
from codeunlearn.codebook.architectures.t5 import T5

OWN = (T5, Bart, MBart, Llama, Gemma, Phi3, GPT2, GPTNeoX, Bert, Roberta, DistilBert, DebertaV2, ModernBert)
"""This package's own, whose models the Auto classes know as soon as `codeunlearn.codebook` is imported."""

__all__ = [
    "ARCHITECTURES",
    "OWN",
    "Architecture",
    "Decoder",
    "Encoder",
    "Settings",
    "architecture_of",
    "base_type",
    "find_architecture",
]
