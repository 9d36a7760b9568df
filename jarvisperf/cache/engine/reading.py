"""Reads from the tiers in order, and promotes what it finds to the faster ones."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.engine.backoff import Backoff
from jarvisperf.cache.engine.flights.flight import Flights
from jarvisperf.cache.engine.model import CachedValue, Life
from jarvisperf.cache.engine.races import Computations, Stripes
from jarvisperf.cache.engine.unstorable import Unstorable
from jarvisperf.cache.memory.compiled import opener
from jarvisperf.cache.memory.eviction import LOOK_AGAIN_SECONDS
from jarvisperf.cache.outage.store import Write
from jarvisperf.cache.values.classes.declared import UNDECLARED
from jarvisperf.cache.values.envelopes.envelope import UNREADABLE, Encoded, Envelope, Flaw, seal, unseal
from jarvisperf.cache.values.envelopes.marks import is_mark, rejected_version
from jarvisperf.cache.values.fast_path import open_one
from jarvisperf.cache.values.isolation import Held, hold_plain
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.cache.disk_tier.tier import DiskTier
    from jarvisperf.cache.engine.flights.heartbeat import Heartbeat
    from jarvisperf.cache.engine.races import Stripe
    from jarvisperf.cache.keys.names import Names
    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.memory.eviction import MemoryEntry
    from jarvisperf.cache.memory.tier import MemoryTier
    from jarvisperf.cache.outage.guarded import GuardedTier
    from jarvisperf.cache.redis_tier.tier import RemoteTier
    from jarvisperf.cache.values.codec import Codec
    from jarvisperf.cache.values.envelopes.compression import Compressed
    from jarvisperf.cache.values.envelopes.versions import Versions

UNCONFIRMED_SECONDS: Final = 1.0
"""How long memory is trusted while messages from other processes cannot be received."""
_NO_STATE: Final = (0, 0)


class LowerHit:
    """A value found in a tier below memory.

    Attributes:
        value: The decoded value.
        envelope: Its envelope.
        seconds: Time until it expires; 0 or less when it is stale.
        stale_seconds: Time until it may no longer be served, even stale.
        tier: The name of the tier.
        held: The value as memory holds it; None if it was not promoted to memory.
        fits_redis: Whether it may be copied to Redis, which has not rejected it.
    """

    __slots__ = ("envelope", "fits_redis", "held", "seconds", "stale_seconds", "tier", "value")

    def __init__(self, value: object, envelope: Envelope, seconds: float, stale_seconds: float, tier: str) -> None:
        self.value = value
        self.envelope = envelope
        self.seconds = seconds
        self.stale_seconds = stale_seconds
        self.tier = tier
        self.held: Held | None = None
        self.fits_redis = True


class ReadCounts:
    """Counts of one cache.

    Attributes:
        misses: Reads that no tier could answer.
        memory_misses: Reads that memory could not answer.
        sets: Values written.
    """

    __slots__ = ("memory_misses", "misses", "sets")

    def __init__(self) -> None:
        self.misses = self.memory_misses = self.sets = 0


class Reader:
    """The tiers of one cache, and reads from them; ``Core`` adds changes.

    Args:
        names: Names of keys in the namespace.
        codec: Encodes and decodes values.
        secret: Key of the MAC; None for no MAC.
        memory: The first tier.
        remote: Redis, the second tier, or None.
        disk: The disk, the third tier, or None.
        own: User-defined tiers, tried last.
        versions: Source of the versions of writes.
        memory_seconds: How long memory is trusted without asking the tiers below.
        wall_clock: Seconds since 1970.

    Attributes:
        lower: All tiers below memory, in the order in which they are tried.
        counts: Counts of reads and writes.
        hears_changes: Whether every message from other processes is received.
        flights: The computations under way that callers can join.
        backoff: The keys whose refresh failed.
        heartbeat: Renews the leases that this process holds; None without Redis.
    """

    def __init__(
        self,
        names: Names,
        codec: Codec,
        secret: bytes | None,
        memory: MemoryTier,
        remote: RemoteTier | None,
        disk: DiskTier | None,
        own: Sequence[GuardedTier] = (),
        *,
        versions: Versions,
        memory_seconds: float,
        wall_clock: Callable[[], float],
    ) -> None:
        self.names = names
        self.memory = memory
        self.remote = remote
        self.disk = disk
        self.lower: tuple[GuardedTier, ...] = tuple(tier for tier in (remote, disk, *own) if tier is not None)
        self.versions = versions
        self.counts = ReadCounts()
        self.unstorable = Unstorable()
        self.hears_changes = False
        self.stripes = Stripes()
        self.flights = Flights()
        self.backoff = Backoff(memory.now)
        self.heartbeat: Heartbeat | None = None
        self._computations = Computations()
        self._codec = codec
        self._open_plain = opener()
        self._secret = secret
        self._memory_seconds = memory_seconds
        self._wall_clock = wall_clock

    @property
    def compressed(self) -> Compressed:
        """What was compressed for the tiers below memory."""
        return self._codec.compression.done

    # --- one key

    def find(self, key: str) -> tuple[object, str] | None:
        """Return the value of a key and its tier, as a plain tuple because this is on the path of every ``get``."""
        if self._secret is not None or self._copies_upward():
            known = self.look(key)
            return None if known is None else (known.value, known.tier)
        self.counts.memory_misses += 1
        name = self.names.name(key)
        for number, tier in enumerate(self.lower):
            blob = tier.read(key)
            if blob is None:
                tier.misses += 1
                continue
            opened = open_one(blob, name, self._wall_clock(), self._generation(), self._codec.unpack)
            if opened is not None:
                value, version = opened
                self.versions.observe(version)
                tier.hits += 1
                return value, tier.name
            hit = self._look_below(key, stale=False, first=number, blob=blob)
            if hit is not None:
                return hit.value, hit.tier
            break
        self.counts.misses += 1
        return None

    def look(self, key: str, *, stale: bool = False) -> CachedValue | None:
        """Look up a key in all tiers, and promote its value to the faster ones.

        Args:
            key: The key.
            stale: If there is no fresh value, return an expired one that may be served stale.
        """
        entry = self.memory.live(key) if self.memory.entries else None
        if entry is None:
            hit = self._look_below(key, stale=stale)
        else:
            now = self.memory.now()
            found = self._fresh(entry, now)
            if found is not None:
                return found
            hit = self._look_below(key, stale=stale)
            if hit is None:
                found = self._unconfirmed(entry, now, stale=stale)
                if found is not None:
                    return found
        self.counts.memory_misses += 1
        if hit is None:
            self.counts.misses += 1
            return None
        envelope = hit.envelope
        return CachedValue(
            hit.value, hit.tier, hit.seconds, hit.stale_seconds, envelope.version, envelope.compute_seconds, hit.held
        )

    def look_in_memory(self, key: str, *, stale: bool = False) -> CachedValue | None:
        """Look up a key in memory only; a miss is not counted."""
        entry = self.memory.live(key)
        if entry is None:
            return None
        now = self.memory.now()
        if stale and entry.deadline <= now:
            return self._of_entry(entry, now)
        return self._fresh(entry, now)

    # --- many keys

    def look_many(self, keys: Sequence[str]) -> dict[str, object]:
        """Look up several keys, with one round trip for those missing from memory."""
        found: dict[str, object] = {}
        wanted = list(dict.fromkeys(keys))
        in_memory = self.memory.entries
        missing = [key for key in wanted if not self._take_from_memory(key, found)] if in_memory else wanted
        self.counts.memory_misses += len(missing)
        if missing:
            self._look_below_for_many(missing, found)
        if len(found) < len(wanted):
            self._take_unconfirmed(missing, found)
        return found

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys of all tiers that match."""
        return self.memory.keys(pattern).union(*(tier.keys(pattern) for tier in self.lower))

    def _take_from_memory(self, key: str, found: dict[str, object]) -> bool:
        entry = self.memory.live(key)
        known = entry and self._fresh(entry, self.memory.now())
        if not known:
            return False
        found[key] = known.value
        return True

    def _look_below_for_many(self, missing: list[str], found: dict[str, object]) -> None:
        copies = self._copies_upward()
        states = {key: self.stripes.of(key).state() for key in missing} if copies else {}
        old_versions: dict[str, int] = {}
        rejected: dict[str, int] = {}
        marked: set[str] = set()
        newest = 0
        for tier in self.lower:
            blobs = tier.read_many(missing)
            now = self._wall_clock()
            hits = 0
            if not (copies or old_versions or rejected or self._secret):
                others, newest_plain = self._open_plain(
                    blobs, self.names.names(list(blobs)), now, self._generation(), self._codec.unpack, found
                )
                hits = len(blobs) - len(others)
                blobs, newest = others, max(newest, newest_plain)
            for key, blob in blobs.items():
                old_version = old_versions.get(key, 0)
                hit = self._open(tier, key, blob, now, old_version, stale=False)
                if hit is not None and rejected and not _is_rejected_write(hit, rejected.get(key)):
                    marked.add(key)
                elif hit is not None:
                    hits += 1
                    found[key] = hit.value
                    newest = max(newest, hit.envelope.version)
                    if copies:
                        self._copy_upward(tier, key, hit, states[key], old_version)
                elif is_mark(blob):
                    version = rejected_version(blob)
                    if version is None:
                        marked.add(key)  # deleted or being computed: the disk's value must not be used
                    else:
                        rejected[key] = version
                else:
                    old_versions[key] = self._version_in(key, blob)
            tier.hits += hits
            tier.misses += len(missing) - hits
            if hits == len(missing):
                break
            missing = [key for key in missing if key not in found and key not in marked]
        self.versions.observe(newest)

    def _take_unconfirmed(self, missing: list[str], found: dict[str, object]) -> None:
        for key in missing:
            if key in found:
                continue
            entry = self.memory.live(key)
            unconfirmed = entry and self._unconfirmed(entry, self.memory.now(), stale=False)
            if unconfirmed:
                found[key] = unconfirmed.value
                self.counts.memory_misses -= 1
            else:
                self.counts.misses += 1

    # --- memory

    def _fresh(self, entry: MemoryEntry, now: float) -> CachedValue | None:
        """Serve an entry unless it has expired or must be compared with the tiers below."""
        if entry.valid_until <= now:
            if entry.deadline <= now or entry.check_at <= now:
                return None
            # About once a second, a hit of a key gets here and is timed.
            started = time.perf_counter()
            entry.valid_until = min(entry.deadline, entry.check_at, now + LOOK_AGAIN_SECONDS)
            found = self._of_entry(entry, now)
            self.memory.latency.note(time.perf_counter() - started)
            return found
        return self._of_entry(entry, now)

    def _unconfirmed(self, entry: MemoryEntry, now: float, *, stale: bool) -> CachedValue | None:
        """Serve an entry that no lower tier has, if no lower tier could be asked or a stale value will do."""
        if entry.deadline <= now:
            return self._of_entry(entry, now) if stale else None
        if self._can_ask_below():
            self.memory.delete(entry.key)
            return None
        entry.check_at = now + UNCONFIRMED_SECONDS
        return self._fresh(entry, now)

    def _of_entry(self, entry: MemoryEntry, now: float) -> CachedValue | None:
        held = Held(entry.value, entry.thaw, entry.size_bytes)
        try:
            value = entry.value if entry.thaw is None else entry.thaw(entry.value)
        except UNREADABLE_BECAUSE:  # its class was defined again, with other fields
            self.memory.delete(entry.key)
            return None
        self.memory.count_hit(entry)
        seconds, stale_seconds = entry.deadline - now, entry.stale_until - now
        return CachedValue(value, "memory", seconds, stale_seconds, entry.version, entry.compute_seconds, held)

    def _hold(self, key: str, held: Held, life: Life, version: int) -> bool:
        """Store a value in memory; return whether it fits."""
        is_deaf = self.remote is not None and self.remote.available and not self.hears_changes
        now = self.memory.now()
        return self.memory.hold(
            key,
            held,
            deadline=now + life.seconds,
            stale_until=now + life.seconds + life.stale_seconds,
            check_at=now + (min(UNCONFIRMED_SECONDS, self._memory_seconds) if is_deaf else self._memory_seconds),
            version=version,
            tags=life.tags,
            compute_seconds=life.compute_seconds,
        )

    def _drop_if_changed_remotely(self, stripe: Stripe, remote_changes: int, key: str) -> None:
        # Messages are handled without the lock, perhaps just before the value was stored in memory.
        if stripe.remote_changes != remote_changes:
            self.memory.delete(key)

    def forget_memory(self) -> None:
        """Drop everything in memory: anything may have changed."""
        self.stripes.note_remote_change_of_all()
        self._computations.note_remote_change_of_all()
        self.flights.detach_where(lambda _: True)
        self.memory.clear()

    # --- the tiers below

    def _look_below(self, key: str, *, stale: bool, first: int = 0, blob: bytes | None = None) -> LowerHit | None:
        """Look up a key in the tiers below memory.

        Args:
            key: The key.
            stale: Accept a stale value if there is no fresh one.
            first: Index of the tier to begin with.
            blob: That tier's blob, if it has been read already.
        """
        # A blob read before the stripe's state may be older than that state, so it cannot be promoted.
        copies = blob is None and self._copies_upward()
        state = self.stripes.of(key).state() if copies else _NO_STATE
        old_version = 0
        rejected: int | None = None
        stale_hit: LowerHit | None = None
        for tier in self.lower[first:]:
            found, blob = tier.read(key) if blob is None else blob, None
            if found is None:
                tier.misses += 1
                continue
            hit = self._open(tier, key, found, self._wall_clock(), old_version, stale=stale)
            if hit is None:
                tier.misses += 1
                if is_mark(found):
                    rejected = rejected_version(found)
                    if rejected is None:
                        break  # deleted or being computed: the disk's value must not be used
                elif tier is self.remote:
                    old_version = self._version_in(key, found)
                continue
            if not _is_rejected_write(hit, rejected):
                tier.misses += 1
                break
            self.versions.observe(hit.envelope.version)
            if copies:
                hit.held = self._copy_upward(tier, key, hit, state, old_version)
            if hit.seconds > 0:
                tier.hits += 1
                return hit
            tier.misses += 1
            stale_hit = stale_hit or hit
        return stale_hit

    def _open(
        self, tier: GuardedTier, key: str, blob: bytes, now: float, old_version: int, *, stale: bool
    ) -> LowerHit | None:
        """Return the value in a blob if it may be served."""
        envelope = unseal(blob, self.names.name(key), self._secret)
        if isinstance(envelope, Flaw):
            if not is_mark(blob):
                tier.reject(key)
            return None
        created, expiry, stale_until, generation, version, _, _, codec, payload = envelope
        if version < old_version:
            return None  # Redis has a later, expired version that the disk missed
        # A clock that was set back must not extend a value's life.
        start = now if now > created else created  # noqa: FURB136 - max takes three times as long
        seconds, stale_seconds = expiry - start, stale_until - start
        if (seconds <= 0 and not stale) or stale_seconds <= 0:
            return None
        remote = self.remote
        if remote is not None and not self._is_current_generation(remote, generation):
            return None
        value = self._codec.decode(codec, payload)
        if value is UNREADABLE or value is UNDECLARED:
            if value is UNREADABLE:  # otherwise another program, or another version of this one, reads it
                tier.reject(key)
            return None
        return LowerHit(value, envelope, seconds, stale_seconds, tier.name)

    def _version_in(self, key: str, blob: bytes) -> int:
        envelope = unseal(blob, self.names.name(key), self._secret)
        return envelope.version if isinstance(envelope, Envelope) else 0

    def _copies_upward(self) -> bool:
        """Return whether a tier above the one with the value could take a copy."""
        return self.memory.holds_any or (len(self.lower) > 1 and self.remote is not None and self.remote.available)

    def _copy_upward(
        self, tier: GuardedTier, key: str, hit: LowerHit, state: tuple[int, int], old_version: int
    ) -> Held | None:
        """Promote a hit to Redis and memory unless its key has changed since; return the value as memory holds it."""
        remote = self.remote if tier is not self.remote and hit.fits_redis else None
        if not self.memory.holds_any and (remote is None or not remote.available):
            return None
        envelope = hit.envelope
        encoded = Encoded(envelope.codec, (envelope.payload,))
        stale_for = 0.0 if hit.seconds == math.inf else hit.stale_seconds - hit.seconds  # inf - inf would be NaN
        life = Life(hit.seconds, stale_for, envelope.tags, envelope.compute_seconds)
        held = self._held(hit.value, encoded) if self.memory.holds_any else None
        stripe = self.stripes.of(key)
        with stripe.lock:
            if stripe.state() != state:
                return held
            if remote is not None and not self._copy_to_redis(remote, key, envelope, encoded, life, old_version):
                return held
            if held is not None:
                self._hold(key, held, life, envelope.version)
        self._drop_if_changed_remotely(stripe, state[1], key)
        return held

    def _copy_to_redis(
        self, remote: RemoteTier, key: str, envelope: Envelope, encoded: Encoded, life: Life, old_version: int
    ) -> bool:
        """Copy a value to Redis; return False if another process has changed the key there."""
        if not old_version and not remote.available:
            return True  # what ``put_if_absent`` would return, without the work
        seconds = life.seconds + life.stale_seconds
        blob = seal(
            self.names.name(key),
            encoded,
            envelope.created,
            envelope.expiry,
            stale_until=envelope.stale_until,
            generation=remote.generation,
            version=envelope.version,
            tags=envelope.tags,
            compute_seconds=envelope.compute_seconds,
            secret=self._secret,
        )
        if old_version:
            return remote.replace(Write(key, blob, seconds, life.tags), old_version) is not False
        return remote.put_if_absent(key, blob, seconds, life.tags)

    def _can_ask_below(self) -> bool:
        """Return whether a lower tier is available, so that a miss there means that the key is gone."""
        return any(tier.available for tier in self.lower)

    def _generation(self) -> int:
        return self.remote.generation if self.remote is not None else 0

    def _is_current_generation(self, remote: RemoteTier, generation: int) -> bool:
        """Return whether a value belongs to the namespace's generation; a newer generation is adopted."""
        if generation == remote.generation:
            return True
        if not remote.learn_generation(generation):
            return False
        self.forget_memory()
        return True

    def _held(self, value: object, encoded: Encoded) -> Held:
        return hold_plain(value) or self._codec.hold(value, encoded)


def _is_rejected_write(hit: LowerHit, rejected: int | None) -> bool:
    """Return whether a hit is the write that Redis rejected, and note that; also True if Redis rejected none."""
    if rejected is None:
        return True
    hit.fits_redis = False
    return hit.envelope.version == rejected
