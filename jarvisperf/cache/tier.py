"""What every tier can do; the same tests hold for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jarvisperf.cache.pattern import KeyPattern


class Tier(Protocol):
    """Bytes by key, each with a time to live. No method raises for a failure of what lies beneath."""

    name: str

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key; None: nothing, or it has expired."""

    def put(self, key: str, blob: bytes, seconds: float) -> bool:
        """Hold bytes for a time above 0 (infinity: for ever); whether they are held."""

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""

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

    def open(self) -> None:
        """Make it ready; called before the first use and again after every failure."""

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key.

        Raises:
            CorruptEntryError: What is held is not what this store writes.
        """

    def put(self, key: str, blob: bytes, seconds: float) -> None:
        """Hold bytes."""

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""

    def delete_many(self, keys: set[str]) -> None:
        """Remove keys."""

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""

    def close(self) -> None:
        """Give back what it holds of the system."""


class CorruptEntryError(Exception):
    """A store holds something under a key that it never wrote there."""
