"""The architectures that can carry a bottleneck: one file a family, and others from other packages.

Add a family: subclass `Architecture`, register it under a name, and import it here (in this package) or name its module as
an entry point of the group ``codeunlearn`` (in another).
"""

from codeunlearn.codebook.architectures.base import (
    ARCHITECTURES,
    Architecture,
    Settings,
    architecture_of,
    base_type,
    find_architecture,
)
from codeunlearn.codebook.architectures.t5 import T5

OWN = (T5,)
"""This package's own, whose models the Auto classes know as soon as `codeunlearn.codebook` is imported."""

__all__ = ["ARCHITECTURES", "OWN", "Architecture", "Settings", "architecture_of", "base_type", "find_architecture"]
