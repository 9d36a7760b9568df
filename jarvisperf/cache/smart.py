"""The tiered cache: memory, then Redis, then the disk, behind one small interface."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.codec import CODEC_ID, IMMUTABLE_SCALARS, UNREADABLE, decode, encode
from jarvisperf.cache.envelope import Envelope, seal, unseal
from jarvisperf.cache.expiry import checked_ttl, remaining_seconds
from jarvisperf.cache.guarded import GuardedTier
from jarvisperf.cache.leaves import UnencodableError
from jarvisperf.cache.memory import MemoryTier
from jarvisperf.cache.names import Names, checked_key
from jarvisperf.cache.options import check_at_least, checked_seconds
from jarvisperf.cache.pattern import EVERY_KEY, KeyPattern
from jarvisperf.cache.stripes import Stripes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from jarvisperf.cache.memory import Entry
    from jarvisperf.cache.stats import CacheStats

# The first failing call may cost both of them, and is to be over within half a second.
REDIS_CONNECT_SECONDS: Final = 0.15
REDIS_REPLY_SECONDS: Final = 0.2
_LONGEST_WAIT_FOR_REDIS_SECONDS: Final = 0.4

_GENERATION: Final = 0
_ABSENT: Final = object()


class SmartCache:
    """A cache of three tiers; threads may share it, and processes may share its Redis and its folder.

    A value that is set goes to every tier, with the same expiry. A read asks memory, Redis and the disk in this
    order, and copies what it finds upward with the time that is left. Redis or a disk that fails is never an
    error: the read is a miss, the failure is counted and logged once, and a thread in the background finds out when
    the tier can be used again.

    What was set cannot be changed from outside: memory shares only immutable values (str, bytes, int, float, bool,
    None); of any other value it holds the encoded bytes, and every ``get`` decodes its own copy.

    A value comes back equal and of the same type: None, bool, int of any size, float, complex, str, bytes, list,
    tuple, dict, set, frozenset, datetime, date, time, timedelta, Decimal, Fraction, UUID, Path, numpy arrays and
    scalars, nested as you like. Nothing is pickled.

    Args:
        redis_url: ``redis://host:port[/db]``, ``rediss://…`` or ``unix:///path``; None: no Redis tier. A server that
            does not answer is no error; the constructor waits for it 0.4 s at most.
        local_cache_dir: Folder of the disk tier, created for its owner only; None: no disk tier. A folder that
            cannot be written is logged once, and the cache works without it.
        default_ttl: Seconds that a value lives if ``set`` says nothing else; may be infinity.
        namespace: Keeps caches apart that share a Redis or a folder; a word without a colon.
        memory_items: Most entries in memory; 0: no memory tier.
        disk_bytes: About how much the disk tier may hold; the oldest goes first.
        redis_connect_seconds: How long a connection to Redis may take.
        redis_reply_seconds: How long Redis may be silent before it counts as down.
        clock: Monotonic seconds; entries in memory expire by it.
        wall_clock: Seconds since 1970; entries in Redis and on disk expire by it.

    Raises:
        TypeError: An argument is of a wrong type.
        ValueError: An argument has a value that it cannot have, such as a malformed URL.
    """

    def __init__(
        self,
        redis_url: str | None = "redis://localhost:6379",
        local_cache_dir: Path | str | None = Path("data/cache"),
        default_ttl: float = 3600,
        *,
        namespace: str = "jarvisperf",
        memory_items: int = 10_000,
        disk_bytes: int = 2**30,
        redis_connect_seconds: float = REDIS_CONNECT_SECONDS,
        redis_reply_seconds: float = REDIS_REPLY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._default_seconds = checked_seconds("default_ttl", default_ttl)
        self._names = Names(namespace)
        check_at_least("memory_items", memory_items, 0)
        check_at_least("disk_bytes", disk_bytes, 1)
        folder = _checked_folder(local_cache_dir)
        self._clock = clock
        self._wall_clock = wall_clock
        self._memory = MemoryTier(memory_items, clock)
        self._entries = self._memory.entries
        self._stripes = Stripes()
        self._closed = False
        self._close_lock = threading.Lock()
        self._memory_misses = 0
        self._misses = 0
        self._sets = 0
        jitter = random.Random()  # noqa: S311 - it spreads probes in time and guards nothing
        timeouts = (
            checked_seconds("redis_connect_seconds", redis_connect_seconds),
            checked_seconds("redis_reply_seconds", redis_reply_seconds),
        )
        self._redis = None if redis_url is None else _redis_tier(redis_url, self._names, timeouts, jitter)
        self._disk = None if folder is None else _disk_tier(folder, self._names, disk_bytes, jitter)
        self._lower = tuple(tier for tier in (self._redis, self._disk) if tier is not None)

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a key.

        Args:
            key: A str that is not empty.
            default: Given when no tier has the key, or it has expired. None is a value like any other: to tell a
                stored None from a miss, give a default of your own.

        Raises:
            TypeError: The key is not a str.
            ValueError: The key is empty.
        """
        # A hit on an immutable value ends here: one look-up, one comparison, one count.
        try:
            entry = self._entries[key]
        except (KeyError, TypeError):
            return self._find(key, default)
        if entry.valid_until > self._clock():
            entry.hits += 1
            return entry.value
        return self._find(key, default)

    def get_from_memory(self, key: str, default: Any = None) -> Any:
        """Give the value of a key if memory has it; a miss is not counted and no other tier is asked.

        For callers that must not wait, such as coroutines: they ask here first and elsewhere in a thread.
        """
        entry = self._memory.live(checked_key(key))
        return default if entry is None else _value_of(entry)

    def set(self, key: str, value: object, ttl: float | None = None) -> bool:
        """Keep a value in every tier.

        Args:
            key: A str that is not empty.
            value: Any value that can be encoded; see the class.
            ttl: Seconds that it lives, from now; None: the cache's ``default_ttl``; infinity: it never expires;
                0: it expires at once, so it is not kept and an older value of the key is removed.

        Returns:
            Whether a tier holds the value now.

        Raises:
            TypeError: The key is not a str, the ttl is no number, or the value cannot be encoded; then the message
                names the part of the value and its type.
            ValueError: The key is empty, or the ttl is negative or not a number.
        """
        checked_key(key)
        seconds = checked_ttl(ttl, self._default_seconds)
        self._check_open()
        shareable = type(value) in IMMUTABLE_SCALARS
        payload = b"" if shareable and not self._lower else _encoded(value)
        if not seconds:
            self.delete(key)
            return False
        deadline = self._memory.now() + seconds
        stripe = self._stripes.of(key)
        with stripe.lock:
            stripe.changes += 1
            held = self._memory.holds_any
            if self._lower:
                created = self._wall_clock()
                blob = seal(
                    self._names.name(key), payload, created, created + seconds, codec=CODEC_ID, generation=_GENERATION
                )
                for tier in reversed(self._lower):
                    held |= tier.put(key, blob, seconds)
            if shareable:
                self._memory.hold_value(key, value, deadline)
            else:
                self._memory.hold_payload(key, payload, deadline)
            self._sets += 1
        return held

    def delete(self, key: str) -> bool:
        """Remove a key from every tier.

        Returns:
            Whether a tier is known to have had it (one that is down is not known to).

        Raises:
            TypeError: The key is not a str.
            ValueError: The key is empty.
        """
        stripe = self._stripes.of(checked_key(key))
        self._check_open()
        with stripe.lock:
            stripe.changes += 1
            found = [tier.delete(key) for tier in reversed(self._lower)]
            return self._memory.delete(key) or any(found)

    def invalidate(self, pattern: str) -> int:
        """Remove the keys that match a pattern from every tier.

        Args:
            pattern: ``*`` stands for any characters, ``?`` for one, ``[abc]``, ``[a-z]`` and ``[!a]`` for one of a
                set; everything else for itself.

        Returns:
            How many keys were removed.

        Raises:
            TypeError: The pattern is not a str.
            ValueError: The pattern is empty.
        """
        if not isinstance(pattern, str):
            raise TypeError(f"pattern is {pattern!r}: give a str, not {type(pattern).__name__}")
        if not pattern:
            raise ValueError("pattern is '': give a key, or a pattern such as 'embeddings:*'")
        self._check_open()
        return self._invalidate(KeyPattern(pattern))

    def clear(self) -> None:
        """Remove every key of this cache's namespace from every tier; other keys are left alone."""
        self._check_open()
        self._invalidate(EVERY_KEY)

    def get_stats(self) -> CacheStats:
        """Count what happened since the cache was made; see ``CacheStats``."""
        redis, disk = self._redis, self._disk
        # Without a Redis tier it found nothing of what reached past memory: the share of hits can be reckoned anyway.
        redis_misses = redis.misses if redis else self._memory_misses
        memory_hits = self._memory.hits()
        hits = memory_hits + sum(tier.hits for tier in self._lower)
        reads = hits + self._misses
        return {
            "hits": hits,
            "misses": self._misses,
            "hit_rate": hits / reads if reads else 0.0,
            "memory_hits": memory_hits,
            "memory_misses": self._memory_misses,
            "memory_items": len(self._memory),
            "memory_evictions": self._memory.evictions,
            "redis_available": redis is not None and redis.available,
            "redis_hits": redis.hits if redis else 0,
            "redis_misses": redis_misses,
            "redis_errors": redis.errors if redis else 0,
            "redis_unsettled": redis.unsettled if redis else 0,
            "local_cache_available": disk is not None and disk.available,
            "disk_hits": disk.hits if disk else 0,
            "disk_misses": disk.misses if disk else 0,
            "disk_errors": disk.errors if disk else 0,
            "disk_unsettled": disk.unsettled if disk else 0,
            "sets": self._sets,
            "errors": sum(tier.errors for tier in self._lower),
            "corrupt": sum(tier.corrupt for tier in self._lower),
        }

    @property
    def may_block(self) -> bool:
        """Whether a call may wait for Redis or a disk."""
        return bool(self._lower)

    def close(self) -> None:
        """Give back connections, files and memory; what Redis and the disk hold stays. More calls change nothing.

        Any later use but this and ``get_stats`` is a RuntimeError.
        """
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
        self._memory.close()
        for tier in self._lower:
            tier.close()

    def __contains__(self, key: str) -> bool:
        return self.get(key, _ABSENT) is not _ABSENT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, key: str, default: object) -> object:
        entry = self._memory.live(checked_key(key))
        if entry is not None:
            return _value_of(entry)
        self._check_open()
        self._memory_misses += 1
        stripe = self._stripes.of(key)
        changes = stripe.changes
        for position, tier in enumerate(self._lower):
            found = self._read(tier, key)
            if found is None:
                tier.misses += 1
                continue
            tier.hits += 1
            value, envelope, blob, seconds = found
            with stripe.lock:
                if stripe.changes == changes:
                    for upper in self._lower[:position]:
                        upper.put(key, blob, seconds)
                    self._hold(key, value, envelope, seconds)
            return value
        self._misses += 1
        return default

    def _read(self, tier: GuardedTier, key: str) -> tuple[object, Envelope, bytes, float] | None:
        blob = tier.get(key)
        if blob is None:
            return None
        envelope = unseal(blob, self._names.name(key))
        value: object = UNREADABLE
        if isinstance(envelope, Envelope) and envelope.codec == CODEC_ID and envelope.generation == _GENERATION:
            seconds = remaining_seconds(envelope.created, envelope.expiry, self._wall_clock())
            if seconds <= 0:
                return None
            value = decode(envelope.payload)
            if value is not UNREADABLE:
                return value, envelope, blob, seconds
        tier.reject(key)
        return None

    def _hold(self, key: str, value: object, envelope: Envelope, seconds: float) -> None:
        deadline = self._memory.now() + seconds
        if type(value) in IMMUTABLE_SCALARS:
            self._memory.hold_value(key, value, deadline)
        else:
            self._memory.hold_payload(key, bytes(envelope.payload), deadline)

    def _invalidate(self, pattern: KeyPattern) -> int:
        # From the lowest tier up, and no copying upward from a tier once it is done with: see Stripe.changes.
        removed: set[str] = set()
        for tier in reversed(self._lower):
            removed |= tier.invalidate(pattern)
            self._stripes.note_change_of_all()
        return len(removed | self._memory.invalidate(pattern))

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this cache is closed: make a new one")


def _value_of(entry: Entry) -> object:
    entry.hits += 1
    return entry.value if entry.payload is None else decode(entry.payload)


def _encoded(value: object) -> bytes:
    try:
        return encode(value)
    except UnencodableError:
        # Only a failure pays for finding out which part it was.
        from jarvisperf.cache.culprit import find_culprit

        raise TypeError(find_culprit(value)) from None


def _checked_folder(folder: Path | str | None) -> Path | None:
    if folder is None:
        return None
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"local_cache_dir is {folder!r}: give a folder, or None for no disk tier")
    if not str(folder):
        raise ValueError("local_cache_dir is '': give a folder ('.' is the working folder), or None for no disk tier")
    return Path(folder)


def _redis_tier(url: str, names: Names, timeouts: tuple[float, float], jitter: random.Random) -> GuardedTier:
    from jarvisperf.cache.redis_url import check_redis_url

    check_redis_url(url)
    from jarvisperf.cache.redis_tier import RedisStore  # the client takes a while to import

    # In the background, for a host name that cannot be resolved can take many seconds.
    return GuardedTier(
        RedisStore(url, names, *timeouts), jitter, wait_seconds=max(_LONGEST_WAIT_FOR_REDIS_SECONDS, sum(timeouts))
    )


def _disk_tier(folder: Path, names: Names, most_bytes: int, jitter: random.Random) -> GuardedTier:
    from jarvisperf.cache.disk_tier import DiskStore

    return GuardedTier(DiskStore(folder, names, most_bytes), jitter, wait_seconds=None)
