"""What works of a cache's configuration, what does not, and what to do about it: in plain words."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOW_TO_START_REDIS: Final = (
    "start it: `redis-server` (Debian and Ubuntu: apt install redis-server; macOS: brew install redis),"
    " or `docker run -p 6379:6379 redis`; the cache works without it, each process for itself"
)
# The lists of what has a tag live as long as the longest of their keys, so by this they go after them.
_BEST_POLICY: Final = "volatile-ttl"
_LITTLE_SPACE_BYTES: Final = 2**29
_SLOW_SECONDS: Final = 0.01
_PATIENCE_SECONDS: Final = 2.0


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        works: Whether it does; None: it is not in use.
        what: What was found.
        advice: What to do; empty: nothing.
    """

    works: bool | None
    what: str
    advice: str = ""


def examine(redis_url: str | None, folder: Path | None) -> Iterator[Finding]:
    """Look at everything that a cache of this configuration needs.

    Args:
        redis_url: As for ``SmartCache``; None: no Redis.
        folder: Of the disk tier; None: no disk.
    """
    yield Finding(True, "memory: works")
    yield from _examine_redis(redis_url)
    if folder is None:
        yield Finding(None, "disk: not configured")
        return
    try:
        yield from _examine_disk(folder)
    except OSError as error:  # a name that is too long, a folder above it that may not be looked into
        yield Finding(False, f"disk: {error}", "set JARVISPERF_CACHE_DIR to a folder that can be written")


def _examine_redis(url: str | None) -> Iterator[Finding]:
    if url is None:
        advice = "to share values between processes, set JARVISPERF_REDIS_URL, for example to redis://localhost:6379"
        yield Finding(None, "Redis: not configured", advice)
        return
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from jarvisperf.cache.redis_tier.url import check_redis_url, without_password

    try:
        place = without_password(check_redis_url(url))
    except ValueError as error:
        yield Finding(False, f"Redis: {error}", "mend the URL")
        return
    if not url.startswith(("redis://", "rediss://", "unix://")):
        yield from _examine_deployment(url, place)
        return
    try:
        client: Any = redis.Redis.from_url(
            url,
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield from _examine_server(client, place)
        finally:
            client.close()
    except redis.AuthenticationError as error:
        yield Finding(False, f"Redis at {place}: {error}", "give user and password in the URL: redis://user:password@…")
    except redis.exceptions.NoPermissionError as error:
        yield Finding(False, f"Redis at {place}: {error}", "allow the ACL user its own keys, channels and scripts")
    except redis.TimeoutError:
        yield Finding(False, f"Redis at {place}: no answer within {_PATIENCE_SECONDS:g} s", _HOW_TO_START_REDIS)
    except (redis.RedisError, OSError) as error:
        yield Finding(False, f"Redis at {place}: {error}", _HOW_TO_START_REDIS)


def _examine_server(client: Any, place: str) -> Iterator[Finding]:
    times = []
    for _ in range(20):
        started = time.perf_counter()
        client.ping()
        times.append(time.perf_counter() - started)
    seconds = sorted(times)[len(times) // 2]
    version = client.info("server").get("redis_version", "?")
    advice = "a cache further away than 10 ms helps only what is slower than that" if seconds > _SLOW_SECONDS else ""
    yield Finding(True, f"Redis at {place}: version {version} answers in {seconds * 1e3:.2f} ms", advice)
    name = f"jarvisperf-doctor:{uuid.uuid4().hex}"
    client.set(name, b"x", px=10_000)
    is_kept = client.get(name) == b"x"
    client.unlink(name)
    yield Finding(is_kept, "Redis: writes and reads" if is_kept else "Redis: a value that was written is not there")
    memory = client.info("memory")
    policy = memory.get("maxmemory_policy", "?")
    if not memory.get("maxmemory"):
        yield Finding(True, "Redis: no limit of memory is set", f"set maxmemory and maxmemory-policy {_BEST_POLICY}")
    elif policy == "noeviction":
        advice = f"give it room enough, or set maxmemory-policy {_BEST_POLICY}"
        yield Finding(True, "Redis: refuses writes when it is full", advice)
    else:
        is_best = policy == _BEST_POLICY
        advice = "" if is_best else f"it may forget what has a tag: set maxmemory-policy {_BEST_POLICY} or noeviction"
        yield Finding(True, f"Redis: makes room by {policy} when it is full", advice)


def _examine_deployment(url: str, place: str) -> Iterator[Finding]:
    """Look at a Sentinel or a Cluster, which only the cache itself knows how to reach."""
    from jarvisperf.cache.smart import SmartCache

    with SmartCache(url, None, namespace="jarvisperf-doctor") as cache:
        works = cache.get_stats()["redis_available"]
    yield Finding(works, f"Redis at {place}: {'works' if works else 'cannot be used'}", "" if works else "start it")


def _examine_disk(folder: Path) -> Iterator[Finding]:
    place = folder.expanduser().absolute()
    if not place.exists() and not place.is_symlink():
        parent = next(parent for parent in place.parents if parent.exists())
        works = parent.is_dir() and os.access(parent, os.W_OK)
        what = f"disk: {place} does not exist yet and {'will be made' if works else 'cannot be made'}"
        yield Finding(works, what, "" if works else f"make {parent} writable, or set JARVISPERF_CACHE_DIR")
        return
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield Finding(False, f"disk: {place} is no folder that can be written", "set JARVISPERF_CACHE_DIR to one")
        return
    yield Finding(True, f"disk: {place} can be written")
    if stat.S_IMODE(place.stat().st_mode) & 0o022:
        yield Finding(False, "disk: others may write to the folder", f"chmod 700 {place}")
    free = shutil.disk_usage(place).free
    if free < _LITTLE_SPACE_BYTES:
        yield Finding(True, f"disk: only {free / 2**20:.0f} MB are free", "make room, or give a smaller disk_bytes")
    yield _examine_database(place)


def _examine_database(place: Path) -> Finding:
    database = place / "cache.db"
    if not database.exists():
        return Finding(True, "disk: no values yet")
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_SECONDS)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (count,) = connection.execute("SELECT count(*) FROM Cache").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Finding(
            False, f"disk: {database}: {error}", f"remove the folder {place}; it holds nothing but the cache"
        )
    if verdict != "ok":
        return Finding(False, f"disk: the database is damaged: {verdict}", f"remove the folder {place}")
    return Finding(True, f"disk: {count} values, the database is sound")
