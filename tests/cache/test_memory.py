"""The memory tier: bounded, expiring by its clock, and kind to what is read."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache.memory import MemoryTier

NEVER = math.inf


def filled(clock, count: int, most: int) -> MemoryTier:
    tier = MemoryTier(most, clock)
    for number in range(count):
        tier.hold_value(str(number), number, NEVER)
    return tier


def test_it_never_holds_more_than_it_may(clock):
    tier = filled(clock, 100, 10)
    assert len(tier) == 10
    assert tier.evictions == 90
    assert set(tier.entries) == {str(number) for number in range(90, 100)}


def test_an_entry_that_was_read_gets_a_second_chance(clock):
    tier = filled(clock, 10, 10)
    tier.entries["0"].hits += 1
    tier.hold_value("new", 1, NEVER)
    assert "0" in tier.entries
    assert "1" not in tier.entries


def test_a_second_chance_is_not_a_third(clock):
    tier = filled(clock, 2, 2)
    tier.entries["0"].hits += 1
    for name in "abc":
        tier.hold_value(name, 1, NEVER)
    assert "0" not in tier.entries


def test_an_expired_entry_goes_first_even_if_it_was_read(clock):
    tier = MemoryTier(2, clock)
    tier.hold_value("old", 1, clock() + 5)
    tier.hold_value("fresh", 1, NEVER)
    tier.entries["old"].hits += 1
    clock.advance(5)
    tier.hold_value("new", 1, NEVER)
    assert set(tier.entries) == {"fresh", "new"}


def test_replacing_one_key_for_ever_does_not_grow_the_queue(clock):
    tier = MemoryTier(10, clock)
    for number in range(1000):
        tier.hold_value("k", number, NEVER)
    assert len(tier) == 1
    assert len(tier._queue) <= 21
    assert tier.evictions == 0


def test_no_entries_at_all_can_be_wanted(clock):
    tier = filled(clock, 3, 0)
    assert len(tier) == 0
    assert not tier.put("k", b"v", 1)


def test_hits_are_counted_beyond_the_life_of_an_entry(clock):
    tier = filled(clock, 3, 3)
    for key in "012":
        tier.entries[key].hits += 1
    tier.delete("0")
    tier.hold_value("1", 1, NEVER)
    assert tier.hits() == 3
    tier.clear()
    assert tier.hits() == 3


def test_an_entry_ends_at_its_deadline_and_not_before(clock):
    tier = MemoryTier(5, clock)
    tier.hold_value("k", 1, clock() + 10)
    clock.advance(9.999)
    assert tier.live("k") is not None
    clock.advance(0.001)
    assert tier.live("k") is None
    assert len(tier) == 0


@given(st.lists(st.tuples(st.sampled_from("hdr"), st.integers(0, 7)), max_size=60), st.integers(1, 5))
def test_whatever_is_done_it_is_bounded_and_never_holds_a_value_that_was_replaced(steps, most):
    tier = MemoryTier(most, lambda: 0.0)
    written: dict[str, int] = {}
    for number, (step, name) in enumerate(steps):
        key = str(name)
        if step == "h":
            tier.hold_value(key, number, NEVER)
            written[key] = number
            assert tier.live(key).value == number
        elif step == "d":
            was_there = tier.live(key) is not None
            assert tier.delete(key) == was_there
            written.pop(key, None)
        elif (entry := tier.live(key)) is not None:
            entry.hits += 1
        assert len(tier) <= most
        assert all(written[held] == entry.value for held, entry in tier.entries.items())


@pytest.mark.parametrize("most", [1, 50])
def test_threads_may_share_it(clock, most):
    tier = MemoryTier(most, clock)
    errors = []

    def work(seed: int) -> None:
        try:
            for number in range(2000):
                key = str((seed * number) % 97)
                tier.hold_value(key, number, NEVER)
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
