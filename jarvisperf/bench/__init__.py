"""Sampling, metrics, the benchmark system, profiling and the RAG suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = [
    "BenchmarkResult",
    "BenchmarkSystem",
    "RAGBenchmarks",
    "get_benchmark_system",
    "profile_function",
]

if TYPE_CHECKING:
    from jarvisperf.bench.rag_suite import RAGBenchmarks
    from jarvisperf.bench.results import BenchmarkResult
    from jarvisperf.bench.system import BenchmarkSystem, get_benchmark_system
    from jarvisperf.measure.profiling import profile_function
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "profile_function": "jarvisperf.measure.profiling",
            "RAGBenchmarks": "jarvisperf.bench.rag_suite",
            "BenchmarkResult": "jarvisperf.bench.results",
            "BenchmarkSystem": "jarvisperf.bench.system",
            "get_benchmark_system": "jarvisperf.bench.system",
        },
    )
