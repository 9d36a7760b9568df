"""Tests the OpenTelemetry metrics."""

from __future__ import annotations

import gc

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from jarvisperf.cache import SmartCache
from jarvisperf.cache.otel import observe_cache


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader) -> MeterProvider:
    provider = MeterProvider([reader])
    yield provider
    provider.shutdown()


def collected(reader: InMemoryMetricReader) -> dict[tuple[str, str | None], float]:
    data = reader.get_metrics_data()
    return {
        (metric.name, point.attributes.get("cache.tier")): point.value
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_the_metrics_are_the_statistics(reader, provider, tmp_path):
    with SmartCache(None, tmp_path) as cache:
        observe_cache(cache, "mine", provider)
        cache.set("k", 1)
        cache.get("k")
        cache.get("absent")
        found = collected(reader)
        assert found["jarvisperf.cache.hits", "memory"] == 1
        assert found["jarvisperf.cache.misses", "disk"] == 1
        assert found["jarvisperf.cache.items", "memory"] == 1
        assert found["jarvisperf.cache.hit_rate", None] == 0.5
        assert found["jarvisperf.cache.redis.available", None] == 0
        assert found["jarvisperf.cache.latency.p99", "disk"] > 0


def test_a_tier_of_ones_own_has_metrics_too(reader, provider):
    class Nothing:
        name = "nothing"
        get_many = put_many = delete_many = delete_tagged = keys = staticmethod(lambda *_: {})

        def close(self) -> None:
            pass

    with SmartCache(None, None, tiers=[Nothing()]) as cache:
        observe_cache(cache, "mine", provider)
        cache.get("absent")
        assert collected(reader)["jarvisperf.cache.misses", "nothing"] == 1


def test_a_cache_that_is_gone_has_no_metrics(reader, provider):
    cache = SmartCache(None, None)
    observe_cache(cache, "mine", provider)
    cache.close()
    del cache
    gc.collect()
    assert collected(reader) == {}
