"""Which values are being computed for the cache, so that a change meanwhile keeps what was computed before it out."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Filling:
    """One value being computed.

    Attributes:
        key: Its key.
        tags: Its tags.
        is_void: This process has changed the key since: what is computed may be old.
        was_heard_of: Another process may have changed it; whether it did, Redis knows and memory does not.
    """

    __slots__ = ("is_void", "key", "tags", "was_heard_of")

    def __init__(self, key: str, tags: tuple[str, ...]) -> None:
        self.key = key
        self.tags = tags
        self.is_void = False
        self.was_heard_of = False


class Fillings:
    """All values of one cache that are being computed."""

    def __init__(self) -> None:
        self._by_key: dict[str, Filling] = {}
        self._lock = threading.Lock()

    def begin(self, key: str, tags: tuple[str, ...]) -> Filling:
        """Begin to watch a key."""
        filling = Filling(key, tags)
        with self._lock:
            self._by_key[key] = filling
        return filling

    def end(self, filling: Filling) -> None:
        """Watch it no longer."""
        with self._lock:
            if self._by_key.get(filling.key) is filling:
                del self._by_key[filling.key]

    def void(self, keys: Iterable[str]) -> None:
        """Note that keys were changed by this process."""
        if self._by_key:
            for key in keys:
                filling = self._by_key.get(key)
                if filling is not None:
                    filling.is_void = True

    def hear(self, keys: Iterable[str]) -> None:
        """Note that keys were changed by another process."""
        for key in keys:
            filling = self._by_key.get(key)
            if filling is not None:
                filling.was_heard_of = True

    def void_where(self, concerned: Callable[[Filling], bool]) -> None:
        """Note that this process changed all keys that are concerned."""
        for filling in self._all():
            filling.is_void |= concerned(filling)

    def hear_where(self, concerned: Callable[[Filling], bool]) -> None:
        """Note that another process may have changed all keys that are concerned."""
        for filling in self._all():
            filling.was_heard_of |= concerned(filling)

    def _all(self) -> list[Filling]:
        with self._lock:
            return list(self._by_key.values())
