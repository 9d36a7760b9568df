"""How a value that is there gets another time to live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.engine.tiers import Tiers
from jarvisperf.cache.expiry import remaining_seconds
from jarvisperf.cache.values.envelope import UNREADABLE, Encoded, Envelope, unseal
from jarvisperf.cache.values.marks import is_mark

if TYPE_CHECKING:
    from jarvisperf.cache.engine.model import Life
    from jarvisperf.cache.outage.guarded import GuardedTier


class Touching(Tiers):
    """The touches of a cache."""

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
            if is_alive and self._is_of_this_generation(envelope.generation):
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
