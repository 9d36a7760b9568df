"""Tests values that a tier rejects: they are counted and logged once, and every other key is served as before."""

from __future__ import annotations

import logging

import pytest
import redis
from patience import PATIENT
from waiting import wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import forget_memory, store_of

LARGEST = 2**20
LARGE = b"x" * (2 * LARGEST)


@pytest.fixture
def admin(own_redis):
    """A client of a server that rejects values of more than 1 MiB, as providers limit the size of a request."""
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("proto-max-bulk-len", LARGEST)
        yield client


@pytest.fixture
def fill_up(admin):
    """Make the server reject whatever needs memory."""

    def fill() -> None:
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("maxmemory", 1)

    return fill


@pytest.fixture(params=[0, 1000], ids=["no memory", "memory"])
def cache(request, make_cache, own_redis, admin):
    return make_cache(own_redis.url, memory_items=request.param)


@pytest.fixture
def reader(make_cache, own_redis):
    """Another process."""
    return make_cache(own_redis.url, memory_items=0)


def assert_only_a_value_was_rejected(cache: SmartCache, values: int = 1) -> None:
    stats = cache.get_stats()
    assert stats["redis_available"]
    assert (stats["errors"], stats["redis_unsettled"]) == (0, 0)
    assert stats["rejected"] == stats["tiers"]["redis"]["rejected"] == values


def test_a_value_that_is_too_large_for_redis_does_not_concern_other_keys(cache, reader):
    cache.set("small", "here")
    cache.set("report", LARGE)
    assert cache.get("small") == reader.get("small") == "here"
    assert cache.set("small", "still here")
    assert reader.get("small") == "still here"
    assert_only_a_value_was_rejected(cache)


def test_a_rejected_value_does_not_leave_the_old_one(cache, reader):
    cache.set("report", "old", tags=["reports"])
    assert not cache.set("report", LARGE) or cache.get("report") == LARGE
    assert reader.get("report") is None
    cache.set("report", "new")
    assert cache.get("report") == reader.get("report") == "new"


def test_the_memory_of_other_processes_forgets_the_old_value(make_cache, own_redis, admin):
    one, other = (make_cache(own_redis.url, memory_seconds=3600.0) for _ in range(2))
    wait_until(lambda: all(cache.get_stats()["redis_listening"] for cache in (one, other)))
    one.set("report", "old")
    assert other.get("report") == "old"
    one.set("report", LARGE)
    wait_until(lambda: other.get("report") is None)


def test_of_several_values_only_the_large_ones_are_rejected(cache, reader):
    values = {f"key {number}": LARGE if number in {3, 40} else number for number in range(50)}
    cache.set_many(values)
    assert reader.get_many(values) == {key: value for key, value in values.items() if value is not LARGE}
    assert_only_a_value_was_rejected(cache, 2)
    assert cache.get_stats()["tiers"]["redis"]["sets"] == 48


def test_a_computed_value_that_is_rejected_is_returned_and_its_lease_is_given_back(make_cache, own_redis, admin):
    cache, other = make_cache(own_redis.url), make_cache(own_redis.url, memory_items=0)
    assert cache.get_or_set("report", lambda: LARGE) == LARGE
    assert cache.get_or_set("report", lambda: b"") == LARGE  # from memory
    assert other.get_or_set("report", lambda: "another process computes its own at once") is not None
    assert_only_a_value_was_rejected(cache)


def test_the_disk_serves_what_redis_rejected(make_cache, own_redis, admin, tmp_path):
    cache = make_cache(own_redis.url, tmp_path)
    cache.set("report", "old")
    cache.set("report", LARGE)
    for _ in range(2):
        forget_memory(cache)
        assert cache.lookup("report") == (LARGE, "disk")
    forget_memory(cache)
    assert cache.get_many(["report", "none"]) == {"report": LARGE}
    forget_memory(cache)
    assert cache.touch("report", 5000)
    forget_memory(cache)
    assert cache.ttl("report") > 4000
    assert cache.get_stats()["redis_available"]
    assert cache.delete("report")
    assert cache.get("report") is None


def test_a_disk_with_an_older_value_does_not_serve_it_after_a_rejection(make_cache, own_redis, admin, tmp_path):
    one, other = (make_cache(own_redis.url, tmp_path / host, memory_items=0) for host in ("a", "b"))
    other.set("report", "old")
    one.set("report", LARGE)
    assert other.get("report") is None
    assert other.get_many(["report"]) == {}
    assert not other.touch("report")
    assert one.get("report") == LARGE


def test_a_rejection_is_logged_once(cache, caplog):
    for number in range(3):
        cache.set(f"report {number}", LARGE)
    [record] = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert record.getMessage().startswith("redis cache tier rejects 'report 0'; the other tiers keep it: ")
    assert_only_a_value_was_rejected(cache, 3)


def test_values_beyond_max_value_bytes_are_not_sent(make_cache, real_redis, client, namespace):
    cache = make_cache(real_redis.url, memory_items=0, max_value_bytes=1000)
    cache.set_many({"small": b"x" * 800, "large": b"x" * 1000})
    cache.set("large too", b"x" * 1000, tags=["t"])
    assert cache.get_many(["small", "large", "large too"]).keys() == {"small"}
    assert client.strlen(f"{namespace}:large") < 100
    assert_only_a_value_was_rejected(cache, 2)


@pytest.mark.parametrize("size", [0, -1])
def test_max_value_bytes_is_at_least_1(size):
    with pytest.raises(ValueError, match="max_value_bytes"):
        SmartCache(None, None, max_value_bytes=size)


def test_a_rejected_value_is_not_replayed_for_ever(faults, admin, namespace, reader):
    with SmartCache(faults.url, None, namespace=namespace, memory_items=0, **PATIENT) as cache:
        wait_until(lambda: cache.get_stats()["redis_available"])
        reader.set("report", "old")
        faults.reset()
        cache.set("small", 1)
        wait_until(lambda: not cache.get_stats()["redis_available"])
        cache.set_many({"report": LARGE, "small": 2, "other": 3})
        faults.heal()
        wait_until(lambda: cache.get_stats()["redis_available"])
        assert reader.get_many(["report", "small", "other"]) == {"small": 2, "other": 3}
        assert cache.get_stats()["rejected"] == 1


def test_a_full_server_rejects_values_and_serves_the_others(cache, reader, fill_up, tmp_path):
    cache.set_many({"old": 1, "kept": 2}, tags=["t"])
    fill_up()
    cache.set("old", "new")
    cache.set_many({"another": 1, "old": "newer"})
    assert reader.get_many(["old", "kept", "another"]) == {"kept": 2}
    assert cache.get("kept") == 2
    assert cache.get_or_set("computed", lambda: 5) == 5
    assert cache.get_stats()["redis_available"]
    assert cache.get_stats()["errors"] == 0


def test_a_full_server_still_removes(cache, reader, fill_up):
    cache.set_many({"a": 1, "b1": 1, "b2": 1, "c": 1}, tags=["all"])
    cache.set("d", 1, tags=["d"])
    fill_up()
    cache.delete("a")
    cache.invalidate("b*")
    cache.invalidate_tag("d")
    assert reader.keys() == ["c"]
    cache.clear()
    assert reader.keys() == []
    assert cache.get_stats()["redis_available"] or cache.get_stats()["redis_unsettled"]


def test_keys_that_the_user_may_not_access_do_not_concern_others(make_cache, own_redis, admin, namespace):
    admin.execute_command(
        "ACL", "SETUSER", "limited", "on", ">word", f"~{namespace}:public:*", f"~{namespace}#*", "&*", "+@all"
    )
    cache = make_cache(own_redis.url.replace("unix://", "unix://limited:word@"), memory_items=0)
    assert cache.set("public:1", 1)
    assert not cache.set("private:1", 1)
    assert cache.get("private:1") is None
    cache.set_many({"private:2": 2, "public:2": 2})
    assert cache.get_many(["private:1", "public:1", "private:2", "public:2"]) == {"public:1": 1, "public:2": 2}
    assert cache.get_or_set("private:3", lambda: 3) == 3
    assert cache.get_stats()["redis_available"]
    assert cache.get_stats()["errors"] == 0


@pytest.mark.parametrize("name", ["count", "generation"])
@pytest.mark.parametrize("content", ["a list", "a text"])
def test_foreign_content_under_the_names_of_the_cache_is_replaced(
    make_cache, own_redis, admin, namespace, name, content
):
    if content == "a list":
        admin.rpush(f"{namespace}#{name}", "x")
    else:
        admin.set(f"{namespace}#{name}", "x")
    cache = make_cache(own_redis.url, memory_items=0)
    wait_until(lambda: cache.get_stats()["redis_available"])
    assert cache.get_or_set("key", lambda: 1) == cache.get("key") == 1
    cache.invalidate("k*")
    cache.clear()
    assert cache.get("key") is None
    assert cache.get_stats()["errors"] == 0


def test_foreign_content_under_the_name_of_a_tag_is_replaced(make_cache, own_redis, admin, namespace):
    cache = make_cache(own_redis.url, memory_items=0)
    cache.set("key", 1, tags=["t"])
    [name] = admin.scan_iter(f"{namespace}#tag#*")
    admin.delete(name)
    admin.set(name, "x")
    cache.set("key", 2, tags=["t"])
    assert cache.invalidate_tag("t") == 1
    assert cache.get_stats()["errors"] == 0


@pytest.fixture
def slow_cache(faults, namespace):
    with SmartCache(faults.url, None, namespace=namespace, memory_items=0, redis_call_seconds=1.0) as cache:
        wait_until(lambda: cache.get_stats()["redis_available"])
        yield cache, faults


def test_a_transfer_that_is_too_slow_does_not_concern_other_keys(slow_cache, reader):
    cache, faults = slow_cache
    reader.set_many({"report": b"x" * 1_000_000, "small": "here"})
    faults.limit(100_000)  # bytes per second, so the value takes ten seconds
    assert cache.get("report") is None
    faults.heal()
    wait_until(lambda: cache.get("small") == "here")
    faults.limit(100_000)
    assert not cache.set("report", b"x" * 1_000_000)
    faults.heal()
    wait_until(lambda: cache.get("small") == "here")
    wait_until(lambda: cache.get_stats()["rejected"] >= 1)
    assert reader.get("report") is None


def test_the_deadline_of_a_call_grows_with_its_size(slow_cache):
    cache, faults = slow_cache
    value = b"x" * 8_000_000  # at least 4 s
    faults.limit(6_000_000)
    wait_until(lambda: cache.set("report", value))
    wait_until(lambda: cache.get("report") == value)


def test_the_disk_counts_values_that_it_does_not_take(make_cache, tmp_path):
    cache = make_cache(None, tmp_path, memory_items=0, disk_bytes=1_000_000)
    assert not cache.set("report", b"x" * 600_000)
    assert cache.set("small", 1)
    assert not cache.set_many({"report": b"x" * 600_000, "other": 1})
    stats = cache.get_stats()
    assert stats["rejected"] == stats["tiers"]["disk"]["rejected"] == 2
    assert stats["local_cache_available"]


def test_a_store_that_fails_is_not_taken_for_one_that_rejects(cache, monkeypatch):
    def fail(*_: object) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(store_of(cache, "redis").link, "call", fail)
    monkeypatch.setattr(store_of(cache, "redis").link, "many", fail)
    cache.set("report", LARGE)
    assert not cache.get_stats()["redis_available"]
    assert cache.get_stats()["rejected"] == 0
