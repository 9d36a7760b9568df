"""Tests that built-in and custom tiers pass the published contract."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from patience import PATIENT
from waiting import wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import TierContract, forget_memory

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jarvisperf.cache import Write


class DictTier:
    """A tier in a dictionary: the smallest that fulfils the contract."""

    name = "toy"

    def __init__(self, storage: dict[str, tuple[Write, float]]) -> None:
        self.storage = storage

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.storage[key][0].blob for key in keys if self._is_live(key)}

    def put_many(self, writes: Sequence[Write]) -> int:
        for write in writes:
            self.storage[write.key] = write, time.monotonic() + write.seconds
        return len(writes)

    def delete_many(self, keys: Collection[str]) -> set[str]:
        live = {key for key in keys if self._is_live(key)}
        for key in keys:
            self.storage.pop(key, None)
        return live

    def delete_tagged(self, tags: Collection[str]) -> set[str]:
        return self.delete_many(
            [key for key, (write, _) in self.storage.items() if not set(tags).isdisjoint(write.tags)]
        )

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.storage if key.startswith(prefix) and self._is_live(key)]

    def close(self) -> None:
        pass

    def _is_live(self, key: str) -> bool:
        return key in self.storage and self.storage[key][1] > time.monotonic()


class TestOwnTier(TierContract):
    def setup_method(self) -> None:
        self.storage: dict[str, tuple[Write, float]] = {}

    def make_tier(self) -> DictTier:
        return DictTier(self.storage)


class TestDisk(TierContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path) -> None:
        self.path = tmp_path

    def make_cache(self, namespace: str = "contract") -> SmartCache:
        return SmartCache(None, self.path, memory_items=0, namespace=namespace)


class TestRedis(TierContract):
    @pytest.fixture(autouse=True)
    def server(self, real_redis, namespace) -> None:
        self.url, self.own = real_redis.url, namespace

    def make_cache(self, namespace: str = "contract") -> SmartCache:
        return SmartCache(self.url, None, memory_items=0, namespace=namespace + self.own, **PATIENT)


class TestMemory(TierContract):
    def setup_method(self) -> None:
        self.made: dict[str, SmartCache] = {}

    def make_cache(self, namespace: str = "contract") -> SmartCache:
        """Memory is not shared, so each namespace has one cache."""
        if namespace not in self.made:
            self.made[namespace] = SmartCache(None, None, namespace=namespace)
        return self.made[namespace]


@pytest.fixture
def tier() -> DictTier:
    return DictTier({})


def test_an_own_tier_is_asked_last_and_its_hits_are_copied_to_redis_and_memory(
    make_cache, real_redis, client, namespace, tier
):
    cache = make_cache(real_redis.url, tiers=[tier])
    cache.set("k", [1])
    client.unlink(f"{namespace}:k")
    for expected in ("toy", "redis"):
        forget_memory(cache)
        assert cache.lookup("k") == ([1], expected)
    assert cache.lookup("k") == ([1], "memory")
    assert cache.lookup("absent") is None


def test_every_change_reaches_an_own_tier(make_cache, tmp_path, tier):
    cache, below = make_cache(None, tmp_path / "d", tiers=[tier]), make_cache(tiers=[tier], memory_items=0)
    cache.set("k", 1, tags=["t"])
    cache.set_many({"a": 2, "b": 3})
    assert below.get_many(["k", "a", "b"]) == {"k": 1, "a": 2, "b": 3}
    cache.delete("a")
    cache.touch("b", 5000)
    assert below.ttl("b") > 4000
    cache.invalidate_tag("t")
    assert below.keys() == ["b"]
    assert cache.get_or_set("c", lambda: 4) == 4
    assert below.get("c") == 4
    cache.clear()
    assert below.keys() == []


def test_an_own_tier_that_fails_is_a_miss_and_hears_of_changes_when_it_is_back(make_cache, tier, monkeypatch):
    cache = make_cache(tiers=[tier], memory_items=0)
    cache.set("k", "old")

    def fail(*_: object) -> None:
        raise OSError("as if the network were down")

    with monkeypatch.context() as broken:
        for method in ("get_many", "put_many", "delete_many"):
            broken.setattr(tier, method, fail)
        assert cache.get("k") is None
        assert cache.get_stats()["tiers"]["toy"]["errors"] >= 1
        assert not cache.delete("k")
    wait_until(lambda: cache.set("other", 1))
    assert cache.get("k") is None


def test_a_tier_that_returns_something_else_than_bytes_is_a_miss(make_cache, tier, monkeypatch):
    cache = make_cache(tiers=[tier], memory_items=0)
    cache.set("k", 1)
    monkeypatch.setattr(tier, "get_many", lambda keys: dict.fromkeys(keys, "text"))
    assert cache.get("k") is None
    assert cache.get_many(["k"]) == {}
    assert cache.get_stats()["corrupt"] == 1


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("disk", ValueError, r"the name of tiers\[0\] is 'disk': choose one other than memory, redis, disk"),
        ("", ValueError, r"the name of tiers\[0\] is ''"),
        (None, TypeError, r"the name of tiers\[0\] is None: give a str"),
    ],
)
def test_a_tier_needs_a_name_of_its_own(make_cache, tier, name, error, message):
    tier.name = name
    with pytest.raises(error, match=message):
        make_cache(tiers=[tier])


def test_a_tier_that_lacks_a_method_is_an_error_that_names_it(make_cache):
    with pytest.raises(
        TypeError, match=r"tiers\[0\] is .*, which lacks get_many, put_many, .* see jarvisperf.cache.Tier"
    ):
        make_cache(tiers=[object()])
