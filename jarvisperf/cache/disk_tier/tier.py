"""The guarded disk tier: adds an atomic swap to the tier below Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.outage.below_redis import TierBelowRedis

if TYPE_CHECKING:
    from jarvisperf.cache.disk_tier.store import DiskStore
    from jarvisperf.cache.outage.store import Write


class DiskTier(TierBelowRedis):
    """A ``DiskStore`` behind a breaker."""

    _store: DiskStore

    def swap(self, old: bytes, write: Write) -> bool:
        """Replace the old bytes if they are still stored; also True while the disk is down (the write is recorded)."""
        return self.change(lambda: self._store.swap(old, write), lambda: self._note_written(write), otherwise=True)
