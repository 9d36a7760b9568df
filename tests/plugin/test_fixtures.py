"""Tests the users' fixtures: isolated caches, a Redis, a RAG."""

from __future__ import annotations

import pytest


def test_each_tests_cache_is_its_own(pytester: pytest.Pytester, redis_url: str):
    pytester.makepyfile(
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("turn", [1, 2])
        def test_a(tiered_cache, turn):
            stats = tiered_cache.get_stats()
            assert stats["redis_available"] and stats["local_cache_available"]
            assert tiered_cache.get("key") is None
            tiered_cache.set("key", turn)
            assert tiered_cache.get("key") == turn
        """
    )
    pytester.runpytest_subprocess(f"--jarvis-redis={redis_url}", "-p", "no:asyncio").assert_outcomes(passed=2)


def test_nothing_stays_in_the_redis_that_was_named(pytester: pytest.Pytester, redis_url: str):
    import redis

    client = redis.Redis.from_url(redis_url)
    before = set(client.scan_iter())
    pytester.makepyfile("def test_a(tiered_cache): tiered_cache.set('key', 1)")
    pytester.runpytest_subprocess(f"--jarvis-redis={redis_url}", "-p", "no:asyncio").assert_outcomes(passed=1)
    assert {key for key in set(client.scan_iter()) - before if b"test-" in key} == set()


def test_the_marker_chooses_the_tiers(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.jarvis_cache(tiers=("memory", "disk"))
        def test_no_redis(tiered_cache):
            assert not tiered_cache.get_stats()["redis_available"]

        @pytest.mark.jarvis_cache(tiers=("disk",))
        def test_disk_alone(tiered_cache):
            tiered_cache.set("key", 1)
            assert tiered_cache.get("key") == 1
            assert tiered_cache.get_stats()["disk_hits"] == 1
            assert tiered_cache.get_stats()["memory_hits"] == 0
        """
    )
    pytester.runpytest_subprocess("--jarvis-redis=redis://127.0.0.1:1", "-p", "no:asyncio").assert_outcomes(passed=2)


def test_a_test_may_close_its_cache(pytester: pytest.Pytester, redis_url: str):
    import redis

    pytester.makepyfile("def test_a(tiered_cache):\n    tiered_cache.set('closed-key', 1)\n    tiered_cache.close()")
    pytester.runpytest_subprocess(f"--jarvis-redis={redis_url}", "-p", "no:asyncio").assert_outcomes(passed=1)
    assert [key for key in redis.Redis.from_url(redis_url).scan_iter() if b"closed-key" in key] == []


def test_the_factory_refuses_a_tier_that_is_none(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("tiers", [(), ("tape",)])
        def test_a(tiered_cache_factory, tiers):
            with pytest.raises(ValueError, match="give one or more of 'memory', 'redis', 'disk'"):
                tiered_cache_factory(tiers=tiers)
        """
    )
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=2)


def test_a_fake_redis_is_a_redis(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import redis

        def test_a(redis_url):
            client = redis.Redis.from_url(redis_url)
            client.set("a", "1")
            assert client.get("a") == b"1"
        """
    )
    pytester.runpytest_subprocess("--jarvis-redis=fake", "-p", "no:asyncio").assert_outcomes(passed=1)


def test_a_test_or_a_module_can_do_without_caching(pytester: pytest.Pytester):
    pytester.makepyfile(
        shop="""
        from jarvisperf.cache import SmartCache, cached

        cache = SmartCache(None, None)
        runs = []

        @cached(cache=cache)
        def product():
            runs.append(1)
            return len(runs)
        """,
        test_cached="""
        import shop

        def test_with():
            assert (shop.product(), shop.product()) == (1, 1)

        def test_without(no_caching):
            assert (shop.product(), shop.product()) == (2, 3)

        def test_with_again():
            assert shop.product() == 1
        """,
        test_uncached="""
        import pytest, shop

        pytestmark = pytest.mark.usefixtures("no_caching")

        def test_without():
            before = len(shop.runs)
            assert (shop.product(), shop.product()) == (before + 1, before + 2)
        """,
    )
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=4)
