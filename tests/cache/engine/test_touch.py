"""Tests ``touch``: it extends an existing value in every tier, and never revives a removed one."""

from __future__ import annotations

import enum
import threading

import pytest
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache.testing import core_of, forget_memory, stop_listening, store_of, tier_of


@pytest.fixture(params=[None, "d"], ids=["redis", "redis+disk"])
def cut_off(request, faults, make_cache, tmp_path, clock, wall_clock):
    """A cache that loses its Redis when the test says so; it no longer listens, so memory is not dropped at once."""
    folder = request.param and tmp_path / request.param
    with make_cache(faults.url, folder, clock=clock, wall_clock=wall_clock) as cache:
        wait_until(lambda: cache.get_stats()["redis_listening"])
        stop_listening(cache)
        yield cache


@pytest.fixture
def reader(own_redis, make_cache, clock, wall_clock):
    """What another process sees, past the proxy."""
    return make_cache(own_redis.url, memory_items=0, clock=clock, wall_clock=wall_clock)


def get_back(cache, faults) -> None:
    faults.heal()
    wait_until(lambda: cache.get_stats()["redis_available"])


@pytest.mark.parametrize("seconds", [10, 11])
@pytest.mark.parametrize("tier", ["memory", "disk"])
def test_what_has_expired_is_not_extended(make_cache, tmp_path, clock, wall_clock, tier, seconds):
    cache = make_cache(None, tmp_path if tier == "disk" else None, clock=clock, wall_clock=wall_clock)
    cache.set("k", "v", ttl=10)
    if tier == "disk":
        forget_memory(cache)
    clock.advance(seconds)
    wall_clock.advance(seconds)
    assert not cache.touch("k", 100)
    assert cache.get("k") is None


def test_a_stale_value_is_not_extended(make_cache, clock):
    cache = make_cache(clock=clock)
    cache.get_or_set("k", lambda: "v", ttl=10, stale_ttl=100)
    clock.advance(10)
    assert not cache.touch("k", 100)


def test_nor_is_it_stored_once_redis_is_back(make_cache, clock, refusing_url):
    cache = make_cache(refusing_url, clock=clock)
    cache.get_or_set("k", lambda: "v", ttl=10, stale_ttl=100)
    clock.advance(10)
    assert not cache.touch("k", 100)
    assert tier_of(cache, "redis")._pending.snapshot().changes["k"].write is None


def test_memory_that_must_ask_below_extends_nothing_that_is_gone_there(make_cache, tmp_path, clock):
    cache = make_cache(None, tmp_path, clock=clock, memory_seconds=60)
    cache.set("k", "v", ttl=1000)
    store_of(cache, "disk").delete("k")
    clock.advance(60)
    assert not cache.touch("k", 100)


def test_a_tag_lives_as_long_as_what_was_touched(make_cache, real_redis, client, namespace):
    cache = make_cache(real_redis.url)
    cache.set("k", 1, ttl=600, tags=["t"])
    assert cache.touch("k", 3600)
    names = [name for name in client.scan_iter(f"{namespace}*") if client.ttl(name) >= 0]
    assert any(b"tag" in name for name in names)
    assert all(client.ttl(name) > 3000 for name in names)
    assert cache.invalidate_tag("t") == 1
    assert cache.get("k") is None


CHANGES = {
    "delete": lambda cache: cache.delete("k"),
    "invalidate": lambda cache: cache.invalidate("k*"),
    "tag": lambda cache: cache.invalidate_tag("t"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES, ids=list(CHANGES))
def test_what_another_thread_removes_meanwhile_is_not_written_again(make_cache, tmp_path, monkeypatch, change):
    cache = make_cache(None, tmp_path / "d")
    cache.set("k", "v", tags=["t"])
    store = store_of(cache, "disk")
    read = store.get
    remover = threading.Thread(target=CHANGES[change], args=(cache,))

    def be_overtaken(key: str) -> bytes | None:
        blob = read(key)
        remover.start()
        remover.join(0.3)  # it may have to wait for ``touch``
        return blob

    monkeypatch.setattr(store, "get", be_overtaken)
    cache.touch("k", 100)
    monkeypatch.undo()
    remover.join(SOON_SECONDS)
    assert cache.get("k") is None
    forget_memory(cache)
    assert cache.get("k") is None


@pytest.mark.parametrize("with_redis", [False, True], ids=["disk", "redis+disk"])
@pytest.mark.parametrize("change", CHANGES, ids=list(CHANGES))
def test_what_another_process_removes_meanwhile_is_not_written_again(
    make_cache, real_redis, tmp_path, monkeypatch, change, with_redis
):
    url = real_redis.url if with_redis else None
    cache, other = (make_cache(url, tmp_path / "d", memory_items=0) for _ in range(2))
    cache.set("k", "v", tags=["t"])
    store = store_of(cache, "redis" if cache.get_stats()["redis_available"] else "disk")
    read = store.get

    def be_overtaken(key: str) -> bytes | None:
        blob = read(key)
        monkeypatch.undo()
        CHANGES[change](other)
        return blob

    monkeypatch.setattr(store, "get", be_overtaken)
    assert cache.touch("k", 100) is False
    assert cache.get("k") is None
    assert other.get("k") is None


def test_what_another_process_writes_after_the_touch_is_not_kept_from_memory(make_cache, real_redis, monkeypatch):
    cache, other = (make_cache(real_redis.url) for _ in range(2))
    wait_until(lambda: cache.get_stats()["redis_listening"])
    cache.set("k", "old")
    store = store_of(cache, "redis")
    replace = store.replace

    def be_overtaken(*args) -> bool:
        done = replace(*args)
        heard = core_of(cache).stripes.of("k").remote_changes
        other.set("k", "new")
        wait_until(lambda: core_of(cache).stripes.of("k").remote_changes > heard)
        return done

    monkeypatch.setattr(store, "replace", be_overtaken)
    assert cache.touch("k", 100)
    assert cache.get("k") == "new"


def test_a_shorter_life_given_where_redis_lacks_the_value_is_heard_by_the_others(make_cache, real_redis, tmp_path):
    cache, other = (make_cache(real_redis.url, tmp_path / "d") for _ in range(2))
    wait_until(lambda: other.get_stats()["redis_listening"])
    cache.set("k", "v", ttl=1000)
    assert other.get("k") == "v"
    store_of(cache, "redis").discard("k")  # like a server that is short of memory
    assert cache.touch("k", 10)
    wait_until(lambda: other.ttl("k") <= 10)


def test_a_value_of_an_older_generation_is_not_there(make_cache, real_redis):
    cache = make_cache(real_redis.url)
    cache.set("k", "old")
    forget_memory(cache)
    store_of(cache, "redis").begin_generation()
    assert cache.touch("k", 100) is False
    assert cache.get("k") is None


def test_a_shorter_life_given_in_an_outage_holds_when_redis_is_back(cut_off, faults, reader, clock, wall_clock):
    cut_off.set("k", "v", ttl=3600)
    faults.reset()
    assert cut_off.touch("k", 100)
    assert cut_off.ttl("k") <= 100
    get_back(cut_off, faults)
    assert (reader.ttl("k") or 0) <= 100
    clock.advance(101)
    wall_clock.advance(101)
    assert cut_off.get("k") is None
    assert reader.get("k") is None


def test_a_longer_life_given_in_an_outage_is_told_to_redis(cut_off, faults, reader):
    cut_off.set("k", "v", ttl=300, tags=["t"])
    faults.reset()
    assert cut_off.touch("k", 3600)
    assert cut_off.ttl("k") > 3500
    get_back(cut_off, faults)
    assert reader.get("k") == "v"
    assert reader.ttl("k") > 3500
    assert reader.invalidate_tag("t") == 1


@pytest.mark.parametrize("change", ["delete", "set"])
def test_a_touch_in_an_outage_does_not_undo_what_another_process_did(cut_off, faults, reader, change, wall_clock):
    cut_off.set("k", "old")
    faults.reset()
    assert cut_off.get("k") == "old"
    wall_clock.advance(1)
    reader.delete("k") if change == "delete" else reader.set("k", "new")
    assert cut_off.touch("k", 3600)
    get_back(cut_off, faults)
    expected = "new" if change == "set" else None
    assert reader.get("k") == expected
    forget_memory(cut_off)  # like a new subscription
    assert cut_off.get("k") == expected


def test_a_life_given_while_the_disk_fails_holds_when_it_is_back(make_cache, tmp_path, monkeypatch, wall_clock, clock):
    cache = make_cache(None, tmp_path / "d", clock=clock, wall_clock=wall_clock)
    cache.set("k", "v", ttl=3600)
    disk = tier_of(cache, "disk")
    with monkeypatch.context() as failing:
        failing.setattr(store_of(cache, "disk"), "open", lambda: 1 / 0)
        disk.fail(OSError("as if"))
        assert cache.touch("k", 10)
        assert cache.ttl("k") <= 10
    wait_until(lambda: disk.available)
    clock.advance(11)
    wall_clock.advance(11)
    assert cache.get("k") is None


def test_a_touch_of_what_redis_has_reaches_the_disk(make_cache, real_redis, tmp_path, wall_clock):
    cache = make_cache(real_redis.url, tmp_path / "d", wall_clock=wall_clock)
    cache.set("k", "v", ttl=600)
    assert cache.touch("k", 10)
    on_disk = make_cache(None, tmp_path / "d", wall_clock=wall_clock)
    assert 0 < on_disk.ttl("k") <= 10


class Colour(enum.Enum):
    RED = 1


def test_a_value_that_this_process_cannot_read_is_not_extended(make_cache, tmp_path):
    make_cache(None, tmp_path / "d", enums=[Colour]).set("k", Colour.RED, ttl=600)
    assert make_cache(None, tmp_path / "d").touch("k", 3600) is False
    assert make_cache(None, tmp_path / "d", enums=[Colour]).ttl("k") <= 600
