"""The tiered cache: memory, then Redis, then the disk, behind one interface."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jarvisperf.cache.build import (
    LEASE_SECONDS,
    MAX_VALUE_BYTES,
    REDIS_CONNECT_SECONDS,
    REDIS_REPLY_SECONDS,
    CachePlan,
    assemble,
)
from jarvisperf.cache.bypass import Bypasses
from jarvisperf.cache.engine.bypassed import BypassedCore
from jarvisperf.cache.engine.loads.batches import Batch
from jarvisperf.cache.engine.loads.lifetime import fixed, keeping
from jarvisperf.cache.engine.loads.loading import Load, LoadOptions
from jarvisperf.cache.engine.model import Found, Life
from jarvisperf.cache.engine.stats import counts_of, stats_of
from jarvisperf.cache.keys.names import checked_key, checked_keys, checked_tags
from jarvisperf.cache.keys.pattern import checked_pattern
from jarvisperf.cache.memory.tier import MOST_BYTES
from jarvisperf.cache.threads import in_thread, inline
from jarvisperf.checks import function, seconds
from jarvisperf.forks import finish_import_before_forks, tell_when_forked
from jarvisperf.settings import is_caching_enabled

if TYPE_CHECKING:
    import enum
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    import redis

    from jarvisperf.cache.custom_tier import Tier
    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.engine.flights.steps import Steps
    from jarvisperf.cache.engine.loads.lifetime import Ttl
    from jarvisperf.cache.engine.stats import CacheStats

_T = TypeVar("_T")

_ABSENT: Final = object()
_MEMORY_SECONDS: Final = 60.0
FACTORY: Final = "a function without arguments that computes the value"


class SmartCache:
    """A cache of several tiers. Threads may share it, and processes may share its Redis and its folder.

    ``set`` writes a value to every tier, with the same expiry. A read tries memory, Redis and the disk in this order
    and promotes what it finds to the faster tiers, with the remaining time to live. A failure of Redis or the disk
    never raises an error: the read is a miss, the failure is counted and logged once, and a background thread probes
    until the tier can be used again.

    Callers cannot change what the cache holds. Memory shares only immutable values; for all others it keeps a private
    copy or the encoded bytes, and every ``get`` returns a new copy.

    A value comes back equal and of the same type: None, bool, int of any size, float, complex, str, bytes, list,
    tuple, dict, set, frozenset, datetime, date, time, timedelta, Decimal, Fraction, UUID, Path, members of registered
    Enums, numpy arrays and scalars, nested to any depth. Nothing is pickled unless ``pickle_secret`` is given.

    Args:
        redis_url: ``redis://host:port[/db]``, ``rediss://…`` (TLS), ``unix:///path``,
            ``redis+sentinel://host:port[,host:port]/master[/db]``, ``redis+cluster://host:port[,host:port]``, the same
            with ``valkey`` and ``valkeys`` for a Valkey, or a redis-py client (``redis.Redis`` or
            ``redis.RedisCluster``), whose address, database, credentials, TLS settings and ``max_connections`` are
            used; None for no Redis tier. An unreachable server is not an error; the constructor waits for it for at
            most 0.4 s.
        local_cache_dir: Folder of the disk tier, created for its owner only; None for no disk tier. If the folder is
            not writable, the cache logs that once and works without it.
        default_ttl: Time to live in seconds, or as a timedelta, when ``set`` specifies none; may be infinity.
        tiers: Your own tiers (see ``jarvisperf.cache.Tier``), tried in this order after Redis and the disk.
        namespace: Separates caches that share a Redis or a folder; a word without a colon.
        memory_items: Maximum number of entries in memory; 0 for no memory tier.
        memory_bytes: Approximate maximum size of the memory tier.
        memory_seconds: How long memory is trusted without asking the tiers below; None means 60 s if there are any,
            otherwise forever. Changes by other processes arrive at once through Redis; this is the backstop.
        disk_bytes: Approximate maximum size of the disk tier; the oldest entries are evicted first.
        redis_connect_seconds: How long a connection to Redis may take.
        redis_reply_seconds: How long Redis may be silent before it counts as unavailable.
        redis_call_seconds: How long one exchange with Redis may take in total; None means the sum of these two. Large
            values get half a second more per megabyte.
        max_value_bytes: Larger values, as encoded and compressed, are not sent to Redis.
        compress_from_bytes: From this size on, encoded values are compressed with zstd in Redis and on disk, if that
            makes them a tenth smaller or more; None for no compression. Needs the extra ``zstd``. Caches without it
            treat compressed entries as misses.
        lease_seconds: How long other processes wait for one that computes a value for ``get_or_set`` and shows no sign
            of life; a process that lives renews its lease three times as often.
        enums: Enum classes whose members may be stored by name.
        pickle_secret: At least 32 random bytes, the same in all processes. If given, values that have no other encoding
            are pickled, and every entry carries a keyed MAC that is verified before anything is read.
        clock: Monotonic clock in seconds, for expiry in memory.
        wall_clock: Seconds since 1970, for expiry in the tiers below.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an invalid value, such as a malformed URL.
    """

    def __init__(  # noqa: PLR0913 - a cache has many settings; all but three are keyword-only
        self,
        redis_url: str | redis.Redis | redis.RedisCluster | None = "redis://localhost:6379",
        local_cache_dir: Path | str | None = Path("data/cache"),
        default_ttl: float | timedelta = 3600,
        *,
        tiers: Iterable[Tier] = (),
        namespace: str = "jarvisperf",
        memory_items: int = 10_000,
        memory_bytes: int = MOST_BYTES,
        memory_seconds: float | None = None,
        disk_bytes: int = 2**30,
        redis_connect_seconds: float = REDIS_CONNECT_SECONDS,
        redis_reply_seconds: float = REDIS_REPLY_SECONDS,
        redis_call_seconds: float | None = None,
        max_value_bytes: int = MAX_VALUE_BYTES,
        compress_from_bytes: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
        enums: Iterable[type[enum.Enum]] = (),
        pickle_secret: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._default_seconds = seconds("default_ttl", default_ttl, zero=False)
        self._bypasses = Bypasses(is_off=not is_caching_enabled())
        tiers = tuple(tiers)
        if memory_seconds is None:
            has_lower = redis_url is not None or local_cache_dir is not None or tiers
            memory_seconds = _MEMORY_SECONDS if has_lower else math.inf
        plan = CachePlan(
            redis_url, local_cache_dir, tiers, namespace, memory_items, memory_bytes, memory_seconds, disk_bytes,
            redis_connect_seconds, redis_reply_seconds, redis_call_seconds, max_value_bytes,
            compress_from_bytes, lease_seconds, enums, pickle_secret, clock, wall_clock,
        )  # fmt: skip
        self._core, self._coherence = assemble(plan)
        self._base = counts_of(self._core)
        self._closed = False
        self._lock = threading.RLock()
        self._bypasses.tell(self, SmartCache._choose_readers)
        tell_when_forked(self, SmartCache._after_fork)
        finish_import_before_forks("jarvisperf.cache.engine.loads.drivers")

    # --- one key

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key.

        Args:
            key: A non-empty str.
            default: Returned if no tier has the key or it has expired. None can be stored like any other value; to
                distinguish it from a miss, pass your own default or use ``lookup``.

        Raises:
            TypeError: The key is not a str.
            ValueError: The key is empty.
        """
        return self._find(key, default)  # a cache with a memory tier has a faster one; see ``MemoryTier.make_reader``

    def get_from_memory(self, key: str, default: Any = None) -> Any:
        """Return the value of a key if memory has it; a miss is not counted, and no other tier is asked.

        For callers that must not block, such as coroutines, which ask the other tiers in a thread on a miss.
        """
        return self._find_in_memory(key, default)  # replaced like ``get``

    def lookup(self, key: str) -> Found | None:
        """Return the value of a key and the tier that had it; None on a miss. It is counted like a ``get``.

        Args:
            key: A non-empty str.

        Raises:
            TypeError: The key is not a str.
            ValueError: The key is empty.
        """
        if type(key) is not str or not key:
            checked_key(key)
        value = self._hit(key, _ABSENT)
        if value is not _ABSENT:
            return Found(value, "memory")
        found = self._open_core().find(key)
        return None if found is None else Found(*found)

    def set(self, key: str, value: object, ttl: float | timedelta | None = None, tags: Iterable[str] = ()) -> bool:
        """Store a value in every tier.

        Args:
            key: A non-empty str.
            value: Any value that can be encoded; see the class.
            ttl: Time to live in seconds, or as a timedelta. None uses the cache's ``default_ttl``; with infinity, the
                value never expires; with 0, it is not stored, and an older value of the key is removed.
            tags: Tags by which ``invalidate_tag`` can remove it.

        Returns:
            Whether any tier holds the value now.

        Raises:
            TypeError: The key is not a str, the ttl is not a time, or the value cannot be encoded (the message names
                the part of the value and its type).
            ValueError: The key is empty, or the ttl is negative or NaN.
        """
        if type(key) is not str or not key:
            checked_key(key)
        life = self.life(ttl, tags)
        core = self._open_core()
        if not life.seconds:
            core.check_encodable(value)
            core.remove([key])
            return False
        return core.write(key, value, life)

    def delete(self, key: str) -> bool:
        """Remove a key from every tier.

        Returns:
            Whether any tier is known to have had it; an unavailable tier cannot tell.

        Raises:
            TypeError: The key is not a str.
            ValueError: The key is empty.
        """
        checked_key(key)
        return bool(self._open_core().remove([key]))

    def touch(self, key: str, ttl: float | timedelta | None = None) -> bool:
        """Give a key a new time to live; return whether it existed.

        Args:
            key: A non-empty str.
            ttl: As for ``set``; 0 removes the key.

        Raises:
            TypeError: The key is not a str, or the ttl is not a time.
            ValueError: The key is empty, or the ttl is negative or NaN.
        """
        checked_key(key)
        life = self.life(ttl, ())
        core = self._open_core()
        return core.touch(key, life) if life.seconds else bool(core.remove([key]))

    def ttl(self, key: str) -> float | None:
        """Return the seconds until a key expires; infinity if it never expires; None if it does not exist.

        Raises:
            TypeError: The key is not a str.
            ValueError: The key is empty.
        """
        checked_key(key)
        found = self._open_core().look(key)
        return None if found is None else found.seconds

    def get_or_set(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: Ttl | None = None,
        tags: Iterable[str] = (),
        *,
        jitter: float = 0,
        cache_if: Callable[[Any], object] | None = None,
        stale_ttl: float | timedelta = 0,
        refresh_ahead: bool = False,
        soft_seconds: float = 0,
        hard_seconds: float = math.inf,
    ) -> Any:
        """Return the value of a key, or call the factory for it and store what it returns.

        Concurrent callers of one key share one run of the factory: always within this process, and across processes
        while Redis is in use. Its exceptions propagate and are not stored. A value that cannot be stored is returned
        all the same; it counts as ``unstorable``, and the reason is logged once.

        Args:
            key: A non-empty str.
            factory: Computes the value.
            ttl: As for ``set``, or a function of the value that returns it.
            tags: As for ``set``.
            jitter: The share of its time to live by which a value may expire earlier, drawn for each value, so that
                values stored together do not expire together. From 0 to 1.
            cache_if: A function of the value; if it returns something false, the value is not stored.
            stale_ttl: Seconds after its expiry during which the old value may be served, while a new one is computed in
                the background or when the factory fails.
            refresh_ahead: Allow computing the value again in the background before it expires; the longer that takes,
                the earlier it starts (XFetch).
            soft_seconds: How long a caller waits for a new value before it gets the stale one.
            hard_seconds: How long a caller waits when there is no stale value; after that it gets a TimeoutError, and
                the factory continues in the background.

        Raises:
            RuntimeError: The factory requested its own key.
            TimeoutError: The factory takes longer than ``hard_seconds``.
            TypeError: The key is not a str, or the factory cannot be called.
            ValueError: The key is empty, or a number is out of range.
        """
        from jarvisperf.cache.engine.loads.drivers import drive

        function("factory", factory, FACTORY)
        options = LoadOptions.checked(
            self.life(fixed(ttl), tags), stale_ttl, refresh_ahead, soft_seconds, hard_seconds, name_of(factory),
            keeping(ttl, jitter, cache_if),
        )  # fmt: skip
        return drive(self.loading(key, options), factory)

    def loading(self, key: str, options: LoadOptions, *, in_loop: bool = False, is_private: bool = False) -> Steps:
        """Return the steps of ``get_or_set`` for a driver, which may run in a coroutine.

        With ``is_private``, only memory keeps the value: nobody could read it in another process.
        """
        core = self._open_core()
        if is_private:
            core = core.in_memory_only()
        return Load(core, checked_key(key), options, in_loop=in_loop).steps()

    def life(self, ttl: float | timedelta | None, tags: Iterable[str]) -> Life:
        """Return the life of a value with this time to live (None: the cache's default) and these tags."""
        lives = self._default_seconds if ttl is None else seconds("ttl", ttl)
        return Life(lives, tags=checked_tags(tags) if tags else ())

    def loading_many(
        self,
        options: Mapping[str, LoadOptions],
        *,
        recompute: bool = False,
        in_loop: bool = False,
        is_private: bool = False,
    ) -> Batch:
        """Return the load of several values; see ``loading`` and ``Batch``."""
        core = self._open_core()
        if is_private:
            core = core.in_memory_only()
        return Batch(core, options, recompute=recompute, in_loop=in_loop)

    def __contains__(self, key: str) -> bool:
        return self.get(key, _ABSENT) is not _ABSENT

    # --- many keys

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of the keys that exist, with one round trip to Redis for those missing from memory.

        Raises:
            TypeError: A key is not a str.
            ValueError: A key is empty.
        """
        return self._open_core().look_many(checked_keys(keys))

    def set_many(
        self, values: Mapping[str, object], ttl: float | timedelta | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Store several values in every tier, with one round trip to Redis and one transaction on disk.

        Returns:
            Whether any tier holds all of them now.

        Raises:
            TypeError: As for ``set``; no value is stored.
            ValueError: As for ``set``; no value is stored.
        """
        if not hasattr(values, "items"):
            raise TypeError(f"values is {values!r}: give a dictionary of keys and values")
        checked_keys(values)
        life = self.life(ttl, tags)
        core = self._open_core()
        if not life.seconds:
            core.check_all_encodable(values)
            core.remove(list(values))
            return False
        return core.write_many(values, life)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove keys from every tier; return how many are known to have existed.

        Raises:
            TypeError: A key is not a str.
            ValueError: A key is empty.
        """
        return len(self._open_core().remove(checked_keys(keys)))

    def keys(self, pattern: str = "*") -> list[str]:
        """Return the keys of all available tiers that match, sorted.

        They may include keys whose values can only be served stale.

        Args:
            pattern: As for ``invalidate``.

        Raises:
            TypeError: The pattern is not a str.
            ValueError: The pattern is empty.
        """
        return sorted(self._open_core().keys(checked_pattern(pattern)))

    def invalidate(self, pattern: str) -> int:
        """Remove the keys that match a pattern from every tier.

        Args:
            pattern: ``*`` matches any characters, ``?`` one character, ``[abc]``, ``[a-z]`` and ``[!a]`` one of a set;
                everything else matches itself.

        Returns:
            How many keys were removed.

        Raises:
            TypeError: The pattern is not a str.
            ValueError: The pattern is empty.
        """
        return len(self._open_core().invalidate(checked_pattern(pattern)))

    def invalidate_tag(self, *tags: str) -> int:
        """Remove the keys that have one of the tags from every tier.

        Returns:
            How many keys were removed.

        Raises:
            TypeError: A tag is not a str.
            ValueError: A tag is empty or too long, or there is none.
        """
        wanted = checked_tags(tags)
        if not wanted:
            raise ValueError("invalidate_tag needs a tag: give one or more")
        return len(self._open_core().invalidate_tags(wanted))

    def clear(self) -> None:
        """Remove every key of this cache's namespace from every tier, and no other key."""
        self._open_core().clear()

    # --- the cache itself

    def get_stats(self) -> CacheStats:
        """Return counts since the cache was created or since ``reset_stats``; see ``CacheStats``.

        Adding up the hits of all entries in memory takes about 0.5 ms for 10,000 entries.
        """
        return stats_of(self._core, self._base)

    def reset_stats(self) -> None:
        """Reset all counts to 0."""
        self._base = counts_of(self._core)
        self._core.memory.latency.reset()
        for tier in self._core.lower:
            tier.reset_stats()

    @property
    def may_block(self) -> bool:
        """Whether a call may wait for Redis, the disk or one of your own tiers."""
        return bool(self._core.lower)

    def beside(self, call: Callable[..., _T], *args: Any) -> Awaitable[_T]:
        """Run a call of this cache for a coroutine: in a thread if it may block, otherwise inline."""
        return in_thread(call, *args) if self.may_block else inline(call, *args)

    @contextlib.contextmanager
    def bypassed(self) -> Iterator[None]:
        """Bypass this cache in the enclosed code, and in the threads and tasks that copy its context.

        Cached functions and ``get_or_set`` compute their values for each caller and store nothing; what the cache holds
        stays as it is. ``get`` and the other reads miss. ``set`` and ``set_many`` remove the keys, so that nobody reads
        an older value afterwards. ``delete``, ``invalidate`` and the like work as always.
        """
        with self._bypasses.begin(self._choose_readers):
            yield

    def _choose_readers(self) -> None:
        """Read from memory the fast way, unless some code bypasses the cache."""
        with self._lock:
            memory = self._core.memory
            own = vars(self)
            if self._bypasses.is_any_active() or not memory.holds_any:
                own["get"], own["get_from_memory"], self._hit = self._find, self._find_in_memory, _no_hit
            else:
                own["get"] = memory.make_reader(self._find)
                own["get_from_memory"] = memory.make_reader(self._find_in_memory)
                self._hit = memory.make_reader(_no_hit)
            self._is_ready = False  # ``_ready_core`` decides

    def close(self) -> None:
        """Release connections, files and memory; Redis and the disk keep their values.

        Any later use except ``close`` and ``get_stats`` raises RuntimeError.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._is_ready = False
        if self._coherence is not None:
            self._coherence.stop()
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _find(self, key: str, default: object = None) -> object:
        if type(key) is not str or not key:
            checked_key(key)
        found = self._open_core().find(key)
        return default if found is None else found[0]

    def _find_in_memory(self, key: str, default: object) -> object:
        found = self._open_core().look_in_memory(checked_key(key))
        return default if found is None else found.value

    def _open_core(self) -> Core:
        return self._core if self._is_ready else self._ready_core()

    def _ready_core(self) -> Core:
        with self._lock:
            if self._closed:
                raise RuntimeError("this cache is closed: create a new one")
            is_listening = self._coherence is None or self._coherence.start()  # not yet in a forked child
            self._is_ready = is_listening and not self._bypasses.is_any_active()
        return BypassedCore(self._core) if self._bypasses.is_active_here() else self._core

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._core.after_fork()
        if self._coherence is not None:
            self._coherence.after_fork()
        self._is_ready = False


def name_of(factory: Callable[[], Any]) -> str:
    """Return the name of a factory for messages."""
    name: str = getattr(factory, "__qualname__", type(factory).__qualname__)
    return name


def _no_hit(_: str, default: object) -> object:
    return default
