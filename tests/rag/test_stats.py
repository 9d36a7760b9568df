from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from jarvisperf.rag.stats import QueryStats


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stats(clock):
    return QueryStats(clock)


def summary(stats):
    return stats.summary(None, None, model_loaded=False)


def computed(stats, seconds):
    stats.count_query("computed", seconds, cached_call=False)


def test_before_the_first_query_all_figures_are_zero_and_print(stats):
    figures = summary(stats)
    text = f"{figures['cache_hit_rate']:.1%} {figures['avg_query_time_ms']:.1f}ms {figures['cache_size']}"
    assert text == "0.0% 0.0ms 0"
    assert figures["paths"]["memory"] == {"count": 0, "p50_ms": 0.0, "p95_ms": 0.0, "p99_ms": 0.0}
    assert figures["first_query_ms"] is None


def test_the_time_of_a_query_is_the_mean_in_milliseconds(stats):
    for seconds in (0.010, 0.030):
        computed(stats, seconds)
    assert summary(stats)["avg_query_time_ms"] == pytest.approx(20.0)
    assert summary(stats)["queries"] == 2


def test_the_first_computed_query_stands_apart(stats):
    for seconds in (7.0, 0.010, 0.010):
        computed(stats, seconds)
    figures = summary(stats)
    assert figures["first_query_ms"] == 7000
    assert figures["paths"]["computed"]["count"] == 2
    assert figures["paths"]["computed"]["p99_ms"] == pytest.approx(10)


def test_percentiles_are_those_of_each_path(stats):
    for milliseconds in range(1, 101):
        stats.count_query("memory", milliseconds / 1000, cached_call=True)
        stats.count_query("disk", 1.0, cached_call=True)
    assert summary(stats)["paths"]["memory"] == {"count": 100, "p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
    assert summary(stats)["paths"]["disk"]["p50_ms"] == 1000


def test_a_stage_that_fails_is_not_counted(stats, clock):
    computed(stats, 1.0)
    with pytest.raises(KeyError), stats.timed_stage("embed"):
        raise KeyError
    with stats.timed_stage("embed"):
        clock.seconds += 0.020
    assert summary(stats)["stages"]["embed"] == {
        "count": 1,
        **dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), pytest.approx(20)),
    }


def test_the_hit_rate_is_the_part_of_the_cached_calls_that_hit(stats):
    for path in ("memory", "computed", "redis", "disk"):
        stats.count_query(path, 0.001, cached_call=True)
    computed(stats, 0.001)
    assert summary(stats)["cache_hit_rate"] == 0.75


def test_hits_in_memory_are_counted_as_queries_hits_and_times(stats):
    for milliseconds in range(1, 2501):  # more than are counted in one batch
        stats.count_recalled(milliseconds / 1000)
    counted = summary(stats)
    assert (counted["queries"], counted["cache_hits"], counted["cache_hit_rate"]) == (2500, 2500, 1.0)
    assert counted["avg_query_time_ms"] == pytest.approx(1250.5)
    assert counted["paths"]["memory"] == counted["stages"]["cache"]
    assert counted["paths"]["memory"]["count"] == 2500
    assert counted["paths"]["memory"]["p50_ms"] == 1250


def test_no_hit_in_memory_is_lost_among_threads(stats):
    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(lambda: [stats.count_recalled(0.001) for _ in range(5000)])
    assert summary(stats)["paths"]["memory"]["count"] == summary(stats)["cache_hits"] == 20_000


def test_the_cache_size_counts_each_answer_once_until_its_time_runs_out(stats, clock):
    stats.note_key("a", 10)
    stats.note_key("b", 20)
    stats.note_key("a", 10)
    assert summary(stats)["cache_size"] == 2
    clock.seconds = 15
    assert summary(stats)["cache_size"] == 1


def test_expired_keys_do_not_pile_up(stats, clock):
    class Key(str):
        """A string that supports weak references."""

        __slots__ = ("__weakref__",)

    kept = weakref.WeakSet()
    for number in range(10_000):
        clock.seconds += 1
        key = Key(number)
        kept.add(key)
        stats.note_key(key, 10)
    assert len(kept) <= 1025
