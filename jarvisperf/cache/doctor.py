"""Examines a cache's configuration: what works, what does not, and what to do about it."""

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
    "start it with `redis-server` (Debian and Ubuntu: apt install redis-server; macOS: brew install redis)"
    " or `docker run -p 6379:6379 redis`; without it the cache works, but processes do not share it"
)
# A tag's list of keys lives as long as its longest-lived key, so this policy evicts the list after the keys.
_BEST_POLICY: Final = "volatile-ttl"
_LOW_SPACE_BYTES: Final = 2**29
_SLOW_SECONDS: Final = 0.01
_TIMEOUT_SECONDS: Final = 2.0


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        works: Whether it works; None if it is not in use.
        what: What was found.
        advice: What to do; empty if nothing.
    """

    works: bool | None
    what: str
    advice: str = ""


def examine(redis_url: str | None, folder: Path | None) -> Iterator[Finding]:
    """Check everything that a cache with this configuration needs.

    Args:
        redis_url: As for ``SmartCache``; None if Redis is not configured.
        folder: Folder of the disk tier; None if it is not configured.
    """
    yield Finding(True, "memory: works")
    yield from _examine_redis(redis_url)
    if folder is None:
        yield Finding(None, "disk: not configured")
        return
    try:
        yield from _examine_disk(folder)
    except OSError as error:  # a name that is too long, or a parent folder without permission
        yield Finding(False, f"disk: {error}", "set JARVISPERF_CACHE_DIR to a writable folder")


def _examine_redis(url: str | None) -> Iterator[Finding]:
    if url is None:
        advice = "to share values between processes, set JARVISPERF_REDIS_URL, for example to redis://localhost:6379"
        yield Finding(None, "Redis: not configured", advice)
        return
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from jarvisperf.cache.redis_tier.connection.url import check_redis_url, parts_of_deployment, without_password

    try:
        place = without_password(check_redis_url(url))
    except ValueError as error:
        yield Finding(False, f"Redis: {error}", "correct the URL")
        return
    deployment = parts_of_deployment(url)
    if deployment.kind != "server":
        yield from _examine_deployment(url, place)
        return
    try:
        client: Any = redis.Redis.from_url(
            deployment.url,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            socket_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield from _examine_server(client, place)
        finally:
            client.close()
    except redis.AuthenticationError as error:
        yield Finding(
            False, f"Redis at {place}: {error}", "put the user and password into the URL: redis://user:password@…"
        )
    except redis.exceptions.NoPermissionError as error:
        yield Finding(
            False, f"Redis at {place}: {error}", "allow the ACL user the keys, channels and scripts of its namespace"
        )
    except redis.TimeoutError:
        yield Finding(False, f"Redis at {place}: no answer within {_TIMEOUT_SECONDS:g} s", _HOW_TO_START_REDIS)
    except (redis.RedisError, OSError) as error:
        yield Finding(False, f"Redis at {place}: {error}", _HOW_TO_START_REDIS)


def _examine_server(client: Any, place: str) -> Iterator[Finding]:
    times = []
    for _ in range(20):
        started = time.perf_counter()
        client.ping()
        times.append(time.perf_counter() - started)
    seconds = sorted(times)[len(times) // 2]
    server = client.info("server")
    version = server.get("redis_version", "?")
    if "valkey_version" in server:
        version = f"{version} (Valkey {server['valkey_version']})"
    advice = (
        "a cache that takes more than 10 ms only helps calls that are slower than that"
        if seconds > _SLOW_SECONDS
        else ""
    )
    yield Finding(True, f"Redis at {place}: version {version} answers in {seconds * 1e3:.2f} ms", advice)
    name = f"jarvisperf-doctor:{uuid.uuid4().hex}"
    client.set(name, b"x", px=10_000)
    is_kept = client.get(name) == b"x"
    client.unlink(name)
    yield Finding(
        is_kept, "Redis: writes and reads work" if is_kept else "Redis: a value that was just written is missing"
    )
    memory = client.info("memory")
    policy = memory.get("maxmemory_policy", "?")
    if not memory.get("maxmemory"):
        yield Finding(True, "Redis: no memory limit is set", f"set maxmemory and maxmemory-policy {_BEST_POLICY}")
    elif policy == "noeviction":
        advice = f"give it enough memory, or set maxmemory-policy {_BEST_POLICY}"
        yield Finding(True, "Redis: refuses writes when its memory is full", advice)
    else:
        is_best = policy == _BEST_POLICY
        advice = (
            ""
            if is_best
            else f"it may evict the lists of tags too early: set maxmemory-policy {_BEST_POLICY} or noeviction"
        )
        yield Finding(True, f"Redis: evicts by {policy} when its memory is full", advice)


def _examine_deployment(url: str, place: str) -> Iterator[Finding]:
    """Check a Sentinel or Cluster deployment through a cache, which knows how to reach it."""
    from jarvisperf.cache.smart import SmartCache

    with SmartCache(url, None, namespace="jarvisperf-doctor") as cache:
        works = cache.get_stats()["redis_available"]
    yield Finding(works, f"Redis at {place}: {'works' if works else 'unavailable'}", "" if works else "start it")


def _examine_disk(folder: Path) -> Iterator[Finding]:
    place = folder.expanduser().absolute()
    if not place.exists() and not place.is_symlink():
        parent = next(parent for parent in place.parents if parent.exists())
        works = parent.is_dir() and os.access(parent, os.W_OK)
        what = f"disk: {place} does not exist yet and {'will be created' if works else 'cannot be created'}"
        yield Finding(works, what, "" if works else f"make {parent} writable, or set JARVISPERF_CACHE_DIR")
        return
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield Finding(False, f"disk: {place} is not a writable folder", "set JARVISPERF_CACHE_DIR to one")
        return
    yield Finding(True, f"disk: {place} is writable")
    if stat.S_IMODE(place.stat().st_mode) & 0o022:
        yield Finding(False, "disk: other users may write to the folder", f"chmod 700 {place}")
    free = shutil.disk_usage(place).free
    if free < _LOW_SPACE_BYTES:
        yield Finding(True, f"disk: only {free / 2**20:.0f} MB free", "free some space, or set a smaller disk_bytes")
    yield _examine_database(place)


def _examine_database(place: Path) -> Finding:
    database = place / "cache.db"
    if not database.exists():
        return Finding(True, "disk: no values yet")
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_SECONDS)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (count,) = connection.execute("SELECT count(*) FROM Cache").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Finding(False, f"disk: {database}: {error}", f"remove the folder {place}; it holds only the cache")
    if verdict != "ok":
        return Finding(False, f"disk: the database is damaged: {verdict}", f"remove the folder {place}")
    return Finding(True, f"disk: {count} values, the database is intact")
