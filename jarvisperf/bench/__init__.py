"""Benchmarks without pytest: `BenchmarkSystem`, `profile_function` and the RAG suite."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["BenchmarkResult", "BenchmarkSystem", "RAGBenchmarks", "get_benchmark_system", "profile_function"]

if TYPE_CHECKING:
    from jarvisperf.bench.rag_suite import RAGBenchmarks
    from jarvisperf.bench.results import BenchmarkResult
    from jarvisperf.bench.system import BenchmarkSystem, get_benchmark_system
    from jarvisperf.measure.profiling import profile_function
else:
    _FILES = ("bench.results", "bench.system", "bench.rag_suite", "bench.system", "measure.profiling")
    __getattr__, __dir__ = attach(
        __name__, {name: f"jarvisperf.{file}" for name, file in zip(__all__, _FILES, strict=True)}
    )
