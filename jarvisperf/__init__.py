"""JarvisPerf tells whether a change made your Python code slower.

Importing this package is cheap: the names below load what they need on first use.

PYTEST_DONT_REWRITE: lockstep workers import it before pytest starts, which pytest would warn about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf import old_paths
from jarvisperf.lazy import attach

__version__ = "0.2.0"

__all__ = [
    "BenchmarkSystem",
    "OptimizedRAG",
    "RAGBenchmarks",
    "SmartCache",
    "cached",
    "get_benchmark_system",
    "get_optimized_rag",
    "get_smart_cache",
    "profile_function",
]

if TYPE_CHECKING:
    from jarvisperf.bench import BenchmarkSystem, RAGBenchmarks, get_benchmark_system, profile_function
    from jarvisperf.cache import SmartCache, cached, get_smart_cache
    from jarvisperf.rag import OptimizedRAG, get_optimized_rag
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "SmartCache": "jarvisperf.cache",
            "cached": "jarvisperf.cache",
            "get_smart_cache": "jarvisperf.cache",
            "OptimizedRAG": "jarvisperf.rag",
            "get_optimized_rag": "jarvisperf.rag",
            "BenchmarkSystem": "jarvisperf.bench",
            "RAGBenchmarks": "jarvisperf.bench",
            "get_benchmark_system": "jarvisperf.bench",
            "profile_function": "jarvisperf.bench",
        },
    )

old_paths.install()
