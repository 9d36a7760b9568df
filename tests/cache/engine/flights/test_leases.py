"""Tests that a long computation keeps its lease, and that the lease of a process that died does not last."""

from __future__ import annotations

import threading

import pytest
from waiting import wait_until

from jarvisperf.cache import SmartCache, cached_many
from jarvisperf.cache.engine.flights.heartbeat import LONGEST_SECONDS, Heartbeat
from jarvisperf.cache.engine.races import Computation
from jarvisperf.cache.testing import Clock, core_of, tier_of
from jarvisperf.cache.values.envelopes.marks import Lease, Refusal

LEASE_SECONDS = 30.0
LEASE = Lease(b"t" * 16, 0, 0)


class Renewals:
    """A heartbeat whose thread does not start: the test beats."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.renewed: list[str] = []
        self.lost: set[str] = set()
        self.seconds_per_renewal = 0.0
        self.heartbeat = Heartbeat(self.renew, LEASE_SECONDS, self.clock)
        self.heartbeat._thread = threading.current_thread()

    def renew(self, key: str, lease: Lease, seconds: float) -> bool:
        assert (lease, seconds) == (LEASE, LEASE_SECONDS)
        self.renewed.append(key)
        self.clock.advance(self.seconds_per_renewal)
        return key not in self.lost

    def begin(self, key: str, longest_seconds: float = float("inf")) -> Computation:
        computation = Computation(key, ())
        self.heartbeat.begin(computation, LEASE, longest_seconds)
        return computation

    def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.heartbeat.beat()


@pytest.fixture
def renewals() -> Renewals:
    return Renewals()


def test_a_lease_is_renewed_before_it_expires_as_long_as_the_computation_runs(renewals):
    renewals.begin("k")
    for _ in range(10):
        renewals.pass_seconds(LEASE_SECONDS / 3)
    assert renewals.renewed == ["k"] * 10


def test_a_short_computation_renews_nothing(renewals):
    computation = renewals.begin("k")
    renewals.pass_seconds(LEASE_SECONDS / 4)
    renewals.heartbeat.end(computation)
    renewals.pass_seconds(LEASE_SECONDS)
    assert renewals.renewed == []
    assert renewals.heartbeat.beat() is None


def test_each_lease_is_renewed_when_it_is_due(renewals):
    renewals.begin("a")
    renewals.pass_seconds(5)
    renewals.begin("b")
    assert renewals.heartbeat.beat() == pytest.approx(5)
    renewals.pass_seconds(5)
    renewals.pass_seconds(5)
    assert renewals.renewed == ["a", "b"]


def test_a_lease_that_is_due_in_a_moment_is_not_renewed_later(renewals):
    renewals.begin("k")
    renewals.clock.advance(LEASE_SECONDS / 3 - 0.25)
    assert renewals.heartbeat.beat() == pytest.approx(0.25)


def test_a_lease_that_became_due_while_another_was_renewed_is_renewed_at_once(renewals):
    renewals.begin("a")
    renewals.clock.advance(1)
    renewals.begin("b")
    renewals.clock.advance(9)
    renewals.seconds_per_renewal = 5
    assert renewals.heartbeat.beat() == 0
    assert renewals.renewed == ["a"]
    renewals.heartbeat.beat()
    assert renewals.renewed == ["a", "b"]


def test_a_lost_lease_is_not_renewed_again(renewals):
    renewals.begin("k")
    renewals.lost.add("k")
    for _ in range(3):
        renewals.pass_seconds(LEASE_SECONDS)
    assert renewals.renewed == ["k"]


@pytest.mark.parametrize("longest_seconds", [100.0, float("inf")])
def test_a_computation_that_hangs_does_not_keep_its_lease_forever(renewals, longest_seconds):
    renewals.begin("k", longest_seconds)
    renewals.pass_seconds(min(longest_seconds, LONGEST_SECONDS) - 1)
    renewals.pass_seconds(LEASE_SECONDS)
    renewals.pass_seconds(LEASE_SECONDS)
    assert renewals.renewed == ["k"]


def test_a_stopped_heartbeat_starts_no_thread(renewals):
    renewals.heartbeat._thread = None
    renewals.heartbeat.stop()
    renewals.begin("k")
    assert renewals.heartbeat._thread is None


def test_without_a_thread_the_computation_goes_on(make_cache, real_redis, refuse_threads):
    cache = make_cache(real_redis.url)
    refused = refuse_threads("jarvisperf-leases")
    assert cache.get_or_set("k", lambda: "v") == "v"
    assert refused


@pytest.fixture
def pair(make_cache, real_redis):
    return make_cache(real_redis.url), make_cache(real_redis.url)


def make_older(client, namespace: str, seconds: float) -> None:
    name = f"{namespace}:k"
    client.pexpire(name, client.pttl(name) - int(seconds * 1000))


def test_a_renewed_lease_lasts_as_long_as_a_new_one(pair, client, namespace):
    one, other = (tier_of(cache, "redis")._store for cache in pair)
    lease = one.take_lease("k", None, LEASE_SECONDS)
    for _ in range(3):
        make_older(client, namespace, LEASE_SECONDS - 10)
        assert other.take_lease("k", None, LEASE_SECONDS) == Refusal(None)
        assert one.renew("k", lease, LEASE_SECONDS)
    make_older(client, namespace, LEASE_SECONDS + 1)
    assert isinstance(other.take_lease("k", None, LEASE_SECONDS), Lease)
    assert not one.renew("k", lease, LEASE_SECONDS)


@pytest.mark.parametrize("change", [lambda cache: cache.set("k", 1), lambda cache: cache.delete("k")])
def test_a_lease_that_a_change_voided_is_lost(pair, change):
    one, other = pair
    store = tier_of(one, "redis")._store
    lease = store.take_lease("k", None, LEASE_SECONDS)
    change(other)
    assert not store.renew("k", lease, LEASE_SECONDS)
    assert other.get("k") in {None, 1}


def test_the_lease_for_replacing_a_value_is_renewed_as_well(pair, client, namespace):
    one, other = (tier_of(cache, "redis")._store for cache in pair)
    pair[0].set("k", "old")
    lease = one.take_lease("k", 7, LEASE_SECONDS)
    (name,) = client.keys(f"{namespace}#refresh#*")
    client.pexpire(name, 1000)
    assert one.renew("k", lease, LEASE_SECONDS)
    assert client.pttl(name) > 1000
    client.unlink(name)
    assert isinstance(other.take_lease("k", 7, LEASE_SECONDS), Lease)
    assert not one.renew("k", lease, LEASE_SECONDS)


def test_after_a_value_was_replaced_another_process_may_replace_it_at_once(
    make_cache, real_redis, client, namespace, clock, wall_clock
):
    cache = make_cache(real_redis.url, clock=clock, wall_clock=wall_clock, lease_seconds=3600)
    cache.get_or_set("k", lambda: "old", ttl=10, stale_ttl=100)
    clock.advance(50)
    wall_clock.advance(50)
    assert cache.get_or_set("k", lambda: "new", ttl=10, stale_ttl=100) == "old"
    wait_until(lambda: cache.get("k") == "new")
    wait_until(lambda: not client.keys(f"{namespace}#refresh#*"))


def test_a_long_computation_is_renewed_and_its_value_is_stored(make_cache, real_redis, monkeypatch):
    cache, other = make_cache(real_redis.url, lease_seconds=0.03), make_cache(real_redis.url)
    heartbeat = core_of(cache).heartbeat
    renewed, renew = [], heartbeat._renew
    monkeypatch.setattr(heartbeat, "_renew", lambda *args: renewed.append(args[0]) or renew(*args))

    def compute() -> str:
        wait_until(lambda: len(renewed) > 5)
        return "v"

    assert cache.get_or_set("k", compute) == "v"
    assert other.get("k") == "v"
    wait_until(lambda: heartbeat._thread is None)


def test_a_batch_renews_the_leases_of_all_its_keys(make_cache, real_redis, monkeypatch):
    cache = make_cache(real_redis.url, lease_seconds=0.03)
    heartbeat = core_of(cache).heartbeat
    renewed, renew = [], heartbeat._renew
    monkeypatch.setattr(heartbeat, "_renew", lambda *args: renewed.append(args[0]) or renew(*args))

    @cached_many(cache=cache, key_prefix="squares")
    def squares(numbers: list[int]) -> dict[int, int]:
        wait_until(lambda: len(set(renewed)) == len(numbers))
        return {number: number**2 for number in numbers}

    assert squares([1, 2, 3]) == {1: 1, 2: 4, 3: 9}
    wait_until(lambda: heartbeat._thread is None)


def test_a_failed_computation_is_renewed_no_more(make_cache, real_redis):
    cache = make_cache(real_redis.url, lease_seconds=0.03)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set("k", lambda: 1 / 0)
    wait_until(lambda: core_of(cache).heartbeat._thread is None)


def test_a_computation_that_may_take_no_longer_than_its_lease_needs_no_heartbeat(make_cache, real_redis):
    cache = make_cache(real_redis.url)
    cache.get_or_set("k", lambda: "v", hard_seconds=5)
    assert core_of(cache).heartbeat._thread is None


@pytest.mark.parametrize(("value", "kind"), [(0, ValueError), (-1, ValueError), ("30", TypeError), (1e9, ValueError)])
def test_a_length_that_no_lease_can_have_is_an_error(value, kind):
    with pytest.raises(kind, match="lease_seconds"):
        SmartCache(None, None, lease_seconds=value)
