"""`BenchmarkSystem`: benchmarks without pytest, with a built-in suite for the cache and the RAG."""

from __future__ import annotations

import importlib.util
import tempfile
import uuid
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.bench.timings import Timings
from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.bench.results import BenchmarkResult

ITERATIONS = 100
RAG_PACKAGES = ("chromadb", "sentence_transformers", "markdown_it")


class BenchmarkSystem(Timings):
    """Times functions, keeps the results by name, and has a suite that times the cache and the RAG.

    Thread-safe; one benchmark runs at a time. Each is warmed up first. The garbage collector, tracers and profilers are
    disabled during timing.
    """

    def run_full_suite(self) -> dict[str, BenchmarkResult]:
        """Time the cache tier by tier and, if its packages are installed, the RAG.

        The suite uses a temporary folder and its own namespace; it neither reads nor changes the user's data.

        Returns:
            The results by name; they are kept like all other results.
        """
        with tempfile.TemporaryDirectory(prefix="jarvisperf-suite-") as folder:
            results = _cache_suite(self, Path(folder))
            if all(importlib.util.find_spec(package) for package in RAG_PACKAGES):
                from jarvisperf.bench.rag_suite import RAGBenchmarks

                results |= RAGBenchmarks(self).run_search_benchmark()
        return results


@lru_cache(maxsize=1)
def get_benchmark_system() -> BenchmarkSystem:
    """Return the benchmark system of this process, so that results from several places can be compared."""
    return BenchmarkSystem()


def _cache_suite(timings: Timings, folder: Path) -> dict[str, BenchmarkResult]:
    from jarvisperf.cache import SmartCache

    namespace = f"suite-{uuid.uuid4().hex}"
    caches = {
        "memory": SmartCache(redis_url=None, local_cache_dir=None, namespace=namespace),
        "disk": SmartCache(redis_url=None, local_cache_dir=folder / "cache", namespace=namespace, memory_items=0),
    }
    redis_url = read_settings().redis_url
    if redis_url is not None:
        caches["redis"] = SmartCache(redis_url, local_cache_dir=None, namespace=namespace, memory_items=0)
    tests: dict[str, Callable[[], object]] = {}
    try:
        for tier, cache in caches.items():
            cache.set("key", "value")
            tests[f"cache_get_{tier}"] = lambda cache=cache: cache.get("key")  # type: ignore[misc]
            tests[f"cache_set_{tier}"] = lambda cache=cache: cache.set("key", "value")  # type: ignore[misc]
        return timings.benchmark_multiple(tests, ITERATIONS)
    finally:
        for cache in caches.values():
            cache.clear()
            cache.close()
