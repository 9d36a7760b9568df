"""How a read asks the tiers one after the other, and copies upward what it finds."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from jarvisperf.cache.engine.model import Found, Life
from jarvisperf.cache.engine.tiers import DEAF_SECONDS, Tiers
from jarvisperf.cache.memory.entry import LOOK_AGAIN_SECONDS
from jarvisperf.cache.outage.store import Write
from jarvisperf.cache.values.envelope import UNREADABLE, Encoded, Envelope, Fields, Flaw, seal, unseal, unsealed_fields
from jarvisperf.cache.values.fast_path import open_one, open_plain
from jarvisperf.cache.values.isolation import Held
from jarvisperf.cache.values.marks import is_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.memory.entry import Entry
    from jarvisperf.cache.outage.guarded import GuardedTier
    from jarvisperf.cache.redis_tier.tier import RemoteTier


Opened = tuple[object, int, float, float, Fields]
"""A value, its version, the seconds until it expires and until it may not even be served stale, and its envelope."""
Below = tuple[Opened, Held | None]
"""What a lower tier had, and what memory holds of it since."""
_NO_STATE = (0, 0)


class Reading(Tiers):
    """The reads of a cache."""

    def look(self, key: str, *, stale: bool = False) -> Found | None:
        """Look for a key in all tiers, and copy upward what is found.

        Args:
            key: The key.
            stale: An expired value is wanted too, if it may be served stale and there is no fresh one.
        """
        entry = self.memory.live(key) if self.memory.entries else None
        if entry is None:
            below = self._below(key, stale=stale)
        else:
            now = self.memory.now()
            found = self._in_memory(entry, now)
            if found is not None:
                return found
            below = self._below(key, stale=stale)
            if below is None:
                found = self._unchecked(entry, now, stale=stale)
                if found is not None:
                    return found
        self.memory_misses += 1
        if below is None:
            self.misses += 1
            return None
        (value, version, seconds, stale_seconds, fields), held = below
        return Found(value, seconds, stale_seconds, version, fields[5], held)

    def value(self, key: str, default: object) -> object:
        """Give the value that ``look`` finds, or the default: without the rest, which takes a while to make."""
        if self._secret is not None or self._copies_from_below():
            found = self.look(key)
            return default if found is None else found.value
        self.memory_misses += 1
        name = self.names.name(key)
        for number, tier in enumerate(self.lower):
            blob = tier.read(key)
            if blob is None:
                tier.misses += 1
                continue
            plain = open_one(blob, name, self._wall_clock(), self._generation(), self._codec.unpack)
            if plain is not None:
                value, version = plain
                self.versions.observe(version)
                tier.hits += 1
                return value
            below = self._below(key, stale=False, first=number, blob=blob)
            if below is not None:
                return below[0][0]
            break
        self.misses += 1
        return default

    def look_many(self, keys: Sequence[str]) -> dict[str, object]:
        """Look for several keys: one round trip for all that memory lacks."""
        found: dict[str, object] = {}
        wanted = list(dict.fromkeys(keys))
        in_memory = self.memory.entries
        missing = [key for key in wanted if not self._find_in_memory(key, found)] if in_memory else wanted
        self.memory_misses += len(missing)
        if missing:
            self._look_below_for_many(missing, found)
        if len(found) < len(wanted):
            self._look_again(missing, found)
        return found

    def _look_below_for_many(self, missing: list[str], found: dict[str, object]) -> None:
        copies = self._copies_from_below()
        states = {key: self.stripes.of(key).state() for key in missing} if copies else {}
        old_versions: dict[str, int] = {}
        buried: set[str] = set()
        newest = 0
        for tier in self.lower:
            blobs = tier.read_many(missing)
            now = self._wall_clock()
            hits = 0
            if not (copies or old_versions or self._secret):
                others, newest_plain = open_plain(
                    blobs, self.names.names(list(blobs)), now, self._generation(), self._codec.unpack, found
                )
                hits = len(blobs) - len(others)
                blobs, newest = others, max(newest, newest_plain)
            for key, blob in blobs.items():
                old_version = old_versions.get(key, 0)
                fields = unsealed_fields(blob, self.names.name(key), self._secret)
                opened = self._open(tier, key, blob, fields, now, old_version, False)
                if opened is not None:
                    hits += 1
                    found[key] = opened[0]
                    newest = max(newest, opened[1])
                    if copies:
                        self._copy_upward(tier, key, opened, states[key], old_version)
                elif is_mark(blob):
                    buried.add(key)  # deleted or being computed; what the disk has is not to be trusted
                else:
                    old_versions[key] = self._version_in(key, blob)
            tier.hits += hits
            tier.misses += len(missing) - hits
            if hits == len(missing):
                break
            missing = [key for key in missing if key not in found and key not in buried]
        self.versions.observe(newest)

    def _copies_from_below(self) -> bool:
        """Whether there is a tier above the one in which something is found, so that it could take a copy."""
        return self.memory.holds_any or (len(self.lower) > 1 and self.remote is not None and self.remote.available)

    def _look_again(self, missing: list[str], found: dict[str, object]) -> None:
        """Serve from memory what nobody below has, as far as that is allowed."""
        for key in missing:
            if key in found:
                continue
            entry = self.memory.live(key)
            unchecked = entry and self._unchecked(entry, self.memory.now(), stale=False)
            if unchecked:
                found[key] = unchecked.value
                self.memory_misses -= 1
            else:
                self.misses += 1

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

    def _find_in_memory(self, key: str, found: dict[str, object]) -> bool:
        entry = self.memory.live(key)
        known = entry and self._in_memory(entry, self.memory.now())
        if not known:
            return False
        found[key] = known.value
        return True

    def _below(self, key: str, *, stale: bool, first: int = 0, blob: bytes | None = None) -> Below | None:
        """Look for a key in the lower tiers, from the one of that number on, of which the blob may be known."""
        # What was read before the state is known may be older than it, so that it cannot be copied.
        copies = blob is None and self._copies_from_below()
        state = self.stripes.of(key).state() if copies else _NO_STATE
        name = self.names.name(key)
        old_version = 0
        stale_one: Below | None = None
        for tier in self.lower[first:]:
            found_there, blob = tier.read(key) if blob is None else blob, None
            if found_there is None:
                tier.misses += 1
                continue
            fields = unsealed_fields(found_there, name, self._secret)
            opened = self._open(tier, key, found_there, fields, self._wall_clock(), old_version, stale)
            if opened is None:
                tier.misses += 1
                if is_mark(found_there):
                    break  # deleted or being computed: what the disk has is not to be trusted
                if tier is self.remote:
                    old_version = self._version_in(key, found_there)
                continue
            self.versions.observe(opened[1])
            found = opened, self._copy_upward(tier, key, opened, state, old_version) if copies else None
            if opened[2] > 0:
                tier.hits += 1
                return found
            tier.misses += 1
            stale_one = stale_one or found
        return stale_one

    def _version_in(self, key: str, blob: bytes | None) -> int:
        envelope = None if blob is None else unseal(blob, self.names.name(key), self._secret)
        return envelope.version if isinstance(envelope, Envelope) else 0

    def _open(
        self,
        tier: GuardedTier,
        key: str,
        blob: bytes,
        fields: Fields | Flaw,
        now: float,
        old_version: int,
        stale: bool,
    ) -> Opened | None:
        """Give what a blob holds, if it may be served."""
        if not isinstance(fields, tuple):
            if not is_mark(blob):
                tier.reject(key)
            return None
        created, expiry, stale_until, generation, version, _, _, codec, payload = fields
        if version < old_version:
            return None  # Redis has a later one, which has expired; the disk could not be told of it
        # A clock that was set back must not prolong a life.
        start = now if now > created else created  # noqa: FURB136 - as above
        seconds, stale_seconds = expiry - start, stale_until - start
        if (seconds <= 0 and not stale) or stale_seconds <= 0:
            return None
        remote = self.remote
        if remote is not None and generation != remote.generation and not self._is_of_this_generation(generation):
            return None
        value = self._codec.decode(codec, payload)
        if value is UNREADABLE:
            tier.reject(key)
            return None
        return value, version, seconds, stale_seconds, fields

    def _copy_upward(
        self, tier: GuardedTier, key: str, opened: Opened, state: tuple[int, int], old_version: int
    ) -> Held | None:
        """Copy what was found, unless the key was changed meanwhile; gives what memory holds of it."""
        value, version, seconds, stale_seconds, fields = opened
        remote = None if tier is self.remote else self.remote
        if not self.memory.holds_any and (remote is None or not remote.available):
            return None
        envelope = Envelope(*fields)
        encoded = Encoded(envelope.codec, (envelope.payload,))
        stale_for = 0.0 if seconds == math.inf else stale_seconds - seconds  # infinity less infinity is no number
        life = Life(seconds, stale_for, envelope.tags, envelope.compute_seconds)
        held = self._held(value, encoded) if self.memory.holds_any else None
        stripe = self.stripes.of(key)
        with stripe.lock:
            if stripe.state() != state:
                return held
            if remote is not None and not self._promote(remote, key, envelope, encoded, life, old_version):
                return held
            if held is not None:
                self._hold(key, held, life, version)
        self._unhold_if_changed(stripe, state, key)
        return held

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
