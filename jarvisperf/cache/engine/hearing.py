"""What a cache does when it hears of changes by other processes: memory drops what they concern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.engine.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Collection

    from jarvisperf.cache.keys.pattern import KeyPattern


class Hearing(Tiers):
    """The changes that a cache hears of."""

    def hear_of_keys(self, keys: Collection[str]) -> None:
        """Drop from memory what another process changed.

        Whatever its version: of two that write at once Redis keeps what comes last, and that may be the older version.
        """
        for key in keys:
            self.stripes.of(key).heard += 1
            self._fillings.hear([key])
            self.memory.delete(key)

    def hear_of_invalidation(self, pattern: KeyPattern | None, tags: Collection[str]) -> None:
        """Drop from memory what another process invalidated."""
        self.stripes.hear_change_of_all()
        self._fillings.hear_where(lambda _: True)
        if pattern is not None:
            self.memory.invalidate(pattern)
        if tags:
            self.memory.invalidate_tags(tags)
