"""Tests eviction: never worse than LRU, and better where frequency is more informative."""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict

import pytest

from jarvisperf.cache.memory.policy_trial import MOST_KEYS_SIMULATED, FrequencySketch, PolicyTrial
from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.values.isolation import Held


def hits_of_lru(requests: list[str], size: int) -> int:
    held: OrderedDict[str, None] = OrderedDict()
    hits = 0
    for key in requests:
        hits += key in held
        held[key] = None
        held.move_to_end(key)
        if len(held) > size:
            held.popitem(last=False)
    return hits


def memory_after(requests: list[str], size: int) -> MemoryTier:
    ticks = itertools.count(1)
    tier = MemoryTier(size, lambda: float(next(ticks)))
    for key in requests:
        entry = tier.live(key)
        if entry is None:
            tier.hold(key, Held(key, None, 40), deadline=float("inf"))
        else:
            tier.count_hit(entry)
    return tier


def hits_of_memory(requests: list[str], size: int) -> int:
    return memory_after(requests, size).hits()


def looping(_: random.Random) -> list[str]:
    return [str(number % 300) for number in range(12_000)]


def skewed(random: random.Random) -> list[str]:
    return [str(int(random.paretovariate(0.9))) for _ in range(12_000)]


def skewed_with_scans(random: random.Random) -> list[str]:
    hot = skewed(random)
    return [key for number, key in enumerate(hot) for key in (key, f"scan {number}")]


@pytest.mark.parametrize("make", [looping, skewed_with_scans], ids=lambda make: make.__name__)
def test_where_recency_misleads_it_finds_much_more_than_lru(make):
    requests = make(random.Random(1))
    assert hits_of_memory(requests, 100) > hits_of_lru(requests, 100) + 500


def recent(random: random.Random) -> list[str]:
    """Each key is requested several times within a short period, and never again."""
    return [str(number // 20 + random.randrange(80)) for number in range(12_000)]


@pytest.mark.parametrize("make", [recent, lambda random: [str(random.randrange(50)) for _ in range(5000)]])
def test_where_recency_is_everything_it_finds_what_lru_finds(make):
    requests = make(random.Random(2))
    assert hits_of_memory(requests, 60) >= hits_of_lru(requests, 60)


def test_while_nothing_is_known_it_is_lru_to_the_letter():
    requests = skewed(random.Random(3))[:300]
    assert hits_of_memory(requests, 50) == hits_of_lru(requests, 50)


def test_frequency_that_led_once_gives_way_to_recency():
    trial = PolicyTrial(100)
    for number in range(20_000):
        trial.request(str(number % 150), 1, 100)
    assert trial.frequency_leads
    for key in recent(random.Random(4)):
        trial.request("r" + key, 1, 100)
    assert not trial.frequency_leads


def test_once_recency_leads_again_the_least_recently_used_entries_are_evicted():
    loops = [str(number % 150) for number in range(20_000)]
    newest = [f"new {number}" for number in range(100)]
    memory = memory_after([*loops, *("r" + key for key in recent(random.Random(4))), *newest], 100)
    assert set(memory.entries) == set(newest)


def test_of_a_large_cache_a_sample_is_simulated():
    trial = PolicyTrial(64 * MOST_KEYS_SIMULATED)
    share = sum(trial.samples(str(number)) for number in range(64_000)) / 64_000
    assert 1 / 128 < share < 1 / 32
    assert all(PolicyTrial(MOST_KEYS_SIMULATED).samples(str(number)) for number in range(100))


def test_the_sketch_never_counts_too_little_before_it_forgets():
    sketch = FrequencySketch(1000)
    for number in range(500):
        sketch.add(str(number), number % 8)
    assert all(sketch.count(str(number)) >= number % 8 for number in range(500))


def test_the_sketch_forgets():
    sketch = FrequencySketch(16)
    sketch.add("k", 15)
    for _ in range(400):
        sketch.add("other")
    assert sketch.count("k") < 4
