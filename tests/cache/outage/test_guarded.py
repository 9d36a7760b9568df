"""Tests the guarded tier: a store that fails is not used, and none of its old values ever comes back."""

from __future__ import annotations

import logging
import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache.keys.pattern import EVERY_KEY, KeyPattern
from jarvisperf.cache.outage import guarded
from jarvisperf.cache.outage.guarded import GuardedTier
from jarvisperf.cache.outage.replay import Change, Pending
from jarvisperf.cache.outage.store import CorruptEntryError, RejectedError, Write
from jarvisperf.cache.testing import Clock
from jarvisperf.cache.values.envelopes.versions import Versions


class BrokenError(Exception):
    pass


class Switchable:
    """A store in a dictionary that fails when the test says so."""

    name = "switchable"
    place = "switchable://here"
    failures = (BrokenError,)

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.tagged: dict[str, set[str]] = {}
        self.is_broken = False
        self.calls = 0

    def _use(self) -> None:
        self.calls += 1
        if self.is_broken:
            raise BrokenError("switched off")

    def open(self) -> None:
        self._use()

    def get(self, key: str) -> bytes | None:
        self._use()
        if self.held.get(key) == b"corrupt":
            raise CorruptEntryError("found rubbish")
        return self.held.get(key)

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        self._use()
        self.held[key] = blob
        for tag in tags:
            self.tagged.setdefault(tag, set()).add(key)
        return True

    def put_many(self, writes) -> int:
        return sum(self.put(*write) for write in writes)

    def invalidate_tags(self, tags) -> set[str]:
        self._use()
        return self.delete_many({key for tag in tags for key in self.tagged.get(tag, ())})

    def delete(self, key: str) -> bool:
        self._use()
        return self.held.pop(key, None) is not None

    def delete_many(self, keys) -> set[str]:
        return {key for key in list(keys) if self.delete(key)}

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        self._use()
        found = {key for key in self.held if pattern.matches(key)}
        self.delete_many(found)
        return found

    def close(self) -> None:
        self.calls += 1


@pytest.fixture
def store() -> Switchable:
    return Switchable()


@pytest.fixture
def tier(store):
    made = make_tier(store)
    yield made
    made.close()


def make_tier(store: Switchable) -> GuardedTier:
    return GuardedTier(store, random.Random(1), Versions(time.time), wait_seconds=None, first_pause_seconds=0.002)


def fail(tier: GuardedTier, store: Switchable) -> None:
    store.is_broken = True
    tier.read("any")
    assert not tier.available


def recover(tier: GuardedTier, store: Switchable) -> None:
    store.is_broken = False
    wait_until(lambda: tier.available)


def test_a_failure_is_nothing_found_and_is_counted(tier, store):
    store.held["k"] = b"v"
    store.is_broken = True
    assert tier.read("k") is None
    assert not tier.put("k", b"new", 1)
    assert not tier.delete("k")
    assert tier.invalidate(EVERY_KEY) == set()
    assert tier.errors >= 1


def test_a_store_that_is_down_is_not_touched_by_calls(store, monkeypatch):
    tier = GuardedTier(store, random.Random(1), Versions(time.time), wait_seconds=None, first_pause_seconds=1000)
    fail(tier, store)
    before = store.calls
    for _ in range(100):
        tier.read("k")
        tier.put("k", b"v", 1)
        tier.delete("k")
    assert store.calls - before <= 1  # the first probe
    tier.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda tier: tier.put("k", b"new", 1),
        lambda tier: tier.delete("k"),
        lambda tier: tier.invalidate(KeyPattern("k*")),
        lambda tier: tier.invalidate_tags(["t"]),
        lambda tier: tier.clear(),
        lambda tier: tier.reject("k"),
    ],
    ids=["put", "delete", "invalidate", "tag", "clear", "reject"],
)
def test_what_changed_during_an_outage_does_not_come_back_with_its_old_value(tier, store, change):
    tier.put("k", b"old", 1, ("t",))
    fail(tier, store)
    change(tier)
    recover(tier, store)
    assert tier.read("k") is None


def test_what_did_not_change_during_an_outage_is_still_there(tier, store):
    tier.put("same", b"v", 1)
    tier.put("changed", b"v", 1)
    fail(tier, store)
    tier.delete("changed")
    recover(tier, store)
    assert tier.read("same") == b"v"


def test_the_write_that_failed_is_an_outage_change_itself(tier, store):
    tier.put("k", b"old", 1)
    store.is_broken = True
    tier.put("k", b"new", 1)
    recover(tier, store)
    assert tier.read("k") is None


def test_too_many_changes_to_remember_clear_the_namespace(tier, store, monkeypatch):
    monkeypatch.setattr(tier, "_pending", Pending(most_keys=3))
    tier.put("old", b"v", 1)
    fail(tier, store)
    tier.delete("old")
    for number in range(10):
        tier.delete(f"k{number}")
    assert 1 <= tier.unsettled <= 4
    recover(tier, store)
    assert store.held == {}


@pytest.mark.parametrize(
    "remove",
    [
        lambda pending: pending.note("k", Change(2, 0.0)),
        lambda pending: pending.note_pattern(EVERY_KEY, 2),
        lambda pending: pending.note_tags({"t"}, 2),
    ],
    ids=["delete", "invalidate", "tag"],
)
def test_what_is_removed_after_everything_had_changed_is_not_written_any_more(remove):
    pending = Pending()
    pending.note_everything()
    pending.note("k", Change(1, 0.0, Write("k", bytes(100), 60.0, ("t",))))
    remove(pending)
    assert pending.snapshot().outcome()["k"] == Change(2, 0.0)
    assert pending.snapshot().versions() == {"k": 2}


def test_what_is_written_after_an_invalidation_is_still_written():
    pending = Pending()
    pending.note_pattern(KeyPattern("k*"), 1)
    pending.note_tags({"t"}, 2)
    change = Change(3, 0.0, Write("k", bytes(100), 60.0, ("t",)))
    pending.note("k", change)
    pending.note_pattern(KeyPattern("other*"), 4)
    assert pending.snapshot().outcome() == {"k": change}


def test_the_latest_of_several_invalidations_counts():
    pending = Pending()
    pending.note("k", Change(1, 0.0, Write("k", bytes(100), 60.0, ("t", "u"))))
    pending.note_tags({"t"}, 5)
    pending.note_pattern(KeyPattern("k*"), 4)
    pending.note_pattern(KeyPattern("*"), 3)
    assert pending.snapshot().outcome()["k"].version == 5
    pending.note_pattern(KeyPattern("*"), 6)
    assert pending.snapshot().outcome()["k"].version == 6


def test_the_same_invalidation_during_its_replay_is_replayed_as_well():
    pending = Pending()

    def invalidate(version: int) -> None:
        pending.note_pattern(KeyPattern("k*"), version)
        pending.note_tags({"t"}, version)

    invalidate(1)
    replayed = pending.snapshot()
    invalidate(2)
    pending.forget(replayed)
    assert len(pending) == 2
    pending.forget(pending.snapshot())
    assert not pending


def test_an_invalidation_that_is_repeated_is_remembered_once():
    pending = Pending()
    for version in range(1000):
        pending.note_pattern(KeyPattern("k*"), version)
        pending.note_tags({"t"}, version)
    assert len(pending) == 2
    assert not pending.has_everything


def test_a_store_is_used_again_though_changes_come_faster_than_they_are_told(tier, store, monkeypatch):
    fail(tier, store)
    tier.delete("k")
    told, delete_many = [], store.delete_many

    def slowly(keys) -> set[str]:
        if not tier.available:
            told.append(keys)
            other = threading.Thread(target=tier.delete, args=(f"k{len(told)}",), daemon=True)
            other.start()
            if len(told) <= guarded._ROUNDS_WITHOUT_WAITING:  # then it waits for the end of the replay
                other.join(SOON_SECONDS)
        return delete_many(keys)

    monkeypatch.setattr(store, "delete_many", slowly)
    recover(tier, store)
    wait_until(lambda: tier.unsettled == 0)
    assert len(told) > 3


def test_a_failure_while_settling_forgets_nothing(tier, store, monkeypatch):
    tier.put("k", b"old", 1)
    fail(tier, store)
    tier.delete("k")
    failed = threading.Event()

    def fail_once(keys) -> None:
        monkeypatch.undo()
        failed.set()
        raise BrokenError("again")

    monkeypatch.setattr(store, "delete_many", fail_once)
    recover(tier, store)
    assert failed.is_set()
    assert tier.read("k") is None


def test_an_outage_is_logged_once_and_so_is_its_end(tier, store, caplog):
    caplog.set_level(logging.INFO, guarded.logger.name)
    fail(tier, store)
    wait_until(lambda: tier.errors >= 5)
    recover(tier, store)
    wait_until(lambda: len(caplog.messages) == 2)
    assert caplog.messages == [
        (
            "switchable cache tier unavailable; continuing with the remaining tiers: switchable://here: BrokenError: "
            "switched off"
        ),
        "switchable cache tier is available again: switchable://here",
    ]


def test_a_store_that_comes_and_goes_does_not_fill_the_log(store, caplog, clock):
    tier = GuardedTier(
        store, random.Random(1), Versions(time.time), wait_seconds=None, first_pause_seconds=0.002, clock=clock
    )
    for _ in range(5):
        fail(tier, store)
        recover(tier, store)
    assert len(caplog.messages) == 1
    clock.advance(guarded.REPORT_AGAIN_AFTER_SECONDS)
    fail(tier, store)
    wait_until(lambda: len(caplog.messages) == 2)  # the probing thread may be the first to report it
    tier.close()


def test_a_corrupt_entry_is_a_miss_is_counted_and_is_removed(tier, store):
    store.held["k"] = b"corrupt"
    assert tier.read("k") is None
    assert (tier.corrupt, tier.errors) == (1, 0)
    assert store.held == {}


def test_an_error_that_is_no_failure_of_the_store_is_not_hidden(tier, store, monkeypatch):
    monkeypatch.setattr(store, "get", lambda key: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tier.read("k")


def test_a_probe_that_fails_in_a_way_nobody_foresaw_is_counted_logged_and_tried_again(store, tier, monkeypatch, caplog):
    fail(tier, store)
    caplog.clear()
    monkeypatch.setattr(store, "open", lambda: 1 / 0)
    thread = tier._breaker._thread
    before = tier.errors
    wait_until(lambda: tier.errors >= before + 3)
    assert tier._breaker._thread is thread
    assert thread.is_alive()
    monkeypatch.undo()
    recover(tier, store)


def test_a_failure_nobody_foresaw_is_logged_with_its_type(store, monkeypatch, caplog):
    monkeypatch.setattr(store, "open", lambda: 1 / 0)
    make_tier(store).close()
    assert caplog.messages == [
        (
            "switchable cache tier unavailable; continuing with the remaining tiers: switchable://here: "
            "ZeroDivisionError: division by zero"
        )
    ]


CALLS = {
    "read": lambda tier: tier.read("k"),
    "put": lambda tier: tier.put("k", b"v", 1),
    "put_many": lambda tier: tier.put_many([Write("k", b"v", 1)]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_the_latency_of_a_call_is_the_time_that_the_store_takes(tier, store, monkeypatch, call):
    clock, use = Clock(), store._use

    def use_slowly() -> None:
        clock.advance(3)
        use()

    monkeypatch.setattr(store, "_use", use_slowly)
    monkeypatch.setattr(guarded.time, "perf_counter", clock)
    call(tier)
    assert tier.latency.percentiles().p50_seconds == pytest.approx(3, rel=0.08)


def test_one_read_in_eight_is_timed(tier, store, monkeypatch):
    clock, durations, use = Clock(), iter([3, *[100] * 7, 3]), store._use

    def use_slowly() -> None:
        clock.advance(next(durations))
        use()

    monkeypatch.setattr(store, "_use", use_slowly)
    monkeypatch.setattr(guarded.time, "perf_counter", clock)
    for _ in range(9):
        tier.read("k")
    assert tier.latency.percentiles().p99_seconds == pytest.approx(3, rel=0.08)


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("get", lambda tier: tier.read("k")),
        ("put", lambda tier: tier.put("k", b"v", 1)),
        ("delete", lambda tier: tier.delete("k")),
        ("keys", lambda tier: tier.keys(EVERY_KEY)),
    ],
)
def test_what_a_store_rejects_is_counted_and_the_store_stays_in_use(tier, store, monkeypatch, method, call):
    def reject(*_: object) -> None:
        raise RejectedError(["k"], ValueError("forbidden"))

    monkeypatch.setattr(store, method, reject, raising=False)
    assert not call(tier)
    assert (tier.rejected, tier.errors, tier.available) == (1, 0, True)


def test_a_rejection_of_several_values_is_logged_with_the_first_key(tier, store, monkeypatch, caplog):
    def reject(*_: object) -> None:
        raise RejectedError(["a", "b"], ValueError("forbidden"))

    monkeypatch.setattr(store, "put_many", reject)
    for _ in range(2):
        tier.put_many([Write("a", b"v", 1), Write("b", b"v", 1)])
    assert caplog.messages == ["switchable cache tier rejects 'a'; the other tiers keep it: ValueError: forbidden"]
    assert tier.rejected == 4


def test_a_store_that_is_down_from_the_start_is_no_error(store):
    store.is_broken = True
    tier = make_tier(store)
    assert not tier.available
    recover(tier, store)
    assert tier.put("k", b"v", 1)
    tier.close()


def test_a_closed_tier_does_not_open_again(tier, store):
    fail(tier, store)
    tier.close()
    store.is_broken = False
    assert tier.read("k") is None
    assert not tier.available


def test_a_child_that_was_forked_while_a_thread_of_its_parent_changed_the_tier_can_use_it(tier, store):
    with tier._lock, tier.usable._cond:
        tier.after_fork()
        assert tier.usable.is_set()
        failing = threading.Thread(target=fail, args=(tier, store), daemon=True)
        failing.start()
        failing.join(SOON_SECONDS)
        assert not failing.is_alive()
    assert not tier.usable.is_set()


STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "clear", "break", "mend"]), st.sampled_from("abc")))


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_happens_a_value_read_is_the_last_one_written(steps):
    store = Switchable()
    tier = make_tier(store)
    last: dict[str, bytes] = {}
    for number, (step, key) in enumerate(steps):
        blob = b"%d" % number
        if step == "put":
            tier.put(key, blob, 1)
            last[key] = blob
        elif step == "delete":
            tier.delete(key)
            last.pop(key, None)
        elif step == "clear":
            tier.clear()
            last.clear()
        elif step == "break":
            store.is_broken = True
        else:
            recover(tier, store)
        assert all(tier.read(name) in {None, last.get(name)} for name in "abc")
    recover(tier, store)
    assert all(tier.read(name) in {None, last.get(name)} for name in "abc")
    tier.close()
