"""The protocol of the store beneath a guarded tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jarvisperf.cache.keys.pattern import KeyPattern


class Write(NamedTuple):
    """A value to store.

    Attributes:
        key: The key.
        blob: The bytes.
        seconds: How long to keep them, greater than 0; infinity for no expiry.
        tags: Tags by which they can be invalidated.
    """

    key: str
    blob: bytes
    seconds: float
    tags: tuple[str, ...] = ()


class Store(Protocol):
    """Bytes by key, each with a time to live. Its methods raise ``failures`` when the store cannot be used.

    Methods for single keys and for writes may raise ``RejectedError`` when only these keys or values are the problem.

    Attributes:
        name: Name for messages and statistics.
        place: Location for messages.
        failures: Exceptions that its methods raise when the store cannot be used.
    """

    name: str
    place: str
    failures: tuple[type[Exception], ...]

    @property
    def evictions(self) -> int:
        """The number of entries removed to make room, if known."""

    def open(self) -> None:
        """Open the store; called before the first use and after every failure."""

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a key; None if it does not exist.

        Raises:
            CorruptEntryError: The entry was not written by this store.
        """

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that have any; corrupt entries are left out."""

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Store bytes; return False if they are too large."""

    def put_many(self, writes: Sequence[Write]) -> int:
        """Store several values, except those that are too large; return how many were stored."""

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it existed."""

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; return those that existed."""

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys that match."""

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match and return them."""

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags and return them."""

    def size(self) -> tuple[int, int]:
        """Return the number of entries and bytes; zeros if that would require a long search."""

    def close(self) -> None:
        """Release all resources."""


class RejectedError(Exception):
    """A store works, but does not take or return some values.

    Args:
        keys: Their keys.
        reason: The store's error.
        stored: How many other values of the same call were stored.
    """

    def __init__(self, keys: Sequence[str], reason: Exception, stored: int = 0) -> None:
        super().__init__(f"{len(keys)} values, because of {reason!r}")
        self.keys = keys
        self.reason = reason
        self.stored = stored


class CorruptEntryError(Exception):
    """A store has an entry that it did not write."""
