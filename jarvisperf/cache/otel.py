"""The cache's statistics as OpenTelemetry metrics (``pip install "jarvisperf[otel]"``).

Instruments are observable: they read the statistics when a reader collects, and cost nothing in between. Names follow
the conventions of https://opentelemetry.io/docs/specs/semconv/general/metrics/.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.extras import require

require("otel", __name__)
from opentelemetry.metrics import Observation, get_meter  # noqa: E402 - after the check that it is there

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, MeterProvider

    from jarvisperf.cache.smart import SmartCache

_COUNTERS: Final = {
    "hits": ("{hit}", "Reads answered by the tier"),
    "misses": ("{miss}", "Reads that reached the tier and were not answered by it"),
    "sets": ("{write}", "Successful writes to the tier"),
    "evictions": ("{entry}", "Entries evicted to make room"),
    "errors": ("{error}", "Failures of the tier; none reached a caller"),
    "rejected": ("{value}", "Values that the tier did not take although it works"),
    "corrupt": ("{entry}", "Damaged entries"),
}
_GAUGES: Final = {
    "items": ("{entry}", "Entries in the tier"),
    "bytes": ("By", "Bytes in the tier, if known"),
    "latency_p50_seconds": ("s", "Median latency of the tier's calls"),
    "latency_p95_seconds": ("s", "95th percentile of the latency of the tier's calls"),
    "latency_p99_seconds": ("s", "99th percentile of the latency of the tier's calls"),
}


def observe_cache(cache: SmartCache, name: str = "default", meter_provider: MeterProvider | None = None) -> None:
    """Export a cache's statistics for as long as it exists.

    Args:
        cache: The cache; only a weak reference is kept.
        name: The value of the attribute ``cache.name``.
        meter_provider: The meter provider; None uses OpenTelemetry's global one.
    """
    meter = get_meter("jarvisperf.cache", meter_provider=meter_provider)
    reference = weakref.ref(cache)

    def of_tiers(figure: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            alive = reference()
            if alive is None:
                return []
            tiers: Any = alive.get_stats()["tiers"]
            return [Observation(tiers[tier][figure], {"cache.name": name, "cache.tier": tier}) for tier in tiers]

        return observe

    def of_cache(read: Callable[[Any], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            alive = reference()
            return [] if alive is None else [Observation(read(alive.get_stats()), {"cache.name": name})]

        return observe

    for figure, (unit, text) in _COUNTERS.items():
        meter.create_observable_counter(f"jarvisperf.cache.{figure}", [of_tiers(figure)], unit, text)
    for figure, (unit, text) in _GAUGES.items():
        meter.create_observable_gauge(_metric_name(figure), [of_tiers(figure)], unit, text)
    meter.create_observable_gauge(
        "jarvisperf.cache.hit_rate", [of_cache(lambda stats: stats["hit_rate"])], "1", "Share of reads that were hits"
    )
    meter.create_observable_gauge(
        "jarvisperf.cache.redis.available",
        [of_cache(lambda stats: int(stats["redis_available"]))],
        "1",
        "1 while Redis is configured and its breaker is closed",
    )
    meter.create_observable_gauge(
        "jarvisperf.cache.redis.unsettled",
        [of_cache(lambda stats: stats["redis_unsettled"])],
        "{change}",
        "Changes to replay to Redis before it is used again",
    )


def _metric_name(figure: str) -> str:
    # The unit is not part of a metric's name.
    return f"jarvisperf.cache.{figure.removesuffix('_seconds').replace('latency_', 'latency.')}"
