"""How keys go from all tiers: by name, pattern, tag, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.engine.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jarvisperf.cache.engine.fillings import Filling
    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.outage.guarded import GuardedTier


class Removing(Tiers):
    """The deletions of a cache."""

    def remove(self, keys: Collection[str]) -> set[str]:
        """Remove keys from every tier; returns those that are known to have been there."""
        found: set[str] = set()
        with self.stripes.changing(keys):
            self._fillings.void(keys)
            found.update(key for key in keys if self.memory.delete(key))
            version = self.versions.next()
            # Redis first: what a writer puts on the disk meanwhile is followed by its write there.
            for tier in self.lower:
                found |= tier.delete_many(keys, version)
        return found

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match from every tier; returns those that are known to have been there."""
        return self._invalidate(
            lambda tier: tier.invalidate(pattern),
            lambda: self.memory.invalidate(pattern),
            lambda filling: pattern.matches(filling.key),
        )

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; returns those that are known to have been there."""
        return self._invalidate(
            lambda tier: tier.invalidate_tags(tags),
            lambda: self.memory.invalidate_tags(tags),
            lambda filling: not set(tags).isdisjoint(filling.tags),
        )

    def _invalidate(
        self,
        in_tier: Callable[[GuardedTier], set[str]],
        in_memory: Callable[[], set[str]],
        concerned: Callable[[Filling], bool],
    ) -> set[str]:
        removed: set[str] = set()
        self._fillings.void_where(concerned)
        self.stripes.note_change_of_all()
        for tier in self.lower:
            found = in_tier(tier)
            if tier is self.disk and self.remote is not None and found - removed:
                # Where a reader is just copying one of them upward, Redis must refuse it.
                self.remote.delete_many(found - removed)
            removed |= found
        self.stripes.note_change_of_all()
        return removed | in_memory()

    def clear(self) -> None:
        """Remove every key of the namespace from every tier."""
        self._fillings.void_where(lambda _: True)
        self.stripes.note_change_of_all()
        for tier in self.lower:
            tier.clear()
        self.stripes.note_change_of_all()
        self.memory.clear()
