"""What all faces of the cache share: how values go down through the tiers and come up again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from jarvisperf.cache.encoded import UNREADABLE, Encoded
from jarvisperf.cache.entry import LOOK_AGAIN_SECONDS
from jarvisperf.cache.envelope import Envelope, seal, unseal
from jarvisperf.cache.expiry import remaining_seconds
from jarvisperf.cache.fillings import Filling, Fillings
from jarvisperf.cache.isolation import Held
from jarvisperf.cache.marks import is_mark
from jarvisperf.cache.stripes import Stripes
from jarvisperf.cache.tier import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from jarvisperf.cache.codec import Codec
    from jarvisperf.cache.entry import Entry
    from jarvisperf.cache.guarded import GuardedTier
    from jarvisperf.cache.local import DiskTier
    from jarvisperf.cache.marks import Lease, Refusal
    from jarvisperf.cache.memory import MemoryTier
    from jarvisperf.cache.names import Names
    from jarvisperf.cache.pattern import KeyPattern
    from jarvisperf.cache.remote import RemoteTier
    from jarvisperf.cache.stripes import Stripe
    from jarvisperf.cache.versions import Versions

# As long as nothing is heard from the other processes, memory is believed no longer than this.
_DEAF_SECONDS: Final = 1.0


class Found(NamedTuple):
    """A value that a tier had.

    Attributes:
        value: The caller's own.
        seconds: Until it expires; 0 or less: it is stale.
        stale_seconds: Until it may not even be served stale.
        version: Of the write, if Redis had it; else 0.
        compute_seconds: How long it took to compute, if that is known.
        held: What others may have copies of; None: it has to be made of the value first.
    """

    value: object
    seconds: float
    stale_seconds: float
    version: int
    compute_seconds: float
    held: Held | None


class Life(NamedTuple):
    """How long a value lives, and what goes with it into the tiers.

    Attributes:
        seconds: Until it expires.
        stale_seconds: How long after that it may still be served stale.
        tags: By which it can be invalidated.
        compute_seconds: How long it took to compute.
    """

    seconds: float
    stale_seconds: float = 0.0
    tags: tuple[str, ...] = ()
    compute_seconds: float = 0.0


class Core:
    """Memory, Redis and disk as one.

    Args:
        names: Of the namespace.
        codec: Turns values into bytes.
        secret: Key of the MAC; None: no MAC.
        memory: The first tier.
        remote: The second; None: there is none.
        disk: The third; None: there is none.
        versions: Gives the versions of writes.
        memory_seconds: How long memory is believed without a look at the tiers below.
        wall_clock: Seconds since 1970.

    Attributes:
        misses: Reads that no tier could answer.
        memory_misses: Reads that memory could not answer.
        sets: Values written.
        is_tuned_in: Every message of other processes is heard.
    """

    def __init__(
        self,
        names: Names,
        codec: Codec,
        secret: bytes | None,
        memory: MemoryTier,
        remote: RemoteTier | None,
        disk: DiskTier | None,
        *,
        versions: Versions,
        memory_seconds: float,
        wall_clock: Callable[[], float],
    ) -> None:
        self.names = names
        self.memory = memory
        self.remote = remote
        self.disk = disk
        self.lower: tuple[GuardedTier, ...] = tuple(tier for tier in (remote, disk) if tier is not None)
        self.versions = versions
        self.misses = self.memory_misses = self.sets = 0
        self.is_tuned_in = False
        self.stripes = Stripes()
        self._fillings = Fillings()
        self._codec = codec
        self._secret = secret
        self._memory_seconds = memory_seconds
        self._wall_clock = wall_clock

    # --- reading

    def look(self, key: str, *, stale: bool = False) -> Found | None:
        """Look for a key in all tiers, and copy upward what is found.

        Args:
            key: The key.
            stale: An expired value is wanted too, if it may be served stale and there is no fresh one.
        """
        entry = self.memory.live(key)
        if entry is None:
            found = self._below(key, stale=stale)
        else:
            now = self.memory.now()
            found = self._in_memory(entry, now)
            if found is not None:
                return found
            found = self._below(key, stale=stale)
            if found is None:
                found = self._unchecked(entry, now, stale=stale)
                if found is not None:
                    return found
        self.memory_misses += 1
        if found is None:
            self.misses += 1
        return found

    def look_many(self, keys: Sequence[str]) -> dict[str, object]:
        """Look for several keys: one round trip for all that memory lacks."""
        found: dict[str, object] = {}
        missing: list[str] = []
        for key in dict.fromkeys(keys):
            entry = self.memory.live(key)
            known = entry and self._in_memory(entry, self.memory.now())
            if known:
                found[key] = known.value
            else:
                missing.append(key)
        states = {key: self.stripes.of(key).state() for key in missing}
        buried: set[str] = set()
        old_versions: dict[str, int] = {}
        for tier in self.lower:
            wanted = [key for key in missing if key not in found and key not in buried]
            blobs = tier.read_many(wanted)
            for key in wanted:
                blob = blobs.get(key)
                if blob is not None and is_mark(blob):
                    buried.add(key)
                    blob = None
                old = old_versions.get(key, 0)
                took = None if blob is None else self._take(tier, key, blob, states[key], old_version=old, stale=False)
                if took is None:
                    tier.misses += 1
                    old_versions[key] = self._version_in(key, blob)
                else:
                    tier.hits += 1
                    found[key] = took.value
        for key in missing:
            if key not in found:
                entry = self.memory.live(key)
                unchecked = entry and self._unchecked(entry, self.memory.now(), stale=False)
                if unchecked:
                    found[key] = unchecked.value
                    continue
                self.misses += 1
            self.memory_misses += 1
        return found

    def in_memory(self, key: str, *, stale: bool = False) -> Found | None:
        """Look for a key in memory only, and count nothing but a hit."""
        entry = self.memory.live(key)
        if entry is None:
            return None
        now = self.memory.now()
        if stale and entry.deadline <= now:
            return self._of_entry(entry, now)
        return self._in_memory(entry, now)

    def _unchecked(self, entry: Entry, now: float, *, stale: bool) -> Found | None:
        """Serve what memory has though nobody below has it: if there was nobody to ask, or if stale will do."""
        if entry.deadline <= now:
            return self._of_entry(entry, now) if stale else None
        if self._below_is_sure():
            self.memory.delete(entry.key)
            return None
        entry.check_at = now + _DEAF_SECONDS
        return self._in_memory(entry, now)

    def _in_memory(self, entry: Entry, now: float) -> Found | None:
        if entry.valid_until <= now:
            if entry.deadline <= now or entry.check_at <= now:
                return None
            # Once a second a hit on a key comes this way, and is timed.
            started = time.perf_counter()
            entry.valid_until = min(entry.deadline, entry.check_at, now + LOOK_AGAIN_SECONDS)
            found = self._of_entry(entry, now)
            self.memory.latency.note(time.perf_counter() - started)
            return found
        return self._of_entry(entry, now)

    def _of_entry(self, entry: Entry, now: float) -> Found:
        entry.hits += 1
        entry.used = now
        held = Held(entry.value, entry.thaw, entry.size_bytes)
        value = entry.value if entry.thaw is None else entry.thaw(entry.value)
        return Found(value, entry.deadline - now, entry.stale_until - now, entry.version, entry.compute_seconds, held)

    def _below_is_sure(self) -> bool:
        """Whether a miss below means that the key is gone, and not that nobody could be asked."""
        return any(tier.available for tier in self.lower)

    def _below(self, key: str, *, stale: bool) -> Found | None:
        state = self.stripes.of(key).state()
        old_version = 0
        stale_one: Found | None = None
        for tier in self.lower:
            blob = tier.read(key)
            if blob is not None and is_mark(blob):
                tier.misses += 1
                break  # deleted or being computed: what the disk has is not to be trusted
            found = None if blob is None else self._take(tier, key, blob, state, old_version=old_version, stale=stale)
            if found is not None and found.seconds > 0:
                tier.hits += 1
                return found
            tier.misses += 1
            stale_one = stale_one or found
            if blob is not None and tier is self.remote and found is None:
                old_version = self._version_in(key, blob)
        return stale_one

    def _version_in(self, key: str, blob: bytes | None) -> int:
        envelope = None if blob is None else unseal(blob, self.names.name(key), self._secret)
        return envelope.version if isinstance(envelope, Envelope) else 0

    def _take(
        self, tier: GuardedTier, key: str, blob: bytes, state: tuple[int, int], *, old_version: int, stale: bool
    ) -> Found | None:
        envelope = unseal(blob, self.names.name(key), self._secret)
        if not isinstance(envelope, Envelope):
            tier.reject(key)
            return None
        if envelope.version < old_version:
            return None  # Redis has a later one, which has expired; the disk could not be told of it
        now = self._wall_clock()
        seconds = remaining_seconds(envelope.created, envelope.expiry, now)
        stale_seconds = seconds
        if envelope.stale_until != envelope.expiry:
            stale_seconds = remaining_seconds(envelope.created, envelope.stale_until, now)
        if (seconds <= 0 and not stale) or stale_seconds <= 0:
            return None
        if not self._is_of_this_generation(envelope):
            return None
        value = self._codec.decode(envelope.codec, envelope.payload)
        if value is UNREADABLE:
            tier.reject(key)
            return None
        self.versions.observe(envelope.version)
        held = None
        if self.memory.holds_any or (tier is not self.lower[0] and self.lower[0].available):
            encoded = Encoded(envelope.codec, (envelope.payload,))
            life = Life(seconds, stale_seconds - seconds, envelope.tags, envelope.compute_seconds)
            held = self._held(value, encoded) if self.memory.holds_any else None
            self._copy_upward(tier, key, envelope, encoded, held, life, state, old_version)
        return Found(value, seconds, stale_seconds, envelope.version, envelope.compute_seconds, held)

    def _is_of_this_generation(self, envelope: Envelope) -> bool:
        remote = self.remote
        if remote is None or envelope.generation == remote.generation:
            return True
        if not remote.learn_generation(envelope.generation):
            return False
        self.forget_memory()
        return True

    def _copy_upward(
        self,
        tier: GuardedTier,
        key: str,
        envelope: Envelope,
        encoded: Encoded,
        held: Held | None,
        life: Life,
        state: tuple[int, int],
        old_version: int,
    ) -> None:
        stripe = self.stripes.of(key)
        with stripe.lock:
            if stripe.state() != state:
                return
            if tier is self.disk and self.remote is not None and not self._promote(
                self.remote, key, envelope, encoded, life, old_version
            ):  # fmt: skip
                return
            if held is not None:
                self._hold(key, held, life, envelope.version)
        self._unhold_if_changed(stripe, state, key)

    def _promote(
        self, remote: RemoteTier, key: str, envelope: Envelope, encoded: Encoded, life: Life, old_version: int
    ) -> bool:
        """Copy from the disk to Redis, unless somebody has changed the key there meanwhile."""
        if not old_version and not remote.available:
            return True  # as ``put_if_absent`` would say, without the work
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

    def _hold(self, key: str, held: Held, life: Life, version: int) -> bool:
        now = self.memory.now()
        is_deaf = self.remote is not None and self.remote.available and not self.is_tuned_in
        return self.memory.hold(
            key,
            held,
            deadline=now + life.seconds,
            stale_until=now + life.seconds + life.stale_seconds,
            check_at=now + (min(_DEAF_SECONDS, self._memory_seconds) if is_deaf else self._memory_seconds),
            version=version,
            tags=life.tags,
            compute_seconds=life.compute_seconds,
        )

    def _unhold_if_changed(self, stripe: Stripe, state: tuple[int, int], key: str) -> None:
        # Who hears of changes does not wait for the lock: it may have looked into memory just before.
        if stripe.heard != state[1]:
            self.memory.delete(key)

    # --- writing

    def write(self, key: str, value: object, life: Life) -> bool:
        """Write a value to every tier; whether one holds it."""
        held, encoded = self._prepared(value)
        stripe = self.stripes.of(key)
        with stripe:
            self._fillings.void([key])
            heard = stripe.state()
            version = self.versions.next()
            kept = False
            if encoded is not None and self.lower:
                write = self._sealed(key, encoded, life, version)
                for tier in reversed(self.lower):
                    kept |= tier.put(*write)
            kept |= self._hold(key, held, life, version)
            self.sets += 1
        self._unhold_if_changed(stripe, heard, key)
        return kept

    def write_many(self, values: Mapping[str, object], life: Life) -> bool:
        """Write several values: one round trip, one transaction; whether a tier holds all of them."""
        prepared = {key: self._prepared(value) for key, value in values.items()}
        with self.stripes.changing(prepared):
            self._fillings.void(prepared)
            heard = {key: self.stripes.of(key).state() for key in prepared}
            version = self.versions.next()
            kept = False
            writes = [
                self._sealed(key, encoded, life, version)
                for key, (_, encoded) in prepared.items()
                if encoded is not None
            ]
            if writes:
                for tier in reversed(self.lower):
                    kept |= tier.put_many(writes)
            in_memory = sum(self._hold(key, held, life, version) for key, (held, _) in prepared.items())
            kept |= in_memory == len(prepared)
            self.sets += len(prepared)
        for key, state in heard.items():
            self._unhold_if_changed(self.stripes.of(key), state, key)
        return kept

    def touch(self, key: str, life: Life) -> bool:
        """Give a value that is there a new time to live; whether it was there."""
        stripe = self.stripes.of(key)
        with stripe:  # also while it is read: what another thread deletes meanwhile must not be written again
            heard = stripe.state()
            done = self._touch_below(key, life)
            if done is None:
                done = self._touch_in_memory(key, life)
        self._unhold_if_changed(stripe, heard, key)
        return done

    def _touch_below(self, key: str, life: Life) -> bool | None:
        """Prolong what a lower tier has; None: none has it."""
        for tier in self.lower:
            blob = tier.read(key)
            if blob is None:
                continue
            envelope = None if is_mark(blob) else unseal(blob, self.names.name(key), self._secret)
            if not isinstance(envelope, Envelope):
                return False
            is_alive = remaining_seconds(envelope.created, envelope.expiry, self._wall_clock()) > 0
            if is_alive and self._is_of_this_generation(envelope):
                return self._prolong_below(tier, key, blob, envelope, life)
        return None

    def _prolong_below(self, tier: GuardedTier, key: str, blob: bytes, envelope: Envelope, life: Life) -> bool:
        value = self._codec.decode(envelope.codec, envelope.payload)
        if value is UNREADABLE:
            return False
        life = life._replace(tags=envelope.tags, compute_seconds=envelope.compute_seconds)
        encoded = Encoded(envelope.codec, (envelope.payload,))
        held = self._held(value, encoded)
        version = self._version_after(envelope.version)
        self._fillings.void([key])
        write = self._sealed(key, encoded, life, version)
        if self.remote is not None:
            done = self.remote.replace(write, envelope.version) if tier is self.remote else self.remote.add(write)
            if done is False:
                return False
        if self.disk is not None and not self.disk.swap(blob, write):
            if tier is not self.disk:
                self.disk.delete(key)  # it has something else, with another life
            else:  # somebody has changed it meanwhile
                if self.remote is not None:
                    self.remote.delete(key)
                return False
        self._hold(key, held, life, version)
        return True

    def _touch_in_memory(self, key: str, life: Life) -> bool:
        """Prolong what only memory has; a tier that is down learns of it when it is back."""
        entry, now = self.memory.live(key), self.memory.now()
        if entry is None or entry.deadline <= now or (entry.check_at <= now and self._below_is_sure()):
            return False
        if self.remote is not None and not self.remote.available:
            value = entry.value if entry.thaw is None else entry.thaw(entry.value)
            life = life._replace(tags=entry.tags, compute_seconds=entry.compute_seconds)
            version = self._version_after(entry.version)
            self.remote.add(self._sealed(key, self._codec.encode(value), life, version))
        if self.disk is not None:
            self.disk.delete(key)
        return self.memory.prolong(
            key,
            deadline=now + life.seconds,
            stale_until=now + life.seconds + life.stale_seconds,
            check_at=now + self._memory_seconds,
        )

    def _version_after(self, version: int) -> int:
        # Just after the write that is prolonged, so that whatever anybody has changed since is newer.
        self.versions.observe(version + 1)
        return version + 1

    def remove(self, keys: Collection[str]) -> set[str]:
        """Remove keys from every tier; returns those that are known to have been there."""
        found: set[str] = set()
        with self.stripes.changing(keys):
            self._fillings.void(keys)
            found.update(key for key in keys if self.memory.delete(key))
            version = self.versions.next()
            # Redis first: what a writer puts on the disk meanwhile is followed by its write there.
            for tier in self.lower:
                found |= tier.delete_many(keys, version)
        return found

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match from every tier; returns those that are known to have been there."""
        return self._invalidate(
            lambda tier: tier.invalidate(pattern),
            lambda: self.memory.invalidate(pattern),
            lambda filling: pattern.matches(filling.key),
        )

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; returns those that are known to have been there."""
        return self._invalidate(
            lambda tier: tier.invalidate_tags(tags),
            lambda: self.memory.invalidate_tags(tags),
            lambda filling: not set(tags).isdisjoint(filling.tags),
        )

    def _invalidate(
        self,
        in_tier: Callable[[GuardedTier], set[str]],
        in_memory: Callable[[], set[str]],
        concerned: Callable[[Filling], bool],
    ) -> set[str]:
        removed: set[str] = set()
        self._fillings.void_where(concerned)
        self.stripes.note_change_of_all()
        for tier in self.lower:
            found = in_tier(tier)
            if tier is self.disk and self.remote is not None and found - removed:
                # Where a reader is just copying one of them upward, Redis must refuse it.
                self.remote.delete_many(found - removed)
            removed |= found
        self.stripes.note_change_of_all()
        return removed | in_memory()

    def clear(self) -> None:
        """Remove every key of the namespace from every tier."""
        self._fillings.void_where(lambda _: True)
        self.stripes.note_change_of_all()
        for tier in self.lower:
            tier.clear()
        self.stripes.note_change_of_all()
        self.memory.clear()

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Give the keys that match, of all tiers."""
        return self.memory.keys(pattern).union(*(tier.keys(pattern) for tier in self.lower))

    def _prepared(self, value: object) -> tuple[Held, Encoded | None]:
        held = self._codec.hold(value)
        if held is not None and not self.lower:
            return held, None
        encoded = self._codec.encode(value)
        return held or self._held(value, encoded), encoded

    def _held(self, value: object, encoded: Encoded) -> Held:
        held = self._codec.hold(value) or self._codec.hold(value, encoded)
        if held is None:
            raise AssertionError("what is encoded can be held")
        return held

    def _sealed(self, key: str, encoded: Encoded, life: Life, version: int) -> Write:
        created = self._wall_clock()
        expiry = created + life.seconds
        blob = seal(
            self.names.name(key),
            encoded,
            created,
            expiry,
            stale_until=expiry + life.stale_seconds,
            generation=self.remote.generation if self.remote is not None else 0,
            version=version,
            tags=life.tags,
            compute_seconds=life.compute_seconds,
            secret=self._secret,
        )
        return Write(key, blob, life.seconds + life.stale_seconds, life.tags)

    def held_of(self, value: object) -> Held:
        """Give what others may have copies of."""
        return self._prepared(value)[0]

    def encodable(self, value: object) -> None:
        """Find out whether a value could be written.

        Raises:
            TypeError: It could not.
        """
        self._prepared(value)

    # --- filling, by whoever computes a value

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
        if self.remote.fill(write, lease):
            if not lease.token:
                self.remote.release(key, lease)
            return True
        if self.disk is not None:
            self.disk.delete(key)
        return False

    # --- what other processes did

    def forget_memory(self) -> None:
        """Drop the memory tier: anything may have changed."""
        self.stripes.hear_change_of_all()
        self._fillings.hear_where(lambda _: True)
        self.memory.clear()

    def hear_of_keys(self, keys: Collection[str]) -> None:
        """Drop from memory what another process changed.

        Whatever its version: of two that write at once Redis keeps what comes last, and that may be the older version.
        """
        for key in keys:
            self.stripes.of(key).heard += 1
            self._fillings.hear([key])
            self.memory.delete(key)

    def hear_of_invalidation(self, pattern: KeyPattern | None, tags: Collection[str]) -> None:
        """Drop from memory what another process invalidated."""
        self.stripes.hear_change_of_all()
        self._fillings.hear_where(lambda _: True)
        if pattern is not None:
            self.memory.invalidate(pattern)
        if tags:
            self.memory.invalidate_tags(tags)

    # --- life and death

    def close(self) -> None:
        """Give back what the tiers hold of the system."""
        self.memory.close()
        for tier in self.lower:
            tier.close()

    def after_fork(self) -> None:
        """Make locks anew: another thread of the parent may have held them."""
        self.stripes.after_fork()
        self._fillings = Fillings()
        self.versions.after_fork()
        self.memory.after_fork()
        for tier in self.lower:
            tier.after_fork()
