"""What every tier can do; the same tests hold for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jarvisperf.cache.keys.pattern import KeyPattern


class Write(NamedTuple):
    """Bytes to be held for a key.

    Attributes:
        key: The key.
        blob: The bytes.
        seconds: How long they are held, above 0; infinity: for ever.
        tags: By which they can be invalidated.
    """

    key: str
    blob: bytes
    seconds: float
    tags: tuple[str, ...] = ()


class Tier(Protocol):
    """Bytes by key, each with a time to live. No method raises for a failure of what lies beneath."""

    name: str

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key; None: nothing, or it has expired."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Give what is held for those of the keys that are."""

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Hold bytes for a time above 0 (infinity: for ever); whether they are held."""

    def put_many(self, writes: Sequence[Write]) -> bool:
        """Hold several; whether all are held."""

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; returns those that were there."""

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Give the keys that match and have not expired."""

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; returns those."""

    def clear(self) -> None:
        """Remove every key of the namespace, and nothing else."""

    def close(self) -> None:
        """Give back what the tier holds of the system."""


class Store(Protocol):
    """What lies beneath a guarded tier: the same, but it raises.

    Attributes:
        name: For messages and statistics.
        place: Where it is, for messages.
        failures: What its methods raise when the store cannot be used.
    """

    name: str
    place: str
    failures: tuple[type[Exception], ...]

    @property
    def evictions(self) -> int:
        """Entries that it removed to make room, as far as it knows."""

    def open(self) -> None:
        """Make it ready; called before the first use and again after every failure."""

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key.

        Raises:
            CorruptEntryError: What is held is not what this store writes.
        """

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Give what is held for those of the keys that are; what is corrupt is left out."""

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Hold bytes; False: they are too many."""

    def put_many(self, writes: Sequence[Write]) -> int:
        """Hold several but for those that are too large; how many are held."""

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; returns those that were there."""

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Give the keys that match."""

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; returns those."""

    def size(self) -> tuple[int, int]:
        """Count entries and bytes, as far as it is known without a long search."""

    def close(self) -> None:
        """Give back what it holds of the system."""


class CorruptEntryError(Exception):
    """A store holds something under a key that it never wrote there."""
