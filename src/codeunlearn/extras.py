"""What only some installations bring: extras of the package, such as ``codeunlearn[reports]``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from codeunlearn.errors import CodeUnlearnError


@contextmanager
def needs(extra: str) -> Generator[None]:
    """Around the imports of packages that an extra brings: ``with needs("reports"): import matplotlib``.

    Raises:
        CodeUnlearnError: one is not installed; the message has the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise CodeUnlearnError(f"This needs {package}: pip install 'codeunlearn[{extra}]'.") from error
