"""A guarded tier below Redis: old values that it holds after an outage must not be promoted to Redis.

A change that the tier missed leaves an old value there. A tombstone in Redis keeps other processes from promoting it,
but only for ``TOMBSTONE_SECONDS``. So it is renewed while the tier is unavailable, and once more after the replay.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from jarvisperf.cache.outage.guarded import GuardedTier
from jarvisperf.cache.values.envelopes.marks import TOMBSTONE_SECONDS

if TYPE_CHECKING:
    import random

    from jarvisperf.cache.outage.replay import Snapshot
    from jarvisperf.cache.outage.store import Store
    from jarvisperf.cache.values.envelopes.versions import Versions

RENEW_AFTER_SECONDS: Final = TOMBSTONE_SECONDS / 4


class BuriesKeys(Protocol):
    """The part of the Redis tier used here."""

    def clear(self) -> None:
        """Remove every key of the namespace."""

    def bury(self, versions: dict[str, int]) -> None:
        """Replace with a tombstone each key whose value is not newer than the given version."""


class TierBelowRedis(GuardedTier):
    """A store below Redis, behind a breaker.

    Args:
        store: The store.
        jitter: Source of randomness for the pauses between probes.
        versions: Source of the versions of changes.
        remote: The Redis tier, or None.
    """

    def __init__(self, store: Store, jitter: random.Random, versions: Versions, remote: BuriesKeys | None) -> None:
        self._remote = remote
        self._renewed_at = -math.inf
        super().__init__(store, jitter, versions, wait_seconds=None)

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
                pending = self._pending.snapshot()
            self._remote.bury(pending.versions())
        return is_back
