"""Tests coherence: a change by one process removes the key from the memory of the others."""

from __future__ import annotations

import functools
import os
import threading

import pytest
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache import SmartCache, cached_many
from jarvisperf.cache.redis_tier.messages import Message, change_to_bytes, from_bytes, to_bytes
from jarvisperf.cache.testing import Clock, RedisFaults, core_of, forget_memory, stop_listening, store_of
from jarvisperf.cache.values.envelopes.envelope import version_of


@pytest.mark.parametrize("key", ["k", "\ud800é", "x" * 300])
def test_the_message_of_one_key_is_like_any_other(key):
    sender = bytes(range(16))
    assert change_to_bytes(sender, 2**52, 3, key) == to_bytes(Message(sender, "keys", 2**52, 3, (key,)))


@pytest.fixture
def make_cache(make_cache):
    """Create caches that trust their memory for so long that only messages can tell them of a change."""
    return functools.partial(make_cache, memory_seconds=3600.0)


@pytest.fixture
def pair(make_cache, real_redis, tmp_path):
    """Two caches of one namespace, as in two processes."""
    one, other = (make_cache(real_redis.url, tmp_path / "d") for _ in range(2))
    # What memory held before the cache began to listen is dropped then.
    wait_until(lambda: all(cache.get_stats()["redis_listening"] for cache in (one, other)))
    one.set("k", "old", tags=["t"])
    one.set("j", "kept")
    assert [other.get("k"), other.get("j")] == ["old", "kept"]
    return one, other


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda cache: cache.set("k", "new"), "new"),
        (lambda cache: cache.set_many({"k": "new", "x": 1}), "new"),
        (lambda cache: cache.delete("k"), None),
        (lambda cache: cache.delete_many(["k", "x"]), None),
        (lambda cache: cache.invalidate("k*"), None),
        (lambda cache: cache.invalidate_tag("t"), None),
        (lambda cache: cache.clear(), None),
    ],
    ids=["set", "set_many", "delete", "delete_many", "invalidate", "tag", "clear"],
)
def test_a_change_reaches_the_memory_of_the_others(pair, change, seen):
    one, other = pair
    change(one)
    wait_until(lambda: other.get("k") == seen)
    assert one.get("k") == seen


@pytest.mark.parametrize("change", [lambda cache: cache.invalidate("k*"), lambda cache: cache.invalidate_tag("t")])
def test_an_invalidation_reaches_what_only_the_memory_of_others_has(make_cache, real_redis, client, namespace, change):
    one, other = (make_cache(real_redis.url) for _ in range(2))
    wait_until(lambda: other.get_stats()["redis_listening"])
    other.set("k", "old", tags=["t"])
    client.delete(*client.scan_iter(f"{namespace}[:#]*"))  # the keys of the tag, too, like a server that is full
    change(one)
    wait_until(lambda: other.get_from_memory("k") is None)


def test_what_did_not_change_stays_in_memory(pair):
    one, other = pair
    one.set("k", "new")
    wait_until(lambda: other.get("k") == "new")  # messages arrive in order, so the one about j has been received by now
    assert other.get("j") == "kept"
    one.set("k", "newer")
    wait_until(lambda: other.get("k") == "newer")
    before = other.get_stats()["redis_hits"]
    assert other.get("j") == "kept"
    assert other.get_stats()["redis_hits"] == before


def test_of_two_that_write_at_once_both_end_with_what_redis_has(pair, monkeypatch):
    one, other = pair
    store = store_of(one, "redis")
    put = store.put

    def be_overtaken(*args) -> bool:
        other.set("k", "other's")
        return put(*args)

    monkeypatch.setattr(store, "put", be_overtaken)
    one.set("k", "one's")  # its version is older, but it arrived in Redis last
    wait_until(lambda: other.get("k") == "one's")
    assert one.get("k") == "one's"


def test_one_that_first_hears_after_an_outage_believes_nothing_from_before(real_redis, make_cache, namespace, tmp_path):
    other = make_cache(real_redis.url, tmp_path / "d")
    other.set("k", "old")
    with RedisFaults(real_redis.url) as faults:
        faults.reset()
        with SmartCache(faults.url, tmp_path / "d", namespace=namespace, memory_seconds=3600) as cache:
            assert cache.get("k") == "old"
            other.set("k", "new")
            assert cache.get("k") == "old"
            faults.heal()
            wait_until(lambda: cache.get_stats()["redis_listening"])
            wait_until(lambda: cache.get("k") == "new")


def test_a_forked_child_and_its_parent_hear_of_each_others_changes(pair):
    cache, _ = pair
    cache.set("of parent", "old")
    cache.set("of child", "old")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            assert cache.get("of parent") == "old"
            wait_until(lambda: cache.get_stats()["redis_listening"])
            assert cache.get("of parent") == "old"
            os.write(writing, b"!")
            wait_until(lambda: cache.get("of parent") == "new")
            cache.set("of child", "new")
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked copy of pytest must not go on
            os._exit(1)
    assert os.read(reading, 1) == b"!"
    cache.set("of parent", "new")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    wait_until(lambda: cache.get("of child") == "new")
    os.close(reading)
    os.close(writing)


def test_a_message_of_another_version_drops_all_of_memory(pair, client, namespace):
    _, other = pair
    other.set("k", 1)
    client.publish(f"{namespace}#changes", b"\xc1 what is this")
    wait_until(lambda: other.get_stats()["memory_items"] == 0)


@pytest.mark.parametrize("name", ["k", "", "\ud800", "é" * 100])
def test_any_key_can_be_in_a_message(name):
    message = Message(b"s" * 16, "keys", 2**53, 7, (name, "x"))
    assert from_bytes(to_bytes(message)) == message


def test_a_copy_upward_that_raced_with_another_process_does_not_win(pair, monkeypatch):
    one, other = pair
    forget_memory(other)
    read = store_of(other, "redis").get

    def be_overtaken(key: str) -> bytes | None:
        blob = read(key)
        monkeypatch.undo()
        heard = core_of(other).stripes.of("k").remote_changes
        one.set("k", "new")
        wait_until(lambda: core_of(other).stripes.of("k").remote_changes > heard)
        return blob

    monkeypatch.setattr(store_of(other, "redis"), "get", be_overtaken)
    assert other.get("k") == "old"
    assert other.get("k") == "new"


def test_a_copy_from_the_disk_does_not_bring_back_what_another_process_deleted(pair, monkeypatch):
    one, other = pair
    forget_memory(other)
    store_of(other, "redis").discard("k")  # like a server that is short of memory
    read = store_of(other, "disk").get

    def be_overtaken(key: str) -> bytes | None:
        blob = read(key)
        monkeypatch.undo()
        one.delete("k")
        return blob

    monkeypatch.setattr(store_of(other, "disk"), "get", be_overtaken)
    assert other.get("k") == "old"
    for cache in (one, other):
        forget_memory(cache)
        assert cache.get("k") is None


WRITES = {
    "set": lambda cache: cache.set("new", "outdated", tags=["t"]),
    "set_many": lambda cache: cache.set_many({"new": "outdated"}, tags=["t"]),
    "get_or_set": lambda cache: cache.get_or_set("new", lambda: "outdated", tags=["t"]),
    "cached_many": lambda cache: cached_many(cache=cache, key_prefix="new", tags=["t"])(
        lambda names: dict.fromkeys(names, "outdated")
    )(["x"]),
}


@pytest.mark.parametrize(
    "change",
    [lambda cache: cache.invalidate("n*"), lambda cache: cache.invalidate_tag("t"), lambda cache: cache.clear()],
    ids=["invalidate", "tag", "clear"],
)
@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_what_another_process_invalidates_before_memory_takes_it_is_not_kept(pair, monkeypatch, write, change):
    one, other = pair
    memory = core_of(other).memory
    hold = memory.hold

    def be_overtaken(*args, **options) -> bool:
        monkeypatch.undo()
        heard = core_of(other).stripes.of("later").remote_changes
        change(one)
        one.delete("later")  # messages arrive in order, so the change has been applied once this one is counted
        wait_until(lambda: core_of(other).stripes.of("later").remote_changes >= heard + 2)
        return hold(*args, **options)

    monkeypatch.setattr(memory, "hold", be_overtaken)
    write(other)
    assert set(memory.entries) <= {"k", "j"}


READS = {
    "get": lambda cache: cache.get("k"),
    "lookup": lambda cache: cache.lookup("k"),
    "get_many": lambda cache: cache.get_many(["k", "absent"]),
}


@pytest.mark.parametrize("is_at_second_hand", [False, True])
@pytest.mark.parametrize("memory_items", [0, 100])
@pytest.mark.parametrize("read", READS.values(), ids=list(READS))
def test_a_write_after_a_read_has_the_later_version_even_if_the_writers_clock_is_behind(
    make_cache, real_redis, client, namespace, wall_clock, read, memory_items, is_at_second_hand
):
    behind = make_cache(real_redis.url, wall_clock=wall_clock, memory_items=memory_items)
    stop_listening(behind)  # it would learn the version from the message, too
    writer = make_cache(real_redis.url, wall_clock=Clock(wall_clock() + 100))
    if is_at_second_hand:
        writer.set("x", "of the future")
        writer = make_cache(real_redis.url, wall_clock=wall_clock)
        assert writer.get("x")
    writer.set("k", "old")
    version = version_of(client.get(f"{namespace}:k"))
    assert read(behind)
    behind.set("k", "new")
    assert version_of(client.get(f"{namespace}:k")) > version


def test_memory_is_believed_no_longer_than_its_maximum_age(make_cache, real_redis, clock):
    cache = make_cache(real_redis.url, clock=clock, memory_seconds=60)
    cache.set("k", "v", ttl=1000)
    hits = cache.get_stats()["redis_hits"]
    clock.advance(59)
    assert cache.get("k") == "v"
    assert cache.get_stats()["redis_hits"] == hits
    clock.advance(2)
    assert cache.get("k") == "v"
    assert cache.get_stats()["redis_hits"] == hits + 1


def test_what_is_gone_below_is_gone_once_memory_has_reached_its_maximum_age(
    make_cache, real_redis, client, namespace, clock
):
    cache = make_cache(real_redis.url, clock=clock, memory_seconds=60)
    cache.set("k", "v", ttl=1000)
    client.delete(f"{namespace}:k")  # as a server does that is short of memory
    clock.advance(59)
    assert cache.get("k") == "v"
    clock.advance(2)
    assert cache.get("k") is None


def test_a_lost_subscription_drops_memory_and_is_made_anew(pair, real_redis):
    import redis

    one, other = pair
    client = redis.Redis.from_url(real_redis.url)
    numbers = [entry["id"] for entry in client.client_list(_type="pubsub")]
    assert len(numbers) >= 2
    for number in numbers:
        client.client_kill_filter(_id=number)
    wait_until(lambda: not other.get_stats()["memory_items"])
    wait_until(lambda: other.get_stats()["redis_listening"] and one.get_stats()["redis_listening"])
    assert other.get("k") == "old"
    one.set("k", "new")
    wait_until(lambda: other.get("k") == "new")
    client.close()


def test_closing_ends_the_wait_for_a_message(make_cache, real_redis, monkeypatch):
    monkeypatch.setattr("jarvisperf.cache.redis_tier.pubsub._LISTEN_SECONDS", 1000.0)
    others = set(threading.enumerate())
    cache = make_cache(real_redis.url)
    wait_until(lambda: cache.get_stats()["redis_listening"])
    (listener,) = (thread for thread in set(threading.enumerate()) - others if thread.name == "jarvisperf-listener")
    cache.close()
    wait_until(lambda: not listener.is_alive())


def test_values_never_travel_in_messages(pair, real_redis, namespace):
    import redis

    one, _ = pair
    client = redis.Redis.from_url(real_redis.url)
    listener = client.pubsub()
    listener.subscribe(f"{namespace}#changes")
    one.set("k", "a secret of mine")
    while (message := listener.get_message(timeout=SOON_SECONDS))["type"] != "message":
        pass
    assert b"k" in message["data"]
    assert b"secret" not in message["data"]
    listener.close()
    client.close()


@pytest.mark.parametrize(
    "change",
    [lambda cache: cache.clear(), lambda cache: cache.invalidate("k*"), lambda cache: cache.set("k", "of another")],
    ids=["clear", "invalidate", "set"],
)
@pytest.mark.parametrize("databases", [(0, 1), (2, 0), (1, 2)])
def test_a_change_in_one_database_does_not_concern_another(make_cache, own_redis, databases, change):
    one, other = (make_cache(f"{own_redis.url}?db={database}") for database in databases)
    third = make_cache(f"{own_redis.url}?db={databases[1]}")
    wait_until(lambda: all(cache.get_stats()["redis_listening"] for cache in (one, other, third)))
    one.set("k", "kept")
    change(other)
    other.set("k", "elsewhere")
    wait_until(lambda: third.get("k") == "elsewhere")  # whatever was published has arrived
    forget_memory(third)
    assert one.get_stats()["memory_items"] == 1
    assert one.get("k") == "kept"
    forget_memory(one)
    assert one.get("k") == "kept"
