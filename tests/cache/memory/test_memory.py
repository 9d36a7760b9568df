"""Tests the memory tier: bounded by items and bytes, and expiring by its clock."""

from __future__ import annotations

import math
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache.keys.pattern import KeyPattern
from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.values.isolation import Held

NEVER = math.inf


def hold(tier: MemoryTier, key: str, value: object = 1, deadline: float = NEVER, size_bytes: int = 30, **more) -> bool:
    return tier.hold(key, Held(value, None, size_bytes), deadline=deadline, **more)


def read(tier: MemoryTier, key: str) -> object:
    """Read an entry like a cache."""
    entry = tier.entries[key]
    tier.count_hit(entry)
    return entry.value


def filled(clock, count: int, most: int) -> MemoryTier:
    tier = MemoryTier(most, clock)
    for number in range(count):
        clock.advance(1)
        hold(tier, str(number), number)
    return tier


def test_it_never_holds_more_items_than_it_may(clock):
    tier = filled(clock, 100, 10)
    assert len(tier) == 10
    assert tier.evictions == 90
    assert set(tier.entries) == {str(number) for number in range(90, 100)}


def test_it_never_holds_more_bytes_than_it_may(clock):
    tier = MemoryTier(1000, clock, most_bytes=10_000)
    for number in range(50):
        assert hold(tier, str(number), size_bytes=1000)
        assert tier.bytes <= 10_000
    assert 3 <= len(tier) <= 10
    assert tier.size() == (len(tier), tier.bytes)


def test_a_value_larger_than_the_memory_is_not_held_and_pushes_nothing_out(clock):
    tier = MemoryTier(10, clock, most_bytes=10_000)
    hold(tier, "small")
    hold(tier, "large", "old")
    assert not hold(tier, "large", "new", size_bytes=10_000)
    assert set(tier.entries) == {"small"}


@pytest.mark.parametrize("tags_of", [lambda number: [f"user:{number}"], lambda number: [f"a:{number}", f"b:{number}"]])
def test_tags_count_among_the_bytes(clock, tags_of):
    tier = MemoryTier(10_000, clock)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(5000):
            hold(tier, f"key {number}", tags=tuple(tags_of(number)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before <= 1.1 * tier.bytes


def test_bytes_are_given_back(clock):
    tier = filled(clock, 5, 10)
    for key in "01":
        tier.delete(key)
    tier.invalidate(KeyPattern("2*"))
    hold(tier, "3", "again")
    tier.delete("3")
    tier.delete("4")
    assert tier.size() == (0, 0)


def test_the_entry_whose_last_use_is_longest_ago_goes(clock):
    tier = filled(clock, 3, 3)
    clock.advance(1)
    read(tier, "0")
    hold(tier, "new")
    assert set(tier.entries) == {"0", "2", "new"}
    clock.advance(1)
    read(tier, "2")
    hold(tier, "newer")
    assert set(tier.entries) == {"2", "new", "newer"}


def test_an_expired_entry_goes_first_even_if_it_was_read(clock):
    tier = MemoryTier(2, clock)
    hold(tier, "fresh")
    hold(tier, "old", deadline=clock() + 5)
    read(tier, "old")
    clock.advance(5)
    hold(tier, "new")
    assert set(tier.entries) == {"fresh", "new"}
    assert tier.evictions == 0


def test_expired_entries_do_not_stay_until_the_memory_is_full(clock):
    tier = MemoryTier(1000, clock)
    for number in range(100):
        hold(tier, str(number), deadline=clock() + 5)
    clock.advance(5)
    for number in range(10):
        hold(tier, f"new {number}")
    assert len(tier) == 10


def test_replacing_one_key_for_ever_does_not_grow_anything(clock):
    tier = MemoryTier(10, clock)

    def replace(times: int) -> None:
        for number in range(times):
            hold(tier, "k", number, clock() + 1000, tags=(f"tag {number}",))
            tier.prolong("k", deadline=clock() + 2000 + number)

    tracemalloc.start()
    try:
        replace(500)
        before, _ = tracemalloc.get_traced_memory()
        replace(5000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000  # 5,000 entries would take more than 2 MB
    assert len(tier) == 1
    assert tier.evictions == 0


def test_no_entries_at_all_can_be_wanted(clock):
    tier = filled(clock, 3, 0)
    assert len(tier) == 0
    assert not hold(tier, "k")


def test_hits_are_counted_beyond_the_life_of_an_entry(clock):
    tier = filled(clock, 3, 3)
    for key in "012":
        read(tier, key)
    tier.delete("0")
    hold(tier, "1")
    assert tier.hits() == 3
    tier.clear()
    assert tier.hits() == 3


def test_an_entry_ends_at_its_deadline_and_not_before(clock):
    tier = MemoryTier(5, clock)
    hold(tier, "k", deadline=clock() + 10)
    clock.advance(9.999)
    assert tier.live("k") is not None
    clock.advance(0.001)
    assert tier.live("k") is None
    assert len(tier) == 0


def test_an_entry_may_be_kept_beyond_its_deadline_for_worse_times(clock):
    tier = MemoryTier(5, clock)
    hold(tier, "k", deadline=clock() + 10, stale_until=clock() + 20)
    clock.advance(15)
    assert tier.live("k").deadline < clock()
    assert tier.keys(KeyPattern("*")) == set()
    assert not tier.delete("k")  # expired entries count as removed
    assert len(tier) == 0


def test_an_entry_can_be_given_another_time_to_live(clock):
    tier = MemoryTier(5, clock)
    hold(tier, "k", deadline=clock() + 10)
    assert tier.prolong("k", deadline=clock() + 100)
    clock.advance(50)
    hold(tier, "other")
    assert tier.live("k") is not None
    clock.advance(50)
    assert not tier.prolong("k", deadline=clock() + 100)
    assert tier.live("k") is None


def test_a_tag_removes_what_has_it(clock):
    tier = MemoryTier(10, clock)
    hold(tier, "a", tags=("x", "y"))
    hold(tier, "b", tags=("y",))
    hold(tier, "c")
    assert tier.invalidate_tags(["x"]) == {"a"}
    assert tier.invalidate_tags(["y", "x", "nobody's"]) == {"b"}
    assert set(tier.entries) == {"c"}


def test_a_replaced_entry_has_only_the_tags_of_the_new_one(clock):
    tier = MemoryTier(10, clock)
    hold(tier, "a", tags=("x",))
    hold(tier, "a", tags=("y",))
    assert tier.invalidate_tags(["x"]) == set()
    assert tier.invalidate_tags(["y"]) == {"a"}


class ForkError(Exception):
    """Ends in the middle of a change, like a fork in the child."""


def test_a_child_that_was_forked_in_the_middle_of_a_change_begins_with_nothing():
    is_forking = False

    def clock() -> float:
        if is_forking:
            tier.after_fork()
            raise ForkError
        return 1000.0

    tier = MemoryTier(10, clock)
    hold(tier, "a", tags=("x",))
    tier.after_fork()
    assert tier.live("a") is not None
    is_forking = True
    with pytest.raises(ForkError):
        tier.invalidate_tags(["x"])  # it reads the clock while it changes the entries
    is_forking = False
    assert tier.size() == (0, 0)
    hold(tier, "a", tags=("x",))
    assert tier.invalidate_tags(["x"]) == {"a"}


@given(st.lists(st.tuples(st.sampled_from("hdrt"), st.integers(0, 7)), max_size=80), st.integers(1, 5))
def test_whatever_is_done_it_is_bounded_and_never_holds_a_value_that_was_replaced(steps, most):
    now = [0.0]
    tier = MemoryTier(most, lambda: now[0], most_bytes=2000)
    written: dict[str, int] = {}
    for number, (step, name) in enumerate(steps):
        now[0] += 1
        key = str(name)
        if step == "h":
            hold(tier, key, number, NEVER if name % 2 else now[0] + 10, tags=(f"tag {name % 3}",))
            written[key] = number
            assert tier.live(key).value == number
        elif step == "d":
            was_there = tier.live(key) is not None
            assert tier.delete(key) == was_there
            written.pop(key, None)
        elif step == "t":
            tier.invalidate_tags([f"tag {name % 3}"])
            assert not any(int(held) % 3 == name % 3 for held in tier.entries)
        elif tier.live(key) is not None:
            read(tier, key)
        assert len(tier) <= most
        assert tier.bytes == sum(entry.size_bytes for entry in tier.entries.values()) <= 2000
        assert all(written[held] == entry.value for held, entry in tier.entries.items())


@pytest.mark.parametrize("most", [1, 50])
def test_threads_may_share_it(clock, most):
    tier = MemoryTier(most, clock)
    errors = []

    def work(seed: int) -> None:
        try:
            for number in range(2000):
                key = str((seed * number) % 97)
                hold(tier, key, number)
                tier.live(key)
                if number % 7 == 0:
                    tier.delete(key)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(tier) <= most
