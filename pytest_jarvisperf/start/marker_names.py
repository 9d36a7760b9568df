"""The names of the markers that tests may carry, and their descriptions for ``pytest --markers``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

# pytest-benchmark's and pytest-codspeed's; if a test has both, the first one's keywords win.
BENCHMARK_MARKERS = ("codspeed_benchmark", "benchmark")
OWN_MARKERS = ("jarvis_bench", "jarvis_threshold", "jarvis_profile", "jarvis_cache")
# Written down here because a session that measures nothing does not load the metrics themselves.
BUILT_IN_METRICS = (
    "time", "memory", "startup", "allocations", "allocated_bytes", "import_time", "quality", "instructions",
)  # fmt: skip

_MEASURE = "measure the test, like the marker of"
BENCHMARK_DESCRIPTIONS = (
    f"benchmark(group=, max_time=, min_time=, min_rounds=, …): {_MEASURE} pytest-benchmark and pytest-codspeed.",
    f"codspeed_benchmark(group=, max_time=, min_time=, max_rounds=): {_MEASURE} pytest-codspeed.",
)


def descriptions(metrics: Iterable[str] = BUILT_IN_METRICS) -> tuple[str, ...]:
    """Return the descriptions of this plugin's own markers.

    Args:
        metrics: The names of the session's metrics.
    """
    names = ", ".join(f"{name}=" for name in metrics)
    return (
        "jarvis_bench(group=, budget=, warmup=, setup=, before=): how to measure a benchmark; budget, warmup: seconds.",
        f"jarvis_threshold({names}, max_time='2ms', max_memory='50MB', …): limits, relative as '5%' and absolute.",
        "jarvis_profile(engine='pyinstrument', top=20): profile the benchmark after measuring it.",
        "jarvis_cache(tiers=('memory', 'redis', 'disk'), redis=URL): tiers of the tiered_cache fixture.",
    )


def is_marked(item: pytest.Item, names: Iterable[str] = BENCHMARK_MARKERS) -> bool:
    """Return whether a test has one of the markers, directly or through its class or module."""
    return any(item.get_closest_marker(name) for name in names)
