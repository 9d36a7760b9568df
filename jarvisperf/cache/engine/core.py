"""The engine of a cache: writes, extends, removes and computes values in all tiers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvisperf.cache.engine.flights.flight import Flights
from jarvisperf.cache.engine.races import Computations
from jarvisperf.cache.engine.reading import Reader
from jarvisperf.cache.outage.store import Write
from jarvisperf.cache.values.classes.declared import UNDECLARED
from jarvisperf.cache.values.envelopes.envelope import UNREADABLE, Encoded, Envelope, seal, unseal
from jarvisperf.cache.values.envelopes.marks import is_mark, rejected_version
from jarvisperf.cache.values.isolation import hold_plain
from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from jarvisperf.cache.engine.flights.flight import Flight
    from jarvisperf.cache.engine.model import Life
    from jarvisperf.cache.engine.races import Computation, Filling
    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.outage.guarded import GuardedTier
    from jarvisperf.cache.values.envelopes.marks import Lease, Refusal
    from jarvisperf.cache.values.isolation import Held


class Core(Reader):
    """All tiers of one cache; see ``Reader`` for its arguments.

    A write is sent to Redis first, and memory holds it last; the tiers between them write while Redis works. Deletions
    go from Redis down to the slowest tier.
    """

    is_bypassed = False
    """Whether values are neither found nor stored; see ``BypassedCore``."""
    _alone: Core | None = None

    def in_memory_only(self) -> Core:
        """Return the engine of this cache's memory alone; this one if there is no memory tier."""
        if not self.memory.holds_any or not self.lower:
            return self
        alone = self._alone
        if alone is None:
            alone = Core(
                self.names, self._codec, self._secret, self.memory, None, None,
                versions=self.versions, memory_seconds=math.inf, wall_clock=self._wall_clock,
            )  # fmt: skip
            alone.stripes, alone.unstorable, alone.counts = self.stripes, self.unstorable, self.counts
            alone._computations, alone.flights = self._computations, self.flights
            self._alone = alone
        return alone

    # --- writing

    def write(self, key: str, value: object, life: Life) -> bool:
        """Write a value to every tier; return whether any tier holds it."""
        held, encoded = self._prepare_to_write(value)
        stripe = self.stripes.of(key)
        with stripe:
            if self._computations.by_key:
                self._computations.void((key,))
            remote_changes, changes = stripe.remote_changes, stripe.changes
            version = self.versions.next()
            is_held = False
            if encoded is not None and self.lower:
                is_held = self._write_below(self._seal(key, encoded, life, version))
            if held is not None:
                is_held |= self._hold(key, held, life, version)
            self.counts.sets += 1
            if self.flights.by_name:
                self.flights.detach((key,))
            if stripe.changes != changes:  # a signal handler wrote to the same tiers, in another order
                self.remove((key,))
                is_held = False
        self._drop_if_changed_remotely(stripe, remote_changes, key)
        return is_held

    def _write_below(self, write: Write) -> bool:
        """Write to the tiers below memory; return whether any holds the value. The disk writes while Redis works."""
        remote = self.remote
        if remote is None or len(self.lower) == 1:
            return sum([tier.put(*write) for tier in reversed(self.lower)]) > 0
        received = remote.send(write)
        is_held = False
        try:
            for tier in reversed(self.lower):
                if tier is not remote:
                    is_held |= tier.put(*write)
        finally:
            is_held |= received()  # whatever happened, or the next call would get this reply
        return is_held

    def write_many(self, values: Mapping[str, object], life: Life) -> bool:
        """Write several values, with one batch per tier; return whether any tier holds all of them."""
        prepared = self._prepare_all(values)
        with self.stripes.changing(prepared):
            self._computations.void(prepared)
            remote_changes = {key: self.stripes.of(key).remote_changes for key in prepared}
            version = self.versions.next()
            are_held = False
            writes = [
                self._seal(key, encoded, life, version) for key, (_, encoded) in prepared.items() if encoded is not None
            ]
            if writes:
                for tier in reversed(self.lower):
                    are_held |= tier.put_many(writes)
            in_memory = sum(self._hold(key, held, life, version) for key, (held, _) in prepared.items())
            are_held |= in_memory == len(prepared)
            self.counts.sets += len(prepared)
            self.flights.detach(prepared)
        for key, count in remote_changes.items():
            self._drop_if_changed_remotely(self.stripes.of(key), count, key)
        return are_held

    def check_encodable(self, value: object) -> None:
        """Check that a value can be encoded.

        Raises:
            TypeError: It cannot.
        """
        self._prepare(value)

    def check_all_encodable(self, values: Mapping[str, object]) -> None:
        """Check that several values can be encoded.

        Raises:
            TypeError: One of them cannot.
        """
        self._prepare_all(values)

    def hold(self, value: object, source: str) -> Held:
        """Return the form of a value that ``source`` computed, from which other callers get their copies."""
        try:
            return self._prepare(value)[0]
        except UnencodableError as error:
            return self.unstorable.held(value, source, error)

    def _prepare(self, value: object) -> tuple[Held, Encoded | None]:
        """Return the form of a value for memory and, if there are any, the form for the tiers below."""
        held = hold_plain(value)
        if held is None:
            encoded = self._codec.encode(value)
            return self._codec.hold(value, encoded), self._codec.compression.compress(encoded)
        if not self.lower:
            return held, None
        return held, self._codec.compression.compress(self._codec.encode_plain(held) or self._codec.encode(value))

    def _prepare_to_write(self, value: object) -> tuple[Held | None, Encoded | None]:
        """Return what ``_prepare`` returns, without a form for a memory that holds nothing."""
        if self.memory.holds_any:
            return self._prepare(value)
        return None, self._codec.compression.compress(self._codec.encode(value))

    def _prepare_all(self, values: Mapping[str, object]) -> dict[str, tuple[Held, Encoded | None]]:
        prepared = {}
        for key, value in values.items():
            try:
                prepared[key] = self._prepare(value)
            except TypeError as error:
                raise TypeError(f"values[{key!r}]{str(error).removeprefix('value')}") from None
        return prepared

    def _seal(self, key: str, encoded: Encoded, life: Life, version: int) -> Write:
        created = self._wall_clock()
        expiry = created + life.seconds
        blob = seal(
            self.names.name(key),
            encoded,
            created,
            expiry,
            stale_until=expiry + life.stale_seconds,
            generation=self._generation(),
            version=version,
            tags=life.tags,
            compute_seconds=life.compute_seconds,
            secret=self._secret,
        )
        return Write(key, blob, life.seconds + life.stale_seconds, life.tags)

    # --- a new time to live

    def touch(self, key: str, life: Life) -> bool:
        """Give the value of a key a new time to live; return whether the key has a value."""
        stripe = self.stripes.of(key)
        with stripe:  # held while reading as well: a value deleted by another thread must not be written again
            remote_changes = stripe.remote_changes
            is_prolonged = self._touch_below(key, life)
            if is_prolonged is None:
                is_prolonged = self._touch_in_memory(key, life)
        self._drop_if_changed_remotely(stripe, remote_changes, key)
        return is_prolonged

    def _touch_below(self, key: str, life: Life) -> bool | None:
        """Extend the value's life in a lower tier; return None if no lower tier has the value."""
        rejected: int | None = None
        for tier in self.lower:
            blob = tier.read(key)
            if blob is None:
                continue
            if is_mark(blob) and (rejected := rejected_version(blob)) is not None:
                continue
            envelope = None if is_mark(blob) else unseal(blob, self.names.name(key), self._secret)
            if not isinstance(envelope, Envelope) or rejected not in {None, envelope.version}:
                return False
            # A clock that was set back must not extend a value's life.
            is_alive = max(envelope.created, self._wall_clock()) < envelope.expiry
            if is_alive and (self.remote is None or self._is_current_generation(self.remote, envelope.generation)):
                return self._prolong_below(tier, key, blob, envelope, life, fits_redis=rejected is None)
        return None

    def _prolong_below(
        self, tier: GuardedTier, key: str, blob: bytes, envelope: Envelope, life: Life, *, fits_redis: bool
    ) -> bool:
        value = self._codec.decode(envelope.codec, envelope.payload)
        if value is UNREADABLE or value is UNDECLARED:
            return False
        life = life._replace(tags=envelope.tags, compute_seconds=envelope.compute_seconds)
        encoded = Encoded(envelope.codec, (envelope.payload,))
        held = self._held(value, encoded)
        version = self._version_after(envelope.version)
        self._computations.void((key,))
        write = self._seal(key, encoded, life, version)
        if self.remote is not None and not fits_redis:
            self.remote.put(*write)  # it is rejected again, but with the new version, by which readers know it
        elif self.remote is not None:
            done = self.remote.replace(write, envelope.version) if tier is self.remote else self.remote.add(write)
            if done is False:
                return False
        if self.disk is not None and not self.disk.swap(blob, write):
            if tier is not self.disk:
                self.disk.delete(key)  # it has another value, with its own expiry
            else:  # another process has changed it
                if self.remote is not None:
                    self.remote.delete(key)
                return False
        for own in self._own_tiers():
            own.put(*write)
        self._hold(key, held, life, version)
        return True

    def _touch_in_memory(self, key: str, life: Life) -> bool:
        """Extend the life of a value that only memory has; an unavailable Redis receives the value once it is back."""
        entry, now = self.memory.live(key), self.memory.now()
        if entry is None or entry.deadline <= now or (entry.check_at <= now and self._can_ask_below()):
            return False
        if self.remote is not None and not self.remote.available:
            known = self._of_entry(entry, now)
            if known is None:
                return False
            value = known.value
            life = life._replace(tags=entry.tags, compute_seconds=entry.compute_seconds)
            version = self._version_after(entry.version)
            self.remote.add(self._seal(key, self._codec.encode(value), life, version))
        self._delete_below_redis(key)
        return self.memory.prolong(
            key,
            deadline=now + life.seconds,
            stale_until=now + life.seconds + life.stale_seconds,
            check_at=now + self._memory_seconds,
        )

    def _version_after(self, version: int) -> int:
        # The version right after the extended write, so that every change made since is newer.
        self.versions.observe(version + 1)
        return version + 1

    def _own_tiers(self) -> list[GuardedTier]:
        return [tier for tier in self.lower if tier is not self.remote and tier is not self.disk]

    def _delete_below_redis(self, key: str) -> None:
        for tier in self.lower:
            if tier is not self.remote:
                tier.delete(key)

    # --- removing

    def remove(self, keys: Collection[str]) -> set[str]:
        """Remove keys from every tier; return those that are known to have existed."""
        found: set[str] = set()
        with self.stripes.changing(keys):
            self._computations.void(keys)
            found.update(key for key in keys if self.memory.delete(key))
            version = self.versions.next()
            # Redis first: a writer that is storing the value on disk now must still write it to Redis.
            for tier in self.lower:
                found |= tier.delete_many(keys, version)
            self.flights.detach(keys)
        return found

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match from every tier; return those that are known to have existed."""
        return self._invalidate(
            lambda tier: tier.invalidate(pattern),
            lambda: self.memory.invalidate(pattern),
            lambda computation: pattern.matches(computation.key),
        )

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; return those that are known to have existed."""
        return self._invalidate(
            lambda tier: tier.invalidate_tags(tags),
            lambda: self.memory.invalidate_tags(tags),
            lambda computation: not set(tags).isdisjoint(computation.tags),
        )

    def _invalidate(
        self,
        in_tier: Callable[[GuardedTier], set[str]],
        in_memory: Callable[[], set[str]],
        concerns: Callable[[Computation | Flight], bool],
    ) -> set[str]:
        removed: set[str] = set()
        computed = self._computations.void_where(concerns)
        self.stripes.note_change_of_all()
        for tier in self.lower:
            found = in_tier(tier)
            if tier is not self.remote and self.remote is not None and found - removed:
                # A reader may be promoting one of them to Redis, which must reject it.
                self.remote.delete_many(found - removed)
            removed |= found
        if computed and self.remote is not None:
            self.remote.delete_many(computed)  # their leases: the next caller need not wait for them
        self.stripes.note_change_of_all()
        removed |= in_memory()
        self.flights.detach_where(concerns)
        return removed

    def clear(self) -> None:
        """Remove every key of the namespace from every tier."""
        self._computations.void_where(lambda _: True)
        self.stripes.note_change_of_all()
        for tier in self.lower:
            tier.clear()
        self.stripes.note_change_of_all()
        self.memory.clear()
        self.flights.detach_where(lambda _: True)

    # --- computing

    def take_lease(self, key: str, held_version: int | None, longest_seconds: float) -> Lease | Refusal | None:
        """Ask Redis for the right to compute a value; None if Redis is not in use.

        Args:
            key: The key.
            held_version: Version of the value in Redis to replace; None if no value was found.
            longest_seconds: The lease lasts no longer than this, even if its usual length is greater.
        """
        if self.remote is None or self.heartbeat is None:
            return None
        return self.remote.take_lease(key, held_version, min(self.heartbeat.lease_seconds, longest_seconds))

    def keep_lease(self, computation: Computation, lease: Lease | None, longest_seconds: float) -> None:
        """Renew a lease until its computation has ended or taken this long."""
        if lease is not None and self.heartbeat is not None and longest_seconds > self.heartbeat.lease_seconds:
            self.heartbeat.begin(computation, lease, longest_seconds)

    def take_leases(self, keys: Sequence[str], held_versions: Mapping[str, int]) -> dict[str, Lease | Refusal]:
        """Ask Redis for the right to compute several values; the answer is empty if Redis is not in use.

        Args:
            keys: The keys.
            held_versions: Versions of the values in Redis to replace; the other keys have no value.
        """
        if self.remote is None or self.heartbeat is None:
            return {}
        return self.remote.take_leases(keys, held_versions, self.heartbeat.lease_seconds)

    def begin_computation(self, key: str, tags: tuple[str, ...]) -> Computation:
        """Note that a value is being computed, until ``fill`` or ``abandon``."""
        return self._computations.begin(key, tags)

    def abandon(self, computation: Computation, lease: Lease | None) -> None:
        """End a computation without storing a value."""
        self._end(computation)
        self._release(computation.key, lease)

    def fill(self, computation: Computation, value: object, life: Life, lease: Lease | None, source: str) -> Held:
        """Store a value unless it cannot be stored or its key has changed since; return what other callers copy.

        Args:
            computation: What ``begin_computation`` returned.
            value: The computed value.
            life: Its life.
            lease: The right to fill the key; None if Redis was unavailable.
            source: The function that computed the value.
        """
        key = computation.key
        try:
            held, encoded = self._prepare(value)
        except UnencodableError as error:
            self.abandon(computation, lease)
            return self.unstorable.held(value, source, error)
        stripe = self.stripes.of(key)
        try:
            with stripe:
                if computation.is_void:
                    self._release(key, lease)
                    return held
                version, changes = self.versions.next(), stripe.changes
                if encoded is not None and self.lower and not self._fill_below(key, encoded, life, version, lease):
                    return held
                self._hold(key, held, life, version)
                self._computations.void_older(computation)
                self.counts.sets += 1
                if stripe.changes != changes:  # as in ``write``
                    self.remove((key,))
            if computation.changed_remotely:
                self.memory.delete(key)
            return held
        finally:
            self._end(computation)

    def _end(self, computation: Computation) -> None:
        self._computations.end(computation)
        if self.heartbeat is not None:
            self.heartbeat.end(computation)

    def fill_many(self, fillings: Sequence[Filling], source: str) -> dict[str, Held]:
        """Store several values as ``fill`` does, with one batch per tier; return by key what other callers copy.

        Args:
            fillings: The values.
            source: The function that computed them.
        """
        held: dict[str, Held] = {}
        prepared: dict[str, tuple[Filling, Encoded | None]] = {}
        try:
            for filling in fillings:
                key = filling.computation.key
                try:
                    held[key], encoded = self._prepare(filling.value)
                except UnencodableError as error:
                    held[key] = self.unstorable.held(filling.value, source, error)
                else:
                    if filling.life is not None:
                        prepared[key] = filling, encoded
            if prepared:
                self._fill_prepared(prepared, held)
        finally:
            self.abandon_many(fillings)
        return held

    def _fill_prepared(self, prepared: Mapping[str, tuple[Filling, Encoded | None]], held: Mapping[str, Held]) -> None:
        with self.stripes.changing(prepared):
            valid = {key: each for key, each in prepared.items() if not each[0].computation.is_void}
            version = self.versions.next()
            changes = {key: self.stripes.of(key).changes for key in valid}
            lost = self._fill_below_many(valid, version) if self.lower and valid else set()
            for key, (filling, _) in valid.items():
                if key not in lost and filling.life is not None:
                    self._hold(key, held[key], filling.life, version)
                    self._computations.void_older(filling.computation)
                    filling.computation.is_stored = True
                    self.counts.sets += 1
            changed = [key for key in valid if self.stripes.of(key).changes != changes[key]]
            if changed:  # as in ``write``
                self.remove(changed)
        for key, (filling, _) in valid.items():
            if filling.computation.changed_remotely:
                self.memory.delete(key)

    def _fill_below_many(self, valid: Mapping[str, tuple[Filling, Encoded | None]], version: int) -> set[str]:
        """Store values in the tiers below memory; return the keys that have changed since."""
        writes = [
            self._seal(key, encoded, filling.life, version)
            for key, (filling, encoded) in valid.items()
            if encoded is not None and filling.life is not None
        ]
        for tier in reversed(self.lower):
            if tier is not self.remote:
                tier.put_many(writes)
        if self.remote is None:
            return set()
        leases = {key: filling.lease for key, (filling, _) in valid.items() if filling.lease is not None}
        if len(leases) < len(valid):  # Redis was unavailable when their computation began
            self.remote.delete_many(valid.keys() - leases.keys())
        lost = self.remote.fill_many([write for write in writes if write.key in leases], leases) if leases else set()
        for tier in self.lower:
            if lost and tier is not self.remote:
                tier.delete_many(lost)
        return lost

    def abandon_many(self, fillings: Iterable[Filling]) -> None:
        """End computations, and release the leases of values that were not stored or that replaced one."""
        leases: dict[str, Lease] = {}
        for computation, _, _, lease in fillings:
            self._end(computation)
            if lease is not None and not (computation.is_stored and lease.token):
                leases[computation.key] = lease
        if leases and self.remote is not None:
            self.remote.release_many(leases)

    def _fill_below(self, key: str, encoded: Encoded, life: Life, version: int, lease: Lease | None) -> bool:
        write = self._seal(key, encoded, life, version)
        for tier in reversed(self.lower):
            if tier is not self.remote:
                tier.put(*write)
        if self.remote is None:
            return True
        if lease is None:  # Redis was unavailable when the computation began
            self.remote.delete(key)
            return True
        is_held = self.remote.fill(write, lease)
        if not lease.token:
            self.remote.release(key, lease)
        if not is_held:
            self._delete_below_redis(key)
        return is_held

    def _release(self, key: str, lease: Lease | None) -> None:
        if lease is not None and self.remote is not None:
            self.remote.release(key, lease)

    # --- changes by other processes

    def apply_remote_changes(self, keys: Collection[str]) -> None:
        """Drop from memory the keys that another process changed.

        Versions do not matter here: when two processes write at once, Redis keeps the write that arrives last, which
        may have the older version.
        """
        for key in keys:
            self.stripes.of(key).remote_changes += 1
            self._computations.note_remote_change(key)
            self.memory.delete(key)
        self.flights.detach(keys)

    def apply_remote_invalidation(self, pattern: KeyPattern | None, tags: Collection[str]) -> None:
        """Drop from memory what another process invalidated."""
        self.stripes.note_remote_change_of_all()
        self._computations.note_remote_change_of_all()
        if pattern is not None:
            self.memory.invalidate(pattern)
            self.flights.detach_where(lambda flight: pattern.matches(flight.key))
        if tags:
            self.memory.invalidate_tags(tags)
            self.flights.detach_where(lambda flight: not set(tags).isdisjoint(flight.tags))

    # --- lifecycle

    def close(self) -> None:
        """Release connections, files and memory."""
        if self.heartbeat is not None:
            self.heartbeat.stop()
        self.memory.close()
        for tier in self.lower:
            tier.close()

    def after_fork(self) -> None:
        """Replace all locks: a thread of the parent may have held them."""
        self.stripes.after_fork()
        self._computations = Computations()
        self._alone = None
        self.flights = Flights()
        self.versions.after_fork()
        if self.heartbeat is not None:
            self.heartbeat.after_fork()
        self.memory.after_fork()
        for tier in self.lower:
            tier.after_fork()
