"""The guarded disk tier: swapping, and tombstones in a shared tier while the disk fails.

A change that the disk missed leaves an old row there, which other processes could read and copy to Redis. A tombstone
in Redis prevents that, but only for ``TOMBSTONE_SECONDS``: so it is renewed while the disk fails, and once more after
the replay.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from jarvisperf.cache.outage.guarded import GuardedTier
from jarvisperf.cache.values.marks import TOMBSTONE_SECONDS

if TYPE_CHECKING:
    import random

    from jarvisperf.cache.disk_tier.store import DiskStore
    from jarvisperf.cache.outage.replay import Snapshot
    from jarvisperf.cache.outage.store import Write
    from jarvisperf.cache.values.versions import Versions

RENEW_AFTER_SECONDS: Final = TOMBSTONE_SECONDS / 4


class SharedTier(Protocol):
    """The tier that processes share, as far as the disk tier uses it: Redis."""

    def bury(self, versions: dict[str, int]) -> None:
        """Delete keys whose value is not newer than these versions."""

    def clear(self) -> None:
        """Remove every key of the namespace."""


class DiskTier(GuardedTier):
    """A ``DiskStore`` behind a breaker.

    Args:
        store: The store.
        jitter: Source of randomness for the pauses between probes.
        versions: Issues the versions of changes.
        remote: The shared tier; None: there is none.
    """

    _store: DiskStore

    def __init__(self, store: DiskStore, jitter: random.Random, versions: Versions, remote: SharedTier | None) -> None:
        self._remote = remote
        self._renewed_at = -math.inf
        super().__init__(store, jitter, versions, wait_seconds=None)

    def swap(self, old: bytes, write: Write) -> bool:
        """Replace the old bytes if they are still stored; also True while the disk is down (the write is recorded)."""
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
