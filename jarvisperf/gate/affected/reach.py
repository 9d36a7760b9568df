"""What executed code may call besides what it was seen to call: a branch taken once in a thousand calls, for example.

A function may call whatever has a name that its body mentions, in its own file or in one that this file's names refer
to. That is more than it really calls, and follows names, not types.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from jarvisperf.gate.affected.touched import MODULE, Executed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jarvisperf.gate.affected.module_parts import ModuleParts


class Reach:
    """Finds what code of one arm may call.

    Args:
        parts: Returns the parts of a file; None if it cannot be read.
        links: For each file, the files that its names refer to.
    """

    def __init__(self, parts: Callable[[str], ModuleParts | None], links: Mapping[str, frozenset[str]]) -> None:
        self._parts = parts
        self._links = links
        self._by_last_name: dict[str, dict[str, list[str]]] = {}
        self._calls: dict[Executed, frozenset[Executed]] = {}

    def of(self, executed: Iterable[Executed]) -> set[Executed]:
        """Return functions and all that they may call, directly or not."""
        found = {function for one in executed if (function := self._function(one)) is not None}
        todo = deque(found)
        while todo:
            new = self._callable_from(todo.popleft()) - found
            found |= new
            todo.extend(new)
        return found

    def is_unknown(self, one: Executed) -> bool:
        """Return whether code is none of the functions in its file, so that any change of the file may concern it."""
        parts = self._parts(one.file)
        return parts is None or one.name not in parts.functions

    def _function(self, one: Executed) -> Executed | None:
        if one.name == MODULE:
            return None
        parts = self._parts(one.file)
        name = parts.function_of(one.name) if parts is not None else None
        return one if name is None else Executed(one.file, name) if name else None

    def _callable_from(self, one: Executed) -> frozenset[Executed]:
        if one not in self._calls:
            parts = self._parts(one.file)
            names = parts.names.get(one.name, frozenset()) if parts is not None else frozenset()
            files = {one.file, *self._links.get(one.file, ())}
            self._calls[one] = frozenset(
                Executed(file, function)
                for file in files
                for name in names & self._last_names(file).keys()
                for function in self._last_names(file)[name]
            )
        return self._calls[one]

    def _last_names(self, file: str) -> dict[str, list[str]]:
        if file not in self._by_last_name:
            parts = self._parts(file)
            self._by_last_name[file] = parts.by_last_name() if parts is not None else {}
        return self._by_last_name[file]
