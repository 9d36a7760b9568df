"""The built-in suite of the `BenchmarkSystem`: the tiers of the cache, and the RAG if it is installed."""

from __future__ import annotations

import importlib.util
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.bench.results import BenchmarkResult
    from jarvisperf.bench.system import BenchmarkSystem

ITERATIONS = 100
RAG_PACKAGES = ("chromadb", "sentence_transformers", "semantic_text_splitter")


def run_suite(system: BenchmarkSystem) -> dict[str, BenchmarkResult]:
    """Run the suite on a benchmark system and return its results by name."""
    with tempfile.TemporaryDirectory(prefix="jarvisperf-suite-") as folder:
        results = _cache_suite(system, Path(folder))
        if all(importlib.util.find_spec(package) for package in RAG_PACKAGES):
            from jarvisperf.bench.rag_suite import RAGBenchmarks

            results |= RAGBenchmarks(system).run_search_benchmark()
    return results


def _cache_suite(system: BenchmarkSystem, folder: Path) -> dict[str, BenchmarkResult]:
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
        return system.benchmark_multiple(tests, ITERATIONS)
    finally:
        for cache in caches.values():
            cache.clear()
            cache.close()
