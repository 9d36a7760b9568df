from __future__ import annotations

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
    return stats.summary(documents=None, model_loaded=False)


def test_before_the_first_query_all_figures_are_zero_and_print(stats):
    figures = summary(stats)
    text = f"{figures['cache_hit_rate']:.1%} {figures['avg_query_time_ms']:.1f}ms {figures['cache_size']}"
    assert text == "0.0% 0.0ms 0"


def test_the_time_of_a_query_is_the_mean_in_milliseconds(stats, clock):
    for seconds in (0.010, 0.030):
        with stats.timed_query():
            clock.seconds += seconds
    assert summary(stats)["avg_query_time_ms"] == pytest.approx(20.0)
    assert summary(stats)["queries"] == 2


def test_a_query_that_fails_is_not_counted(stats):
    with pytest.raises(KeyError), stats.timed_query():
        raise KeyError
    assert summary(stats)["queries"] == 0


def test_the_hit_rate_is_the_part_of_the_cached_calls_that_hit(stats):
    for hit in (True, False, True, True):
        stats.count_cached_call(hit=hit)
    assert summary(stats)["cache_hit_rate"] == 0.75


def test_the_cache_size_counts_each_answer_once_until_its_time_runs_out(stats, clock):
    stats.note_key("a", 10)
    stats.note_key("b", 20)
    stats.note_key("a", 10)
    assert summary(stats)["cache_size"] == 2
    clock.seconds = 15
    assert summary(stats)["cache_size"] == 1


def test_after_a_change_of_the_documents_the_cache_size_is_zero(stats):
    stats.note_key("a", 10)
    stats.forget_keys()
    assert summary(stats)["cache_size"] == 0


def test_expired_keys_do_not_pile_up(stats, clock):
    for number in range(10_000):
        clock.seconds += 1
        stats.note_key(str(number), 10)
    assert len(stats._expiry_of_key) <= 1024
