"""Tests results that no other process can read: memory alone keeps them, so they fill neither Redis nor the disk."""

from __future__ import annotations

import asyncio

import pytest

from jarvisperf.cache import SmartCache, cached
from jarvisperf.cache.testing import forget_memory


@pytest.fixture
def cache(make_cache, real_redis, tmp_path) -> SmartCache:
    return make_cache(real_redis.url, tmp_path / "disk")


@pytest.fixture
def stored(client, namespace, cache):
    """Return how many values Redis and the disk hold."""

    def count() -> tuple[int, int]:
        return sum(1 for _ in client.scan_iter(f"{namespace}:*")), cache.get_stats()["tiers"]["disk"]["items"]

    return count


class Service:
    """A class whose instances nothing identifies in another process."""


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def __cache_key__(self) -> str:
        return self.name


def price_of(cache):
    @cached(key_prefix="prices", cache=cache, stale_ttl=60, refresh_ahead=True)
    def price(self, item):
        return [item]

    return price


def test_results_of_an_instance_without_an_identity_stay_in_memory(cache, stored):
    price = price_of(cache)
    service = Service()
    assert price(service, "tea") == price(service, "tea") == ["tea"]
    assert price.cache_info() == (1, 1)
    assert stored() == (0, 0)
    assert price.invalidate(service, "tea")
    assert price(service, "tea") == ["tea"]
    assert price.cache_info() == (1, 2)


def test_results_of_an_instance_with_an_identity_are_shared(cache, stored):
    price = price_of(cache)
    assert price(Shop("north"), "tea") == ["tea"]
    assert stored() == (1, 1)
    forget_memory(cache)
    assert price(Shop("north"), "tea") == ["tea"]
    assert price.cache_info() == (1, 1)


def test_results_of_a_method_that_ignores_its_instance_are_shared(cache, stored):
    @cached(cache=cache, ignore=["self"])
    def price(self, item):
        return item

    price(Service(), "tea")
    assert stored() == (1, 1)


def test_results_of_a_method_with_a_key_of_its_own_are_shared(cache, stored):
    @cached(cache=cache, key=lambda self, item: item)
    def price(self, item):
        return item

    price(Service(), "tea")
    assert stored() == (1, 1)


def test_results_of_a_coroutine_method_stay_in_memory(cache, stored):
    @cached(cache=cache, key_prefix="prices")
    async def price(self, item):
        return item

    service = Service()
    assert asyncio.run(price(service, "tea")) == asyncio.run(price(service, "tea")) == "tea"
    assert price.cache_info() == (1, 1)
    assert stored() == (0, 0)


def test_without_a_memory_tier_the_lower_tiers_keep_them(make_cache, real_redis):
    cache = make_cache(real_redis.url, memory_items=0)
    price = price_of(cache)
    service = Service()
    assert price(service, "tea") == price(service, "tea")
    assert price.cache_info() == (1, 1)


def test_an_invalidation_of_a_pattern_or_all_removes_them(cache):
    price = price_of(cache)
    service = Service()
    for change in (lambda: cache.invalidate("prices:*"), cache.clear, price.invalidate_all):
        before = price.cache_info().misses
        price(service, "tea")
        change()
        price(service, "tea")
        assert price.cache_info().misses == before + (1 if before else 2)


def test_the_counts_of_the_cache_include_them(cache):
    price = price_of(cache)
    service = Service()
    price(service, "tea")
    price(service, "tea")
    stats = cache.get_stats()
    assert (stats["hits"], stats["misses"], stats["sets"]) == (1, 1, 1)
