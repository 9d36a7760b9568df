"""How a read asks the tiers one after the other, and copies upward what it finds."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from jarvisperf.cache.encoded import UNREADABLE, Encoded
from jarvisperf.cache.entry import LOOK_AGAIN_SECONDS
from jarvisperf.cache.envelope import Envelope, seal, unseal
from jarvisperf.cache.expiry import remaining_seconds
from jarvisperf.cache.found import Found, Life
from jarvisperf.cache.isolation import Held
from jarvisperf.cache.marks import is_mark
from jarvisperf.cache.tier import Write
from jarvisperf.cache.tiers import DEAF_SECONDS, Tiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.cache.entry import Entry
    from jarvisperf.cache.guarded import GuardedTier
    from jarvisperf.cache.pattern import KeyPattern
    from jarvisperf.cache.remote import RemoteTier


class Reading(Tiers):
    """The reads of a cache."""

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

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Give the keys that match, of all tiers."""
        return self.memory.keys(pattern).union(*(tier.keys(pattern) for tier in self.lower))

    def _unchecked(self, entry: Entry, now: float, *, stale: bool) -> Found | None:
        """Serve what memory has though nobody below has it: if there was nobody to ask, or if stale will do."""
        if entry.deadline <= now:
            return self._of_entry(entry, now) if stale else None
        if self._below_is_sure():
            self.memory.delete(entry.key)
            return None
        entry.check_at = now + DEAF_SECONDS
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
            stale_for = 0.0 if seconds == math.inf else stale_seconds - seconds  # infinity less infinity is no number
            life = Life(seconds, stale_for, envelope.tags, envelope.compute_seconds)
            held = self._held(value, encoded) if self.memory.holds_any else None
            self._copy_upward(tier, key, envelope, encoded, held, life, state, old_version)
        return Found(value, seconds, stale_seconds, envelope.version, envelope.compute_seconds, held)

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
