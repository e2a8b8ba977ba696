"""The doors of the house: what this package, or another one, adds under a name.

A package adds an entry by registering it in a module that it names in its own ``pyproject.toml``::

    [project.entry-points.codeunlearn]
    mine = "my_package.my_module"

The modules are imported when a registry is first asked for something.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from codeunlearn.errors import CodeUnlearnError

GROUP = "codeunlearn"
_Entry = TypeVar("_Entry")


class Registry(Generic[_Entry]):
    """Entries of one kind by name.

    Args:
        kind: what an entry is called, for messages, such as ``recipe``.
        load: imports the modules with this package's own entries, once.
    """

    def __init__(self, kind: str, load: Callable[[], object] = lambda: None) -> None:
        self.kind, self._load = kind, cache(load)
        self._entries: dict[str, _Entry] = {}

    def register(self, name: str) -> Callable[[_Entry], _Entry]:
        """Decorator that adds an entry.

        Raises:
            CodeUnlearnError: another entry has the name.
        """

        def add(entry: _Entry) -> _Entry:
            if self._entries.get(name, entry) is not entry:
                raise CodeUnlearnError(f"There is a {self.kind} {name!r} already; choose another name.")
            self._entries[name] = entry
            return entry

        return add

    def get(self, name: str) -> _Entry:
        """The entry of that name.

        Raises:
            CodeUnlearnError: there is none.
        """
        names = self.names()
        if name not in self._entries:
            raise CodeUnlearnError(f"Unknown {self.kind} {name!r}; choose one of {', '.join(names)}.")
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, in the order in which their entries were added."""
        self._load()
        load_plugins()
        return list(self._entries)


@cache
def load_plugins() -> None:
    """Imports what other installed packages add.

    Raises:
        CodeUnlearnError: one of them cannot be imported.
    """
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            package = point.dist.name if point.dist else point.value
            raise CodeUnlearnError(
                f"The package {package} adds to codeunlearn and cannot be imported ({error}); update or uninstall it."
            ) from error
