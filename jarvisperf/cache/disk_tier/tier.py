"""The guarded disk tier: what it can do beyond holding bytes, and what Redis is told for its sake.

A change that the disk could not take leaves an old row there, which other processes can read and copy to Redis. A
tombstone in Redis keeps them from it, but for ``TOMBSTONE_SECONDS`` only: so it is renewed for as long as the disk
fails, and once more when the disk has been told.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.outage.guarded import GuardedTier
from jarvisperf.cache.values.marks import TOMBSTONE_SECONDS

if TYPE_CHECKING:
    import random

    from jarvisperf.cache.disk_tier.store import DiskStore
    from jarvisperf.cache.outage.replay import Snapshot
    from jarvisperf.cache.outage.store import Write
    from jarvisperf.cache.redis_tier.tier import RemoteTier
    from jarvisperf.cache.values.versions import Versions

RENEW_AFTER_SECONDS: Final = TOMBSTONE_SECONDS / 4


class DiskTier(GuardedTier):
    """A ``DiskStore`` behind a breaker.

    Args:
        store: The store.
        jitter: Source of randomness for the pauses between probes.
        versions: Gives the versions of changes.
        remote: Redis; None: there is none.
    """

    _store: DiskStore

    def __init__(self, store: DiskStore, jitter: random.Random, versions: Versions, remote: RemoteTier | None) -> None:
        self._remote = remote
        self._renewed_at = -math.inf
        super().__init__(store, jitter, versions, wait_seconds=None)

    def swap(self, old: bytes, write: Write) -> bool:
        """Hold bytes in place of those if they still are there; True also where the disk is down: it is noted."""
        return self.change(lambda: self._store.swap(old, write), lambda: self._note_written(write), otherwise=True)

    def _tell(self, pending: Snapshot) -> set[str]:
        gone = super()._tell(pending)
        if self._remote is not None:
            if pending.everything:
                self._remote.clear()
            self._remote.bury({**dict.fromkeys(gone, self._versions.next()), **pending.versions()})
        return gone

    def _recover(self) -> bool:
        is_back = super()._recover()
        if not is_back and self._remote is not None and self._clock() - self._renewed_at >= RENEW_AFTER_SECONDS:
            self._renewed_at = self._clock()
            with self._lock:
                versions = self._pending.snapshot().versions()
            self._remote.bury(versions)
        return is_back
