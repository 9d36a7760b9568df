"""The tiers of one cache and what every way through them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jarvisperf.cache.engine.fillings import Fillings
from jarvisperf.cache.engine.races import Stripes
from jarvisperf.cache.outage.store import Write
from jarvisperf.cache.values.envelope import seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.disk_tier.tier import DiskTier
    from jarvisperf.cache.engine.model import Life
    from jarvisperf.cache.engine.races import Stripe
    from jarvisperf.cache.keys.names import Names
    from jarvisperf.cache.memory.tier import MemoryTier
    from jarvisperf.cache.outage.guarded import GuardedTier
    from jarvisperf.cache.redis_tier.tier import RemoteTier
    from jarvisperf.cache.values.codec import Codec
    from jarvisperf.cache.values.envelope import Encoded
    from jarvisperf.cache.values.isolation import Held
    from jarvisperf.cache.values.versions import Versions

# As long as nothing is heard from the other processes, memory is believed no longer than this.
DEAF_SECONDS: Final = 1.0


class Tiers:
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

    def forget_memory(self) -> None:
        """Drop the memory tier: anything may have changed."""
        self.stripes.hear_change_of_all()
        self._fillings.hear_where(lambda _: True)
        self.memory.clear()

    def _below_is_sure(self) -> bool:
        """Whether a miss below means that the key is gone, and not that nobody could be asked."""
        return any(tier.available for tier in self.lower)

    def _generation(self) -> int:
        return self.remote.generation if self.remote is not None else 0

    def _is_of_this_generation(self, generation: int) -> bool:
        remote = self.remote
        if remote is None or generation == remote.generation:
            return True
        if not remote.learn_generation(generation):
            return False
        self.forget_memory()
        return True

    def _hold(self, key: str, held: Held, life: Life, version: int) -> bool:
        now = self.memory.now()
        is_deaf = self.remote is not None and self.remote.available and not self.is_tuned_in
        return self.memory.hold(
            key,
            held,
            deadline=now + life.seconds,
            stale_until=now + life.seconds + life.stale_seconds,
            check_at=now + (min(DEAF_SECONDS, self._memory_seconds) if is_deaf else self._memory_seconds),
            version=version,
            tags=life.tags,
            compute_seconds=life.compute_seconds,
        )

    def _unhold_if_changed(self, stripe: Stripe, state: tuple[int, int], key: str) -> None:
        # Who hears of changes does not wait for the lock: it may have looked into memory just before.
        if stripe.heard != state[1]:
            self.memory.delete(key)

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
            generation=self._generation(),
            version=version,
            tags=life.tags,
            compute_seconds=life.compute_seconds,
            secret=self._secret,
        )
        return Write(key, blob, life.seconds + life.stale_seconds, life.tags)

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
