"""Tests eviction: never worse than LRU, and better where frequency is more informative."""

from __future__ import annotations

import gc
import itertools
import random
import weakref
from collections import Counter, OrderedDict

import pytest

from jarvisperf.cache.memory import eviction
from jarvisperf.cache.memory.policy_trial import (
    MOST_KEYS_SIMULATED,
    FrequencySketch,
    PolicyTrial,
    _FrequentTable,
    protected_size,
    window_size,
)
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


class FrequencyLeads:
    """A trial that has been decided."""

    frequency_leads = True

    def __init__(self, most_items: int) -> None:
        pass

    def samples(self, key: str) -> bool:
        return False


class ExactCounts(Counter):
    """Counts without the collisions of a sketch."""

    def __init__(self, keys: int) -> None:
        super().__init__()

    def add(self, key: str, times: int = 1) -> None:
        self[key] += times

    def count(self, key: str) -> int:
        return self[key]


@pytest.mark.parametrize(("entries", "window", "protected"), [(1, 1, 0), (19, 1, 14), (40, 2, 30), (1000, 50, 760)])
def test_even_the_smallest_cache_has_a_window(entries, window, protected):
    assert (window_size(entries), protected_size(entries)) == (window, protected)


def test_a_protected_entry_that_must_leave_is_evicted_like_one_that_arrived_then(monkeypatch):
    monkeypatch.setattr(eviction, "PolicyTrial", FrequencyLeads)
    monkeypatch.setattr(eviction, "FrequencySketch", ExactCounts)
    ticks, evicted = itertools.count(1), []
    memory = MemoryTier(20, lambda: float(next(ticks)))  # a window of 1, and at most 15 protected entries

    def read(key: str, times: int = 1) -> None:
        for _ in range(times):
            memory.count_hit(memory.live(key))

    def add(key: str, reads: int = 0) -> None:
        before = set(memory.entries)
        memory.hold(key, Held(key, None, 40), deadline=float("inf"))
        evicted.extend(before - set(memory.entries))
        read(key, reads)

    for number in range(20):
        add(f"old {number}")
    add("new 0", reads=3)
    for number in range(17):
        read(f"old {number}")  # two more than may be protected
    for number in range(1, 5):
        add(f"new {number}", reads=3)
    assert evicted == ["old 19", "old 17", "old 18", "old 0", "old 1"]
    read("new 0")  # protected instead of the entry "old 2", which was read before any of the others arrived
    for number in range(5, 8):
        add(f"new {number}", reads=8)
    assert evicted[5:] == ["new 4", "new 1", "new 2"]


def test_once_cleared_it_keeps_no_value_alive():
    class Value:
        pass

    value = Value()
    gone = weakref.ref(value)
    memory = MemoryTier(10, itertools.count(1).__next__)
    memory.hold("k", Held(value, None, 40), deadline=1e9)
    del value
    memory.clear()
    gc.collect()
    assert gone() is None


def test_the_simulated_window_is_left_by_the_key_that_was_requested_longest_ago():
    table = _FrequentTable(ExactCounts(0))
    for number in range(100):
        table.request(f"k{number}", 100)
    assert table.request("k95", 100)
    table.request("new", 100)
    assert table.request("k95", 100)
    assert not table.request("k96", 100)


def test_so_is_the_simulated_protected_segment():
    counts = ExactCounts(0)
    table = _FrequentTable(counts)
    for number in range(20):
        table.request(f"k{number}", 20)
    for key in (*(f"k{number}" for number in range(15)), "k0", "k15"):  # 15 may be protected
        assert table.request(key, 20)
    for number in range(5):
        counts.add(f"new {number}", 9)
        table.request(f"new {number}", 20)
    assert table.request("k0", 20)
    assert not table.request("k1", 20)


@pytest.fixture
def simulated(monkeypatch) -> list[tuple[str, int, int]]:
    """The requests that the trial has simulated: key, number of requests, and entries that the cache has room for."""
    seen: list[tuple[str, int, int]] = []
    monkeypatch.setattr(PolicyTrial, "request", lambda _, *request: seen.append(request))
    return seen


def test_after_eight_new_entries_their_requests_are_simulated_in_the_order_of_last_use(simulated):
    requests = [*"abaacbdefgh"]
    memory_after(requests[:-1], 16)
    assert simulated == []
    memory_after(requests, 16)
    in_order = [("a", 1, 16), ("b", 1, 16), ("a", 2, 16), *((key, 1, 16) for key in "cbdefgh")]
    assert simulated == in_order
    simulated.clear()
    memory_after([*requests, *"ijklmno"], 16)
    assert simulated == in_order
    simulated.clear()
    memory_after([*requests, *"ijklmnop"], 16)
    assert simulated == in_order + [(key, 1, 16) for key in "ijklmnop"]


def test_a_large_cache_simulates_after_a_sixteenth_of_its_entries_is_new(simulated):
    new = [str(number) for number in range(32)]
    memory_after(new[:31], 512)
    assert simulated == []
    memory_after(new, 512)
    assert simulated == [(key, 1, 512) for key in new]


@pytest.mark.parametrize("size", [5, 40, 400])
def test_every_request_is_simulated_once_even_of_entries_that_are_gone(simulated, size):
    requests = skewed(random.Random(5))[:2000]
    counts: Counter[str] = Counter()
    for number in itertools.count():
        simulated.clear()
        memory_after([*requests, *(f"new {each}" for each in range(number))], size)
        for key, times, _ in simulated:
            counts[key] += times
        if f"new {number - 1}" in counts:
            break
        counts.clear()
    assert counts == Counter(requests) + Counter(f"new {each}" for each in range(number))


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


def test_the_sketch_halves_its_counts_after_ten_requests_for_each_key_that_it_expects():
    sketch = FrequencySketch(16)
    sketch.add("k", 15)
    sketch.add("other", 144)
    assert sketch.count("k") == 15
    sketch.add("other")
    assert sketch.count("k") == 7


def test_the_sketch_forgets():
    sketch = FrequencySketch(16)
    sketch.add("k", 15)
    for _ in range(400):
        sketch.add("other")
    assert sketch.count("k") < 4
