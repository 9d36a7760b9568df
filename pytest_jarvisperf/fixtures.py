"""The plugin's fixtures; what they need is imported when a test requests them."""

from __future__ import annotations

import functools
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.cache import SmartCache
    from jarvisperf.cache.testing import RedisFaults
    from jarvisperf.rag import OptimizedRAG
    from pytest_jarvisperf.measuring.jarvis_bench import JarvisBench

PATIENT_SECONDS = 10.0


@pytest.fixture
def jarvis_bench(request: pytest.FixtureRequest) -> Iterator[JarvisBench]:
    """Measure a function: ``jarvis_bench(func, *args, **kwargs)``, ``.pedantic``, or a metric by its name."""
    from pytest_jarvisperf.collection.records import record_of
    from pytest_jarvisperf.measuring.event_loops.of_fixtures import loop_of_fixtures
    from pytest_jarvisperf.measuring.jarvis_bench import JarvisBench
    from pytest_jarvisperf.state import state_of

    state = state_of(request.config)
    bench = JarvisBench(
        record_of(request.node),
        state.options.budget_seconds,
        state.harness,
        functools.partial(loop_of_fixtures, request),
        state.metrics,
    )
    yield bench
    bench.finish(state.options.metrics)


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Provide the URL of a Redis for tests, see ``--jarvis-redis``; a private server ends with the session."""
    from pytest_jarvisperf.redis_fixtures.server import start_redis
    from pytest_jarvisperf.state import state_of

    with start_redis(state_of(request.config).options.redis) as server:
        yield server.url


@pytest.fixture
def redis_faults(redis_url: str) -> Iterator[RedisFaults]:
    """Provide a proxy in front of the Redis of ``redis_url`` that can delay, swallow and cut off its replies."""
    from jarvisperf.cache.testing import RedisFaults

    with RedisFaults(redis_url) as faults:
        yield faults


@pytest.fixture
def tiered_cache_factory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., SmartCache]]:
    """Create caches that are isolated from everything else and closed after the test.

    The factory accepts ``tiers`` (of "memory", "redis", "disk"; all by default), ``redis`` (a URL; by default the
    fixture ``redis_url``) and the other keywords of `SmartCache`.
    """
    from jarvisperf.cache import SmartCache
    from pytest_jarvisperf.markers.jarvis import TIERS

    with ExitStack() as stack:

        def make(tiers: Sequence[str] = TIERS, redis: str | None = None, **settings: Any) -> SmartCache:
            unknown = [tier for tier in tiers if tier not in TIERS]
            if unknown or not tiers:
                raise ValueError(f"tiers is {tuple(tiers)!r}: give one or more of {', '.join(map(repr, TIERS))}")
            if "redis" in tiers:
                redis = redis or request.getfixturevalue("redis_url")
            if "memory" not in tiers:
                settings.setdefault("memory_items", 0)
            settings.setdefault("namespace", f"test-{uuid.uuid4().hex}")
            # On a loaded machine a test's Redis may be slow for a moment; production's short timeouts would drop it.
            settings.setdefault("redis_connect_seconds", PATIENT_SECONDS)
            settings.setdefault("redis_reply_seconds", PATIENT_SECONDS)
            cache = SmartCache(
                redis_url=redis if "redis" in tiers else None,
                local_cache_dir=tmp_path_factory.mktemp("cache") if "disk" in tiers else None,
                **settings,
            )
            if "redis" in tiers:
                # With a new cache, because a test may have closed this one; pytest removes the folder.
                stack.callback(_clear_redis, str(redis), settings)
            stack.callback(cache.close)
            return cache

        yield make


def _clear_redis(url: str, settings: dict[str, Any]) -> None:
    from redis import Redis

    from jarvisperf.cache import SmartCache

    with SmartCache(redis_url=url, local_cache_dir=None, **settings) as cache:
        cache.clear()
    with Redis.from_url(url) as client:  # a cache's own data, besides its entries
        client.delete(*(f"{settings['namespace']}#{kept}" for kept in ("generation", "count")))


@pytest.fixture
def tiered_cache(request: pytest.FixtureRequest, tiered_cache_factory: Callable[..., SmartCache]) -> SmartCache:
    """Provide an empty cache of memory, Redis and disk for this test; the marker ``jarvis_cache`` chooses the tiers."""
    from pytest_jarvisperf.markers.jarvis import merged

    return tiered_cache_factory(**merged(request.node, "jarvis_cache"))


@pytest.fixture
def no_caching() -> Iterator[None]:
    """Disable all caches of this process during the test: cached functions run at each call, and nothing is stored."""
    from jarvisperf.cache import caching_disabled

    with caching_disabled():
        yield


@pytest.fixture(scope="session")
def rag_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., OptimizedRAG]]:
    """Create RAGs, each with its own folder and cache, closed after the session.

    The factory accepts the keywords of `OptimizedRAG`.
    """
    from jarvisperf.cache import SmartCache
    from jarvisperf.rag import OptimizedRAG

    with ExitStack() as stack:

        def make(**settings: Any) -> OptimizedRAG:
            if "cache" not in settings:
                cache = SmartCache(redis_url=None, local_cache_dir=tmp_path_factory.mktemp("rag-cache"))
                stack.callback(cache.close)
                settings["cache"] = cache
            if "path" not in settings and "chroma_url" not in settings:
                settings["path"] = tmp_path_factory.mktemp("rag")
            rag = OptimizedRAG(**settings)
            stack.callback(rag.close)
            return rag

        yield make


@pytest.fixture(scope="session")
def rag_texts() -> Sequence[str]:
    """Provide the corpus of ``warmed_rag``, by default chunks of Python's reference; override it in a conftest."""
    from jarvisperf.bench.corpus import reference_chunks

    return reference_chunks()[:200]


@pytest.fixture(scope="session")
def rag_queries() -> Sequence[str]:
    """Provide the queries that ``warmed_rag`` has cached; override it in a conftest."""
    from jarvisperf.bench.corpus import QUERIES

    return QUERIES


@pytest.fixture(scope="session")
def warmed_rag(
    rag_factory: Callable[..., OptimizedRAG], rag_texts: Sequence[str], rag_queries: Sequence[str]
) -> OptimizedRAG:
    """Provide a RAG whose corpus (``rag_texts``) is ingested and whose queries (``rag_queries``) are cached."""
    rag = rag_factory()
    rag.batch_add_texts(list(rag_texts))
    rag.warm_up_cache(list(rag_queries))
    return rag
