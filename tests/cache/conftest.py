"""A real Redis for these tests, and caches that are removed after each test."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
import redis
from patience import PATIENT

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import Clock, RedisFaults
from pytest_jarvisperf.redis_fixtures.server import RedisServer, start_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def real_redis() -> Iterator[RedisServer]:
    """A Redis that all tests of the session share, each with a separate namespace."""
    with start_redis() as server:
        if server.kind == "fake" and os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail("JARVISPERF_REQUIRE_ALL is set, and no real Redis server is installed")
        yield server


@pytest.fixture
def client(real_redis: RedisServer) -> Iterator[redis.Redis]:
    """A plain client of the server, to inspect what it stores."""
    with redis.Redis.from_url(real_redis.url) as client:
        yield client


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A real Redis server that a test may stop."""
    with start_redis("auto", {"PATH": os.environ.get("PATH", "")}) as server:
        if server.kind != "real":
            if os.environ.get("JARVISPERF_REQUIRE_ALL"):
                pytest.fail("JARVISPERF_REQUIRE_ALL is set, and no real Redis server is installed")
            pytest.skip("no real Redis server is installed")
        yield server


@pytest.fixture
def faults(own_redis: RedisServer) -> Iterator[RedisFaults]:
    """A proxy in front of that server, which a test can make slow or deaf."""
    with RedisFaults(own_redis.url) as faults:
        yield faults


@pytest.fixture
def namespace() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def make_cache(namespace: str) -> Iterator[Callable[..., SmartCache]]:
    """Create caches of one namespace, without Redis or disk unless requested."""
    made: list[SmartCache] = []

    def make(redis_url: str | None = None, folder: Path | None = None, **options: object) -> SmartCache:
        cache = SmartCache(redis_url, folder, **{"namespace": namespace, **PATIENT, **options})
        made.append(cache)
        return cache

    yield make
    for cache in made:
        cache.close()


@pytest.fixture
def refuse_threads(monkeypatch) -> Callable[[str], list[str]]:
    """Make the system refuse to start threads with a given name; return the list of refused threads."""

    def refuse(name: str) -> list[str]:
        refused: list[str] = []
        start = threading.Thread.start

        def start_or_not(thread: threading.Thread) -> None:
            if name in thread.name:
                refused.append(thread.name)
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_or_not)
        return refused

    return refuse


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing_url() -> str:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"redis://127.0.0.1:{port}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wall_clock() -> Clock:
    return Clock(1.7e9)
