"""User-defined tiers: their protocol, and the adapter that turns one into a ``Store``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from jarvisperf.cache.outage.store import CorruptEntryError, Write
from jarvisperf.checks import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from jarvisperf.cache.keys.pattern import KeyPattern

_METHODS: Final = ("get_many", "put_many", "delete_many", "delete_tagged", "keys", "close")
_BUILT_IN: Final = ("memory", "redis", "disk")
_PROBE: Final = "jarvisperf-probe"


class Tier(Protocol):
    """A user-defined store of bytes, for ``SmartCache(tiers=[...])``.

    Keys and tags may be any str. The cache prefixes both with its namespace, so several caches may share a tier.
    Methods may be called from several threads at once. If one raises an Exception, the read is a miss, and the cache
    does not use the tier until a probe succeeds. Before it uses the tier again, it removes the keys that have changed
    since. ``jarvisperf.cache.testing`` has the tests that a tier should pass.

    Attributes:
        name: Its name in statistics and log messages.
    """

    name: str

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of those keys that the tier has."""

    def put_many(self, writes: Sequence[Write]) -> int:
        """Store each ``write.blob`` under ``write.key`` for ``write.seconds`` (may be infinity), with its tags.

        Returns:
            The number of writes stored: all, unless some are too large.
        """

    def delete_many(self, keys: Collection[str]) -> Collection[str]:
        """Remove keys; return those that existed."""

    def delete_tagged(self, tags: Collection[str]) -> Collection[str]:
        """Remove the keys that have one of the tags; return them."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that begin with a prefix."""

    def close(self) -> None:
        """Release all resources."""


class TierStore:
    """A user-defined tier as a ``Store``.

    Args:
        tier: The tier.
        namespace: Namespace of the cache.
    """

    failures: tuple[type[Exception], ...] = (Exception,)
    evictions = 0

    def __init__(self, tier: Tier, namespace: str) -> None:
        self.name = tier.name
        self.place = repr(tier)
        self._tier = tier
        self._prefix = f"{namespace}:"

    def open(self) -> None:
        """Check that the tier works by reading a key."""
        self._tier.get_many([_PROBE])

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a key; None if it does not exist.

        Raises:
            CorruptEntryError: The tier holds something other than bytes.
        """
        name = self._prefix + key
        blob: Any = self._tier.get_many([name]).get(name)
        if blob is not None and not isinstance(blob, bytes):
            raise CorruptEntryError(
                f"tier {self.name} returned {type(blob).__name__} for {name!r}: it must return bytes"
            )
        return blob

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of the keys that exist."""
        found: Mapping[str, Any] = self._tier.get_many([self._prefix + key for key in keys])
        return {self._key(name): blob for name, blob in found.items() if isinstance(blob, bytes)}

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Store bytes; return False if they are too large."""
        return self.put_many([Write(key, blob, seconds, tags)]) == 1

    def put_many(self, writes: Sequence[Write]) -> int:
        """Store several values; return how many were stored."""
        return self._tier.put_many(
            [Write(self._prefix + key, blob, seconds, self._names(tags)) for key, blob, seconds, tags in writes]
        )

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it existed."""
        return bool(self.delete_many([key]))

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; return those that existed."""
        return self._keys(self._tier.delete_many(self._names(keys))) if keys else set()

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys that match."""
        keys = self._keys(self._tier.keys(self._prefix + pattern.head))
        return {key for key in keys if pattern.matches(key)}

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; return them."""
        return self.delete_many(self.keys(pattern))

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; return them."""
        return self._keys(self._tier.delete_tagged(self._names(tags)))

    def size(self) -> tuple[int, int]:
        """Return zeros: finding the size would require a search."""
        return 0, 0

    def close(self) -> None:
        """Close the tier."""
        self._tier.close()

    def _names(self, keys: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._prefix + key for key in keys)

    def _keys(self, names: Iterable[str]) -> set[str]:
        return {self._key(name) for name in names}

    def _key(self, name: str) -> str:
        return name[len(self._prefix) :]


def checked_tiers(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Return the user-defined tiers as a tuple if all are valid.

    Raises:
        TypeError: A tier lacks a method, or its name is not a str.
        ValueError: A tier's name is empty, or is the name of another tier.
    """
    found = tuple(tiers)
    names = list(_BUILT_IN)
    for number, tier in enumerate(found):
        missing = [method for method in _METHODS if not callable(getattr(tier, method, None))]
        if missing:
            raise TypeError(f"tiers[{number}] is {tier!r}, which lacks {', '.join(missing)}: see jarvisperf.cache.Tier")
        name = text(f"the name of tiers[{number}]", getattr(tier, "name", None))  # type: ignore[arg-type]
        if name in names:
            raise ValueError(f"the name of tiers[{number}] is {name!r}: choose one other than {', '.join(names)}")
        names.append(name)
    return found
