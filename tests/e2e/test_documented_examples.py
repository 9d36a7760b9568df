"""Runs the examples in the documentation as written."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path

import pytest
from patience import PATIENT

from jarvisperf.bench import RAGBenchmarks, get_benchmark_system, profile_function, rag_suite
from jarvisperf.cache import SmartCache, cached, get_smart_cache, reset_smart_cache
from jarvisperf.rag import OptimizedRAG, get_optimized_rag


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[Path]:
    monkeypatch.setenv("JARVISPERF_REDIS_URL", redis_url)
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("JARVISPERF_DATA_DIR", str(tmp_path / "data"))
    reset_smart_cache()
    yield tmp_path
    get_smart_cache().clear()
    reset_smart_cache()


def test_the_caches_examples(home: Path, redis_url: str):
    cache = get_smart_cache()

    def load(key: str) -> str:
        cached = cache.get(key)
        if cached:
            return cached
        cache.set(key, "loaded", ttl=600)
        return "computed"

    assert load("user:1") == "computed"
    assert load("user:1") == "loaded"
    with SmartCache(
        redis_url=redis_url, local_cache_dir=home / "own", default_ttl=3600, namespace="own", **PATIENT
    ) as own:
        own.set("a", 1)
        reader = SmartCache(redis_url=redis_url, local_cache_dir=home / "own", namespace="own", **PATIENT)
        assert reader.get("a") == 1
        stats = reader.get_stats()
        assert stats["redis_hits"] / (stats["redis_hits"] + stats["redis_misses"]) == 1
        assert stats["redis_available"]
        assert stats["local_cache_available"]
        assert stats["hit_rate"] == 1
        assert own.invalidate("a*") == 1
        reader.close()


def test_the_decorators_example(home: Path):
    calls = []

    @cached(ttl=600, key_prefix="embeddings")
    def embed(text: str) -> list[float]:
        calls.append(text)
        return [float(len(text))]

    assert embed("abc") == embed("abc") == [3.0]
    assert calls == ["abc"]


@pytest.mark.rag
@pytest.mark.xdist_group("model")
def test_the_rags_and_the_benchmark_systems_examples(home: Path):
    rag = get_optimized_rag()
    with rag:
        rag.batch_add_texts(["Python was first released in 1991.", "Redis keeps data in memory."], batch_size=100)
        found = rag.search_cached(query="When did Python appear?", n_results=1, cache_ttl=600)
        assert found[0].text == "Python was first released in 1991."
        assert "1991" in rag.generate_context_cached(query="When did Python appear?", n_results=1, cache_ttl=300)
        rag.warm_up_cache(["What is Redis?"])
        stats = rag.get_performance_stats()
        line = f"{stats['cache_hit_rate']:.1%} {stats['avg_query_time_ms']:.1f}ms {stats['cache_size']}"
        assert re.fullmatch(r"\d+\.\d% \d+\.\dms \d+", line)

        cache = get_smart_cache()
        cache.set("k", "v")
        benchmark = get_benchmark_system()
        tests = {"cache_get": lambda: cache.get("k"), "rag_search": lambda: rag.search("Python")}
        results = benchmark.benchmark_multiple(tests, iterations=20)
        assert results["cache_get"].operations_per_second > results["rag_search"].operations_per_second
        assert benchmark.compare_benchmarks(list(tests))["fastest"] == "cache_get"
        assert "rag_search" in benchmark.generate_report()


def test_the_profilers_example(caplog: pytest.LogCaptureFixture):
    @profile_function("process_data")
    def process_data() -> int:
        return 1

    with caplog.at_level(logging.INFO):
        process_data()
    assert re.fullmatch(r"⏱️ process_data: \d+\.\d\dms", caplog.messages[0])


@pytest.mark.rag
@pytest.mark.xdist_group("model")
def test_the_full_suite_covers_cache_and_rag(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rag_suite, "CORPUS_TEXTS", 20)
    monkeypatch.setattr(rag_suite, "QUERIES", rag_suite.QUERIES[:5])
    results = get_benchmark_system().run_full_suite()
    assert {"cache_get_memory", "cache_set_disk", "cache_get_redis", "rag_search_cached"} <= results.keys()
    assert not (home / "data").exists()  # the user's files are not touched


@pytest.mark.rag
@pytest.mark.xdist_group("model")
def test_the_rag_suite_says_what_the_cache_changed_and_that_answers_stay_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rag_suite, "SEARCHES", 10)
    monkeypatch.setattr(RAGBenchmarks, "compare_replay", partialmethod(RAGBenchmarks.compare_replay, queries=40))
    suite = RAGBenchmarks(texts=["Alpha is first.", "Beta is second.", "Gamma is third."], queries=["What is first?"])
    results = suite.run_full_benchmark_suite()
    parts = {"embedding", "ingestion", "ingestion again", "search", "search from disk", "context", "warm-up", "replay"}
    assert parts | {"recall", "startup", "memory"} <= set(results)
    for name, part in results.items():
        assert part["same_answer"] is (None if name in {"recall", "startup", "memory"} else True)
        assert part["ratio"] == part["before"] / part["after"]
    assert results["recall"]["recall"] == 1.0
    assert results["replay"]["wrong"] == 0
    assert results["search"]["ratio"] > 10
    single = suite.run_embedding_benchmark(texts=["one text"], iterations=2)
    assert single["embedding_single"].iterations == 2


def test_the_rag_suite_refuses_to_measure_nothing():
    with pytest.raises(ValueError, match="texts is empty"):
        RAGBenchmarks(texts=[])
    with pytest.raises(ValueError, match="queries is empty"):
        RAGBenchmarks(queries=[])


def test_an_error_of_the_rag_costs_no_model():
    with pytest.raises(ValueError, match="query"):
        OptimizedRAG(path="nowhere").search(" ")
