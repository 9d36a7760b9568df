"""Tests that the original manual's examples run as written, once import paths are changed.

What the manual leaves out (a database, a language model, a slow computation) is defined here.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from patience import PATIENT

from jarvisperf.bench import RAGBenchmarks, get_benchmark_system, profile_function
from jarvisperf.cache import SmartCache, cached, get_smart_cache, reset_smart_cache
from jarvisperf.rag import embeddings, get_optimized_rag


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder, and settings of its own; no Redis."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JARVISPERF_REDIS_URL", raising=False)
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("JARVISPERF_DATA_DIR", str(tmp_path / "data"))
    reset_smart_cache()
    yield tmp_path
    reset_smart_cache()


def redis_rate(stats: dict) -> str:
    return f"Hit rate: {stats['redis_hits'] / (stats['redis_hits'] + stats['redis_misses']):.2%}"


def test_the_cache_is_used_by_hand_and_by_its_decorator(home: Path):
    computed = []

    def expensive_computation(text: str) -> list[float]:
        computed.append(text)
        return [float(len(text))]

    cache = get_smart_cache()
    cache.set("user:123", {"name": "João"}, ttl=3600)
    user = cache.get("user:123")

    @cached(ttl=600, key_prefix="embeddings")
    def generate_embedding(text):
        return expensive_computation(text)

    assert generate_embedding("Python é incrível") == generate_embedding("Python é incrível")
    assert computed == ["Python é incrível"]
    assert user == {"name": "João"}


@pytest.mark.parametrize("reads", [0, 1], ids=["at once", "after a set and a get"])
def test_the_share_of_hits_is_never_a_division_by_zero(home: Path, redis_url: str, reads: int):
    with SmartCache(redis_url=redis_url, local_cache_dir=Path("data/cache"), default_ttl=3600, **PATIENT) as cache:
        for _ in range(reads):
            cache.set("manual:key", 1)
            assert cache.get("manual:key") == 1
        stats = cache.get_stats()
        assert stats["redis_available"]
        assert redis_rate(stats) == "Hit rate: 0.00%"  # memory answered
        assert stats["hits"] / (stats["hits"] + stats["misses"]) == reads
        for tier in stats["tiers"].values():
            assert 0 <= tier["hits"] / (tier["hits"] + tier["misses"]) <= 1
        assert json.loads(json.dumps(stats)) == stats == msgspec.json.decode(msgspec.json.encode(stats, enc_hook=int))
        cache.delete("manual:key")


def test_the_share_of_hits_in_redis_is_that_of_the_reads_that_reached_it(home: Path, redis_url: str):
    with SmartCache(redis_url=redis_url, namespace="manual", **PATIENT) as writer:
        writer.set("a", 1)
        with SmartCache(redis_url=redis_url, local_cache_dir=None, namespace="manual", **PATIENT) as reader:
            assert reader.get("a") == 1
            assert reader.get("b") is None
            assert redis_rate(reader.get_stats()) == "Hit rate: 50.00%"
        writer.clear()


def test_an_application_reads_through_the_cache(home: Path):
    class Database:
        asked = 0

        def get_user(self, user_id: int) -> dict:
            self.asked += 1
            return {"id": user_id}

    database = Database()
    cache = get_smart_cache()

    def get_user_data(user_id):
        cache_key = f"user:{user_id}"
        cached = cache.get(cache_key)

        if cached:
            return cached

        user_data = database.get_user(user_id)
        cache.set(cache_key, user_data, ttl=3600)

        return user_data

    assert get_user_data(7) == get_user_data(7) == {"id": 7}
    assert database.asked == 1


def test_trouble_with_the_cache_is_visible_in_its_statistics(home: Path):
    cache = get_smart_cache()
    stats = cache.get_stats()
    assert not stats["redis_available"]
    assert stats["local_cache_available"]


@pytest.mark.rag
@pytest.mark.xdist_group("model")
def test_documents_are_added_searched_and_measured(home: Path, capsys: pytest.CaptureFixture[str]):
    docs_dir = Path("documentation/")
    docs_dir.mkdir()
    (docs_dir / "install.md").write_text("# Instalar\n\nO sistema instala-se com pip install.\n", encoding="utf-8")
    (docs_dir / "setup.md").write_text(
        "# Configuração\n\nA configuração inicial está em config.toml.\n", encoding="utf-8"
    )

    with get_optimized_rag() as rag:
        for file in docs_dir.glob("*.md"):
            rag.add_document_optimized(file)
        rag.batch_add_texts(["Python é versátil", "FastAPI é rápido"] * 2, batch_size=100)
        rag.warm_up_cache(["Como instalar o sistema?", "Configuração inicial", "Troubleshooting"])
        results = rag.search_cached(query="Python programming", n_results=5, cache_ttl=600)
        assert results[0].text == "Python é versátil"
        context = rag.generate_context_cached(query="Explique Python", n_results=3, cache_ttl=300)
        assert "Python é versátil" in context

        class LanguageModel:
            def generate(self, prompt: str) -> str:
                return prompt

        llm = LanguageModel()

        def answer_question(question):
            context = rag.generate_context_cached(question)
            return llm.generate(context + question)

        assert "pip install" in answer_question("Como instalar o sistema?")
        stats = rag.get_performance_stats()
        assert re.fullmatch(r"Cache hit rate: \d+\.\d%", f"Cache hit rate: {stats['cache_hit_rate']:.1%}")
        assert re.fullmatch(r"Avg query time: \d+\.\dms", f"Avg query time: {stats['avg_query_time_ms']:.1f}ms")
        assert stats["cache_size"] > 0

        cache = get_smart_cache()
        benchmark = get_benchmark_system()
        tests = {
            "cache_get": lambda: cache.get("test_key"),
            "rag_search": lambda: rag.search("Python"),
            "embedding_gen": lambda: embeddings.encode("Test text"),
        }
        results = benchmark.benchmark_multiple(tests, iterations=10)  # 100 in the manual
        comparison = benchmark.compare_benchmarks(list(tests.keys()))
        assert comparison["fastest"] == "cache_get"
        assert results.keys() == tests.keys()
        benchmark.generate_report(Path("performance_report.txt"))
        benchmark.export_json(Path("performance_data.json"))
        assert "embedding_gen" in Path("performance_report.txt").read_text()
        assert "embedding_gen" in Path("performance_data.json").read_text()
    assert embeddings.encode(["um", "dois"]).shape == (2, *embeddings.encode("um").shape)
    single = RAGBenchmarks().run_embedding_benchmark(texts=["Python", "FastAPI", "ChromaDB"], iterations=2)
    assert list(single) == ["embedding_single", "embedding_batch"]


def test_functions_are_measured_compared_and_reported(home: Path):
    benchmark = get_benchmark_system()

    def my_function():
        return sum(range(1000))

    result = benchmark.benchmark(my_function, iterations=100, name="sum_range_1000")
    assert re.fullmatch(r"Tempo médio: \d+\.\d\dms", f"Tempo médio: {result.avg_time * 1000:.2f}ms")
    assert re.fullmatch(r"Ops/seg: \d+\.\d\d", f"Ops/seg: {result.operations_per_second:.2f}")

    for _ in range(5):
        my_function()
    benchmark.benchmark(my_function, iterations=50)
    benchmark.benchmark(my_function, iterations=10)

    benchmarks = {
        "list_comprehension": lambda: [x**2 for x in range(1000)],
        "map_function": lambda: list(map(lambda x: x**2, range(1000))),  # noqa: C417  # as the manual has it
    }
    benchmark.benchmark_multiple(benchmarks, iterations=100)
    comparison = benchmark.compare_benchmarks(["list_comprehension", "map_function"])
    lines = [
        f"- {comp['name']}: {comp['avg_time_ms']:.2f}ms ({comp['vs_fastest']})" for comp in comparison["comparisons"]
    ]
    assert lines[0].startswith(f"- {comparison['fastest']}: ")
    assert lines[0].endswith("(1.00x)")
    assert len(lines) == 2
    assert "sum_range_1000" in benchmark.generate_report()
    benchmark.export_json(Path("benchmarks_results.json"))
    assert json.loads(Path("benchmarks_results.json").read_text())


def test_a_decorated_function_logs_its_time(caplog: pytest.LogCaptureFixture):
    @profile_function("process_data")
    def process_data(data):
        return data

    @profile_function()
    def my_function():
        pass

    with caplog.at_level(logging.INFO):
        assert process_data(3) == 3
        my_function()
    assert re.fullmatch(r"⏱️ process_data: \d+\.\d\dms", caplog.messages[0])
    assert re.search(r"my_function: \d+\.\d\dms", caplog.messages[1])
