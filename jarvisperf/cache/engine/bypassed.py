"""The engine of a cache that is bypassed: nothing is found, and nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.engine.core import Core

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.cache.engine.model import CachedValue, Life


class BypassedCore(Core):
    """The tiers of another engine, whose values are left alone. Removals work as always.

    A write removes the key instead, because a reader after the bypass must not get an older value.

    Args:
        core: The engine.
    """

    is_bypassed = True

    def __init__(self, core: Core) -> None:
        vars(self).update(vars(core))

    def in_memory_only(self) -> Core:
        """Return this engine."""
        return self

    def find(self, key: str) -> None:
        """Find nothing."""

    def look(self, key: str, *, stale: bool = False) -> CachedValue | None:  # noqa: ARG002 - as in ``Core``
        """Find nothing."""
        return None

    def look_in_memory(self, key: str, *, stale: bool = False) -> CachedValue | None:  # noqa: ARG002 - as in ``Core``
        """Find nothing."""
        return None

    def look_many(self, keys: Sequence[str]) -> dict[str, object]:  # noqa: ARG002 - as in ``Core``
        """Find nothing."""
        return {}

    def touch(self, key: str, life: Life) -> bool:  # noqa: ARG002 - as in ``Core``
        """Find nothing."""
        return False

    def write(self, key: str, value: object, life: Life) -> bool:  # noqa: ARG002 - as in ``Core``
        """Remove the key if the value could be stored."""
        self.check_encodable(value)
        self.remove((key,))
        return False

    def write_many(self, values: Mapping[str, object], life: Life) -> bool:  # noqa: ARG002 - as in ``Core``
        """Remove the keys if all values could be stored."""
        self.check_all_encodable(values)
        self.remove(list(values))
        return False
