"""How a value that somebody computes gets into the tiers, unless its key was changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.engine.tiers import Tiers

if TYPE_CHECKING:
    from jarvisperf.cache.engine.fillings import Filling
    from jarvisperf.cache.engine.model import Life
    from jarvisperf.cache.values.envelope import Encoded
    from jarvisperf.cache.values.isolation import Held
    from jarvisperf.cache.values.marks import Lease, Refusal


class Computing(Tiers):
    """Leases and fillings of a cache."""

    def take_lease(self, key: str, held_version: int | None, seconds: float) -> Lease | Refusal | None:
        """Ask whether the value of a key may be computed here; None: it may, for no Redis is in use.

        Args:
            key: The key.
            held_version: Of the value in Redis that is to be replaced; None: none was found.
            seconds: After that long somebody else may compute it, too.
        """
        return None if self.remote is None else self.remote.take_lease(key, held_version, seconds)

    def release(self, key: str, lease: Lease | None) -> None:
        """Give a lease back."""
        if lease is not None and self.remote is not None:
            self.remote.release(key, lease)

    def begin_fill(self, key: str, tags: tuple[str, ...]) -> Filling:
        """Say that a value is about to be computed; to be ended with ``fill`` or ``abandon``."""
        return self._fillings.begin(key, tags)

    def abandon(self, filling: Filling, lease: Lease | None) -> None:
        """Say that it will not be written after all."""
        self._fillings.end(filling)
        self.release(filling.key, lease)

    def fill(self, filling: Filling, value: object, life: Life, lease: Lease | None) -> Held:
        """Write what was computed, unless the key was changed meanwhile; gives what others may have copies of."""
        key = filling.key
        held, encoded = self._prepared(value)
        stripe = self.stripes.of(key)
        try:
            with stripe:
                if filling.is_void:
                    self.release(key, lease)
                    return held
                version = self.versions.next()
                if encoded is not None and self.lower and not self._fill_below(key, encoded, life, version, lease):
                    return held
                self._hold(key, held, life, version)
                self.sets += 1
            if filling.was_heard_of:
                self.memory.delete(key)
            return held
        finally:
            self._fillings.end(filling)

    def _fill_below(self, key: str, encoded: Encoded, life: Life, version: int, lease: Lease | None) -> bool:
        write = self._sealed(key, encoded, life, version)
        if self.disk is not None:
            self.disk.put(*write)
        if self.remote is None:
            return True
        if lease is None:  # Redis was down when the computing began
            self.remote.delete(key)
            return True
        is_held = self.remote.fill(write, lease)
        if not lease.token:
            self.remote.release(key, lease)
        if not is_held and self.disk is not None:
            self.disk.delete(key)
        return is_held
