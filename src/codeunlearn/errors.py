"""The one exception that means "the user can mend this": its message says what is wrong and what to do."""

from __future__ import annotations


class CodeUnlearnError(ValueError):
    """An input, option or file that cannot be used; the message is one sentence for the user."""
