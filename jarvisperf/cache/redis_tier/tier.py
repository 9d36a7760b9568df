"""The guarded Redis tier: leases, versions, tombstones, and the replay after an outage."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.outage.guarded import GuardedTier
from jarvisperf.cache.outage.replay import Change
from jarvisperf.cache.outage.store import RejectedError, Write
from jarvisperf.cache.values.envelopes.marks import TOMBSTONE_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Mapping, Sequence

    from jarvisperf.cache.outage.replay import Snapshot
    from jarvisperf.cache.redis_tier.store import RedisStore
    from jarvisperf.cache.values.envelopes.marks import Lease, Refusal
    from jarvisperf.cache.values.envelopes.versions import Versions

# Deletions by others are known only while their tombstones exist.
_LONGEST_REPLAY_SECONDS = TOMBSTONE_SECONDS / 2
# How long callers may wait for the end of a replay. Searching for the keys of a pattern can take much longer.
_LONGEST_WAIT_SECONDS: Final = 0.1


class RemoteTier(GuardedTier):
    """A ``RedisStore`` behind a breaker."""

    _store: RedisStore

    def __init__(self, store: RedisStore, jitter: random.Random, versions: Versions, *, wait_seconds: float) -> None:
        self._has_leftovers = False
        self._sweeping = threading.Lock()
        super().__init__(store, jitter, versions, wait_seconds=wait_seconds)

    @property
    def unsettled(self) -> int:
        """The number of changes to replay; entries of older generations that are still to be removed count as one."""
        return super().unsettled + self._has_leftovers

    @property
    def generation(self) -> int:
        """The latest known generation of the namespace."""
        return self._store.generation

    def learn_generation(self, generation: int) -> bool:
        """Record a generation received from another process; return whether it is newer."""
        is_newer = generation > self._store.generation
        if is_newer:
            self._store.generation = generation
        return is_newer

    def reject(self, key: str) -> None:
        """Count and remove a damaged entry."""
        self.corrupt += 1
        self.change(lambda: self._store.discard(key), lambda: self._note_deleted([key]), otherwise=None)

    def after_fork(self) -> None:
        """Replace the locks and the sender id."""
        super().after_fork()
        self._sweeping = threading.Lock()
        self._store.after_fork()

    def close(self) -> None:
        """Stop probing and sweeping, and close the store."""
        self._breaker.stop()
        with self._sweeping:
            super().close()

    def send(self, write: Write) -> Callable[[], bool]:
        """Begin to store bytes; the returned function, which must be called, finishes what ``put`` does."""
        if self._breaker.is_open:
            return lambda: self.put(*write)
        started = time.perf_counter()
        finish = self._store.send(write)

        def received() -> bool:
            try:
                finish()
            except RejectedError as error:
                self.note_rejected(error)
                return False
            except self._store.failures as error:
                self.fail(error, lambda: self._note_written(write))
                return False
            self.latency.note(time.perf_counter() - started)
            self.sets += 1
            return True

        return received

    def put_if_absent(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...]) -> bool:
        """Store bytes unless there is a value or a mark; also True while Redis is down."""
        return self.ask(lambda: self._store.put_if_absent(key, blob, seconds, tags), otherwise=True)

    def add(self, write: Write) -> bool | None:
        """Store bytes unless there is a value or a mark; return None if Redis is down and the write recorded."""
        return self.change(
            lambda: self._store.put_if_absent(*write, is_news=True), lambda: self._note_written(write), otherwise=None
        )

    def bury(self, versions: dict[str, int]) -> None:
        """Delete keys whose value is not newer than these versions, after a change that another tier missed."""

        def note() -> None:
            for key, version in versions.items():
                self._pending.note_unless_known(key, Change(version, time.monotonic()))

        if versions:
            self.change(lambda: self._store.bury_if_older(versions), note, otherwise=None)

    def replace(self, write: Write, version: int) -> bool | None:
        """Store bytes if the current value has this version; return None if Redis is down and the write recorded."""
        return self.change(
            lambda: self._store.replace(write, version),
            lambda: self._note_written(write),
            otherwise=None,
        )

    def take_lease(self, key: str, held_version: int | None, seconds: float) -> Lease | Refusal | None:
        """Request the lease of a key; return None if Redis is down."""
        down: Lease | Refusal | None = None
        return self.ask(lambda: self._store.take_lease(key, held_version, seconds), down)

    def renew(self, key: str, lease: Lease, seconds: float) -> bool:
        """Renew a lease; return False if it is lost. While Redis is down, nobody else can get it."""
        return self.ask(lambda: self._store.renew(key, lease, seconds), otherwise=True)

    def fill(self, write: Write, lease: Lease) -> bool:
        """Store a value computed under a lease; return False if the key has changed since."""

        def fill() -> bool:
            is_held = self._store.fill(*write, lease)
            self.sets += is_held
            return is_held

        return self.change(
            fill,
            # The value may predate a change by another process that this one has missed.
            lambda: self._note_deleted([write.key]),
            otherwise=True,
        )

    def take_leases(
        self, keys: Sequence[str], held_versions: Mapping[str, int], seconds: float
    ) -> dict[str, Lease | Refusal]:
        """Request the leases of several keys; return nothing if Redis is down."""
        down: dict[str, Lease | Refusal] = {}
        return self.ask(lambda: self._store.take_leases(keys, held_versions, seconds), down)

    def fill_many(self, writes: Sequence[Write], leases: Mapping[str, Lease]) -> set[str]:
        """Store values computed under leases; return the keys that have changed since."""
        lost: set[str] = set()

        def fill() -> set[str]:
            stored = len(writes)
            try:
                self._store.fill_many(writes, leases, lost)
            except RejectedError as error:  # the others are stored
                self.note_rejected(error)
                stored = error.stored
            self.sets += stored - len(lost)
            return lost

        nothing: set[str] = set()
        return self.change(fill, lambda: self._note_deleted([write.key for write in writes]), otherwise=nothing)

    def release_many(self, leases: Mapping[str, Lease]) -> None:
        """Release several leases; if that fails, they expire."""
        self.ask(lambda: self._store.release_many(leases), None)

    def release(self, key: str, lease: Lease) -> None:
        """Release a lease; if that fails, it expires."""
        self.ask(lambda: self._store.release(key, lease), None)

    def _delete_in_store(self, keys: Collection[str], version: int) -> set[str]:
        return self._store.delete_many(keys, version)

    def _clear_store(self) -> None:
        self._store.clear()

    def _recover(self) -> bool:
        is_back = super()._recover()
        if is_back and self._has_leftovers:
            self._sweep()
        return is_back

    def _sweep(self) -> None:
        """Remove what older generations left behind; nobody reads it, so Redis is in use already.

        It would be read if the server evicted the key that holds the generation.
        """
        with self._sweeping:
            try:
                for _ in self._store.remove_older_generations():
                    if self._breaker.is_stopped:
                        return
            except self._store.failures as error:
                self.fail(error)  # and again after the next recovery
            else:
                self._has_leftovers = False

    def _is_settled_at_once(self, rounds: int, last_seconds: float) -> bool:
        # A busy process records changes as fast as it replays them. A new generation takes one step.
        is_slow = last_seconds > _LONGEST_WAIT_SECONDS and not self._pending.is_soon_told()
        if is_slow or self._pending.has_everything:
            self._pending.note_everything()
            return True
        return super()._is_settled_at_once(rounds, last_seconds)

    def _tell(self, pending: Snapshot) -> set[str]:
        if pending.everything:
            self._has_leftovers = True
            self._store.begin_generation()
        gone: set[str] = set()
        if pending.patterns:
            gone |= self._store.invalidate_all([pattern for pattern, _ in pending.patterns.values()])
        if pending.tags:
            gone |= self._store.invalidate_tags(pending.tags)
        writes, deleted = self._sorted(pending)
        self._store.bury_if_older(deleted)
        try:
            self._store.put_if_newer(writes)
        except RejectedError as error:
            self.note_rejected(error)
        self._store.count_invalidations()
        if self._store.missed_invalidations:
            self._store.bury_if_older({write.key: pending.changes[write.key].version for write in writes})
        self._store.missed_invalidations = False
        return gone

    def _sorted(self, pending: Snapshot) -> tuple[list[Write], dict[str, int]]:
        """Split the changes into those that can still be written and those that can only be deleted.

        A write may predate a deletion or invalidation that this process has missed. Deletions leave a tombstone
        for a while; invalidations are counted.
        """
        now = time.monotonic()
        writes, deleted = [], {}
        for key, change in pending.outcome().items():
            write, age = change.write, now - change.noted
            is_late = self._store.missed_invalidations or age > _LONGEST_REPLAY_SECONDS
            if write is None or is_late or write.seconds <= age:
                deleted[key] = change.version
            else:
                writes.append(Write(key, write.blob, write.seconds - age, write.tags))
        return writes, deleted
