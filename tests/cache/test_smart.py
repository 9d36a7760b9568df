"""Tests SmartCache: three tiers behind one interface."""

from __future__ import annotations

import math
import sys
import threading
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvisperf.cache import Found, SmartCache, cached_many
from jarvisperf.cache.keys.pattern import KeyPattern
from jarvisperf.cache.testing import core_of, forget_memory, store_of, tier_of

ABSENT = object()


@pytest.fixture(params=["memory", "redis", "disk", "redis+disk"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    """Caches of every configuration."""
    url = request.getfixturevalue("real_redis").url if "redis" in request.param else None
    return make_cache(url, tmp_path / "disk" if "disk" in request.param else None)


@pytest.fixture
def three(make_cache, real_redis, tmp_path, clock, wall_clock) -> SmartCache:
    """All tiers, with a clock that the test controls."""
    return make_cache(real_redis.url, tmp_path / "disk", clock=clock, wall_clock=wall_clock)


def counts(cache: SmartCache) -> tuple[int, int, int, int]:
    stats = cache.get_stats()
    return stats["memory_hits"], stats["redis_hits"], stats["disk_hits"], stats["misses"]


def empty_redis(cache) -> None:
    """Remove the values from Redis without the cache's knowledge; its own ``clear`` would also clear the disk."""
    store = store_of(cache, "redis")
    for key in core_of(cache).keys(KeyPattern("*")):
        name = store._names.name(key)
        store.link.call(name, "UNLINK", name)


def empty(cache, tier: str) -> None:
    if tier == "memory":
        forget_memory(cache)
    else:
        empty_redis(cache)


def test_what_was_set_is_got(cache):
    assert cache.set("k", {"a": (1, 2)})
    assert cache.get("k") == {"a": (1, 2)}


def test_a_miss_is_none_or_the_default(cache):
    assert cache.get("k") is None
    assert cache.get("k", "default") == "default"
    assert cache.get("k", default=0) == 0


def test_none_is_a_value_like_any_other(cache):
    cache.set("k", None)
    assert cache.get("k", ABSENT) is None
    assert "k" in cache


def test_delete_says_whether_there_was_something(cache):
    cache.set("k", 1)
    assert cache.delete("k") is True
    assert cache.delete("k") is False
    assert "k" not in cache


def test_invalidate_removes_what_matches_and_counts_it(cache):
    for key in ["user:1", "user:2", "user*", "other"]:
        cache.set(key, 1)
    assert cache.invalidate("user:?") == 2
    assert cache.invalidate("user[*]") == 1
    assert cache.invalidate("nothing:*") == 0
    assert [key for key in ["user:1", "user:2", "user*", "other"] if key in cache] == ["other"]


def test_clear_empties_this_namespace_only(cache, make_cache, real_redis, tmp_path):
    neighbour = make_cache(
        real_redis.url, tmp_path / "disk", namespace="neighbour-of-" + core_of(cache).names.prefix[:-1].decode()
    )
    neighbour.set("k", "mine")
    cache.set("k", 1)
    cache.clear()
    assert cache.get("k") is None
    forget_memory(neighbour)
    assert neighbour.get("k") == "mine"
    neighbour.clear()


AWKWARD = [
    None, True, 0, 2**70, math.inf, 1j, "", "\ud800", b"\0", [], (), {}, {1: {(2,): {3}}}, frozenset([1]),
    datetime(2024, 1, 1, tzinfo=UTC),
]  # fmt: skip


@pytest.mark.parametrize("memory_items", [0, 10])
@pytest.mark.parametrize("value", AWKWARD, ids=ascii)
def test_a_value_comes_back_equal_and_of_the_same_type_from_every_tier(
    make_cache, real_redis, tmp_path, value, memory_items
):
    for url, folder in [(None, tmp_path / "disk"), (real_redis.url, None)]:
        cache = make_cache(url, folder, memory_items=memory_items)
        cache.set("k", value)
        back = cache.get("k", ABSENT)
        assert back == value
        assert type(back) is type(value)


def test_changing_a_value_after_set_or_get_changes_nothing(cache):
    value = {"rows": [1, 2], "array": np.zeros(2)}
    cache.set("k", value)
    value["rows"].append(3)
    value["array"][0] = 9
    first = cache.get("k")
    first["rows"].append(4)
    first["array"][0] = 9
    second = cache.get("k")
    assert second["rows"] == [1, 2]
    assert second["array"].tolist() == [0, 0]


def test_an_immutable_value_is_given_from_memory_without_a_copy(make_cache):
    cache = make_cache()
    text = "x" * 1000
    cache.set("k", text)
    assert cache.get("k") is text


def test_lookup_says_which_tier_had_the_value(three):
    assert three.lookup("k") is None
    three.set("k", [1])
    assert three.lookup("k") == Found([1], "memory")
    forget_memory(three)
    assert three.lookup("k") == Found([1], "redis")
    forget_memory(three)
    empty_redis(three)
    assert three.lookup("k") == Found([1], "disk")
    assert counts(three) == (1, 1, 1, 1)


@pytest.mark.parametrize("tier", ["redis", "disk"])
def test_lookup_names_the_tier_of_a_cache_without_memory(make_cache, real_redis, tmp_path, tier):
    cache = (
        make_cache(real_redis.url, None, memory_items=0)
        if tier == "redis"
        else make_cache(None, tmp_path / "d", memory_items=0)
    )
    cache.set("plain", None)
    cache.set("with tags", None, tags=["t"])
    assert cache.lookup("plain") == cache.lookup("with tags") == Found(None, tier)
    assert cache.lookup("absent") is None


@pytest.mark.parametrize(("key", "error"), [(1, TypeError), ("", ValueError), ([], TypeError)])
def test_lookup_takes_what_get_takes(cache, key, error):
    with pytest.raises(error):
        cache.lookup(key)


def test_the_tiers_are_asked_in_order_and_a_hit_is_copied_upward(three):
    three.set("k", "v")
    assert three.get("k") == "v"
    assert counts(three) == (1, 0, 0, 0)
    forget_memory(three)
    assert three.get("k") == "v"
    assert counts(three) == (1, 1, 0, 0)
    assert three.get("k") == "v"
    assert counts(three) == (2, 1, 0, 0)
    forget_memory(three)
    empty_redis(three)
    assert three.get("k") == "v"
    assert counts(three) == (2, 1, 1, 0)
    forget_memory(three)
    assert three.get("k") == "v"
    assert counts(three) == (2, 2, 1, 0)


def test_each_tier_that_was_asked_in_vain_counts_a_miss(three, clock, wall_clock):
    assert three.get("nothing") is None
    assert [three.get_stats()[f"{tier}_misses"] for tier in ("memory", "redis", "disk")] == [1, 1, 1]
    three.set("k", "v", ttl=10)
    for each in (clock, wall_clock):
        each.advance(11)
    assert three.get("k") is None  # the tiers below still have it, by their own clocks
    assert [three.get_stats()[f"{tier}_misses"] for tier in ("memory", "redis", "disk")] == [2, 2, 2]


def test_without_memory_a_hit_on_disk_is_copied_to_redis(make_cache, real_redis, tmp_path):
    cache = make_cache(real_redis.url, tmp_path / "disk", memory_items=0)
    cache.set("k", "v")
    empty_redis(cache)
    assert [cache.get("k"), cache.get("k")] == ["v", "v"]
    assert counts(cache) == (0, 1, 1, 0)


@pytest.mark.parametrize("tiers", ["redis", "disk"])
def test_without_memory_the_hits_of_a_single_tier_are_counted(make_cache, real_redis, tmp_path, tiers):
    cache = (
        make_cache(real_redis.url, memory_items=0) if tiers == "redis" else make_cache(None, tmp_path, memory_items=0)
    )
    cache.set("k", "v")
    assert [cache.get("k"), cache.get("k"), cache.get("other")] == ["v", "v", None]
    assert counts(cache) == ((0, 2, 0, 1) if tiers == "redis" else (0, 0, 2, 1))


def test_what_was_read_from_below_lives_no_longer_than_what_was_left(three, clock, wall_clock):
    three.set("k", [1], ttl=100)
    forget_memory(three)
    empty_redis(three)
    for passed in (60, 39.9):
        clock.advance(passed)
        wall_clock.advance(passed)
        assert three.get("k") == [1]
    for each in (clock, wall_clock):
        each.advance(0.1)
    assert three.get("k") is None


@pytest.mark.parametrize("emptied", [[], ["memory"], ["memory", "remote"]])
def test_an_entry_expires_at_the_same_time_in_all_tiers(three, clock, wall_clock, emptied):
    three.set("k", "v", ttl=50)
    for tier in emptied:
        empty(three, tier)
    clock.advance(49.9)
    wall_clock.advance(49.9)
    assert three.get("k") == "v"
    for tier in emptied:
        empty(three, tier)
    clock.advance(0.1)
    wall_clock.advance(0.1)
    assert three.get("k") is None


def test_a_wall_clock_that_jumps_neither_ends_nor_prolongs_an_entry_in_memory(three, clock, wall_clock):
    three.set("k", "v", ttl=10)
    wall_clock.advance(1e6)
    assert three.get("k") == "v"
    wall_clock.advance(-2e6)
    clock.advance(10)
    empty_redis(three)
    tier_of(three, "disk").clear()
    assert three.get("k") is None


def test_a_wall_clock_that_was_set_back_does_not_prolong_what_comes_from_below(three, clock, wall_clock):
    three.set("k", "v", ttl=10)
    forget_memory(three)
    wall_clock.advance(-1e6)
    assert three.get("k") == "v"
    clock.advance(10)
    empty_redis(three)
    tier_of(three, "disk").clear()
    assert three.get("k") is None


def test_without_a_ttl_the_default_holds(make_cache, clock):
    cache = make_cache(default_ttl=7, clock=clock)
    cache.set("k", 1)
    clock.advance(6.9)
    assert cache.get("k") == 1
    clock.advance(0.1)
    assert cache.get("k") is None


def test_infinity_is_for_ever(three, clock, wall_clock):
    three.set("k", 1, ttl=math.inf)
    clock.advance(1e9)
    wall_clock.advance(1e9)
    assert three.get("k") == 1
    forget_memory(three)
    assert three.get("k") == 1


def test_what_never_expires_is_copied_from_the_disk_to_redis_and_memory(three):
    three.set("k", 1, ttl=math.inf)
    empty_redis(three)
    forget_memory(three)
    assert (three.get("k"), three.ttl("k")) == (1, math.inf)
    forget_memory(three)
    assert (three.get("k"), counts(three)) == (1, (1, 1, 1, 0))


def test_a_ttl_of_0_keeps_nothing_and_removes_the_older_value(cache):
    cache.set("k", "old")
    assert cache.set("k", "new", ttl=0) is False
    assert cache.get("k") is None


@given(st.floats(1e-3, 1e9), st.floats(0, 2e9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_entry_is_there_until_its_time_is_over(ttl, passed):
    now = 0.0
    cache = SmartCache(None, None, clock=lambda: now)
    cache.set("k", 1, ttl=ttl)
    now = passed
    assert cache.get("k") == (1 if passed < ttl else None)


def test_a_hit_in_memory_sends_nothing_to_redis(three, monkeypatch):
    three.set("k", [1])
    monkeypatch.setattr(store_of(three, "redis"), "get", None)
    assert three.get("k") == [1]


def test_memory_is_bounded(make_cache):
    cache = make_cache(memory_items=5)
    for number in range(20):
        cache.set(f"k{number}", number)
    stats = cache.get_stats()
    assert (stats["memory_items"], stats["memory_evictions"], stats["sets"]) == (5, 15, 20)


def test_what_memory_had_to_give_up_is_found_below(make_cache, tmp_path):
    cache = make_cache(None, tmp_path / "disk", memory_items=5)
    for number in range(20):
        cache.set(f"k{number}", number)
    assert [cache.get(f"k{number}") for number in range(20)] == list(range(20))


@pytest.mark.parametrize("call", ["get", "set", "delete", "in"])
@pytest.mark.parametrize(
    ("key", "error"),
    [("", ValueError), (None, TypeError), (1, TypeError), (b"k", TypeError), (("k",), TypeError), (["k"], TypeError)],
    ids=repr,
)
def test_a_wrong_key_is_an_error_that_shows_it(make_cache, call, key, error):
    cache = make_cache()
    calls = {
        "get": lambda: cache.get(key),
        "set": lambda: cache.set(key, 1),
        "delete": lambda: cache.delete(key),
        "in": lambda: key in cache,
    }
    with pytest.raises(error, match="give a str") as caught:
        calls[call]()
    assert repr(key) in str(caught.value)


@pytest.mark.parametrize(("pattern", "error"), [("", ValueError), (None, TypeError), (b"*", TypeError)])
def test_a_wrong_pattern_is_an_error(make_cache, pattern, error):
    with pytest.raises(error, match="pattern is"):
        make_cache().invalidate(pattern)


@pytest.mark.parametrize(
    ("ttl", "error"), [(-1, ValueError), (math.nan, ValueError), (True, TypeError), ("60", TypeError)]
)
def test_a_wrong_ttl_is_an_error_and_leaves_the_old_value(cache, ttl, error):
    cache.set("k", "old")
    with pytest.raises(error, match="ttl is"):
        cache.set("k", "new", ttl=ttl)
    assert cache.get("k") == "old"


class Foo:
    pass


def test_a_value_that_cannot_be_encoded_is_an_error_that_names_the_part_and_leaves_the_old_value(cache):
    cache.set("k", "old")
    with pytest.raises(TypeError) as caught:
        cache.set("k", {"rows": [1, 2, 3, Foo()]})
    advice = "register_codec(Foo, encode, decode) makes it possible"
    assert str(caught.value) == f"value['rows'][3]: object of type Foo cannot be cached; {advice}"
    assert cache.get("k") == "old"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default_ttl": 0}, "default_ttl is 0: give a number of seconds above 0"),
        ({"default_ttl": None}, "default_ttl is None"),
        ({"default_ttl": -5}, "default_ttl is -5"),
        ({"default_ttl": "1h"}, "default_ttl is '1h'"),
        ({"namespace": ""}, "namespace is ''"),
        ({"namespace": 5}, "namespace is 5: give a str, not int"),
        ({"folder": ""}, "local_cache_dir is '': give a folder"),
        ({"folder": 5}, "local_cache_dir is 5: give a folder, or None"),
        ({"namespace": "a:b"}, "namespace is 'a:b': give a word without ':'"),
        ({"memory_items": -1}, "memory_items is -1: give at least 0"),
        ({"memory_items": 1.5}, "memory_items is 1.5: give a whole number"),
        ({"disk_bytes": 0}, "disk_bytes is 0: give at least 1"),
        ({"redis_reply_seconds": 0}, "redis_reply_seconds is 0: give a number of seconds above 0"),
        ({"redis_connect_seconds": math.nan}, "redis_connect_seconds is nan"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(make_cache, options, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        make_cache(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://localhost", "redis://", "redis://h:x", "redis://h:99999", "redis://h/db", "unix://", ""],
)
def test_a_malformed_redis_url_is_an_error_at_once(url):
    with pytest.raises(ValueError, match=r"Redis URL .* give redis://host:port\[/db\], rediss://.* or unix:///path"):
        SmartCache(url, None)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h/0?foo=bar", r"\?foo=bar' has an unsuitable option, 'foo'"),
        ("redis://h?db=abc", r"\?db=abc' has an unsuitable option, 'db'"),
        ("unix:///r.sock?socket_timeout=abc", r"\?socket_timeout=abc' has an unsuitable option"),
        ("redis://h?protocol=9", r"\?protocol=9' is rejected by the Redis client \(protocol must be"),
        ("redis://h?decode_responses=true", "has the option 'decode_responses', which the cache sets itself"),
        ("unix:///r.sock?encoding=utf-16", "has the option 'encoding', which"),
        ("redis://h?encoding_errors=strict", "has the option 'encoding_errors', which"),
        ("redis://h?retry=5", "has the option 'retry', which"),
        ("REDIS://h", "'REDIS://h' has an unknown scheme"),
        (" redis://h", "' redis://h' contains white space"),
        ("redis://h\n", "contains white space"),
        ("redis://my host", "'redis://my host' contains white space"),
    ],
)
def test_a_url_that_the_redis_client_would_stumble_over_is_an_error_at_once(url, message):
    with pytest.raises(ValueError, match=f"Redis URL .*{message}.*: give redis://host:port"):
        SmartCache(url, None)


def test_a_socket_may_have_a_blank_in_its_path():
    with SmartCache("unix:///no such folder/redis.sock", None) as cache:
        assert not cache.get_stats()["redis_available"]


def test_a_password_that_breaks_the_url_is_not_shown():
    with pytest.raises(ValueError, match=r"user:\*\*\*@host") as caught:
        SmartCache("redis://user:sec/ret@host", None)
    assert "sec" not in str(caught.value)


def test_a_password_in_a_malformed_url_is_not_shown():
    with pytest.raises(ValueError, match=r"user:\*\*\*@host") as caught:
        SmartCache("redis://user:secret@host/x", None)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("tier", ["redis", "disk"])
def test_each_tier_counts_what_was_written_to_it(make_cache, real_redis, tmp_path, tier):
    cache = make_cache(real_redis.url, tmp_path)
    cache.set("a", 1)
    cache.set_many({"b": 2, "c": 3})
    cache.get_or_set("d", lambda: 4)
    cached_many(cache=cache, key_prefix="e")(lambda names: dict.fromkeys(names, 5))(["x", "y"])
    assert cache.get_stats()["tiers"][tier]["sets"] == 6


def test_statistics_begin_at_nothing(make_cache):
    stats = make_cache().get_stats()
    counts = [stats, *stats["tiers"].values()]
    assert not any(value for each in counts for value in each.values() if isinstance(value, int | float))


def test_statistics_add_up(cache):
    for key in ["a", "b"]:
        cache.set(key, [key])
    for key in ["a", "a", "b", "c"]:
        cache.get(key)
    stats = cache.get_stats()
    assert (stats["hits"], stats["misses"], stats["hit_rate"], stats["sets"]) == (3, 1, 0.75, 2)
    assert stats["memory_hits"] == 3
    assert stats["memory_misses"] == 1
    assert stats["errors"] == stats["corrupt"] == 0


@pytest.mark.parametrize("many", [False, True], ids=["get", "get_many"])
def test_a_read_that_memory_had_to_leave_to_a_lower_tier_is_a_miss_of_memory(make_cache, tmp_path, clock, many):
    cache = make_cache(None, tmp_path / "d", clock=clock, memory_seconds=10)
    cache.set("k", 1)
    for seconds in (1, 10):  # in memory, but too old to be trusted without asking the tiers below
        clock.advance(seconds)
        assert cache.get_many(["k"]) == {"k": 1} if many else cache.get("k") == 1
    stats = cache.get_stats()
    assert (stats["memory_hits"], stats["memory_misses"], stats["disk_hits"], stats["misses"]) == (1, 1, 1, 0)


@pytest.mark.parametrize("many", [False, True], ids=["get", "get_many"])
def test_a_read_that_only_memory_could_answer_is_none(make_cache, tmp_path, clock, many, monkeypatch):
    cache = make_cache(None, tmp_path / "d", clock=clock, memory_seconds=10)
    cache.set("k", 1)
    clock.advance(10)

    def fail(*_: object) -> None:
        raise OSError("as if")

    for method in ("open", "get", "get_many"):
        monkeypatch.setattr(store_of(cache, "disk"), method, fail)
    assert cache.get_many(["k"]) == {"k": 1} if many else cache.get("k") == 1
    stats = cache.get_stats()
    assert (stats["memory_hits"], stats["memory_misses"], stats["disk_hits"], stats["misses"]) == (1, 0, 0, 0)


@pytest.mark.parametrize("many", [False, True], ids=["set", "set_many"])
@pytest.mark.parametrize("value_bytes", [100, 2**16])
@pytest.mark.parametrize("memory_bytes", [0, 2**12, 2**20])
@pytest.mark.parametrize("disk_bytes", [None, 2**17, 2**20])
def test_set_says_whether_a_tier_holds_the_value(make_cache, tmp_path, many, value_bytes, memory_bytes, disk_bytes):
    options = {} if disk_bytes is None else {"folder": tmp_path / "d", "disk_bytes": disk_bytes}
    cache = make_cache(memory_bytes=memory_bytes, **options)
    value = "x" * value_bytes
    said = cache.set_many({"k": value}) if many else cache.set("k", value)
    assert said == ("k" in cache)


@pytest.mark.parametrize(("redis_bytes", "disk_bytes"), [(100, 2**17), (2**20, 2**17), (100, 2**20), (2**20, 2**20)])
def test_set_says_whether_redis_or_the_disk_holds_the_value(make_cache, real_redis, tmp_path, redis_bytes, disk_bytes):
    cache = make_cache(
        real_redis.url, tmp_path / "d", memory_items=0, max_value_bytes=redis_bytes, disk_bytes=disk_bytes
    )
    assert cache.set("k", "x" * 2**16) == ("k" in cache) == ((redis_bytes, disk_bytes) != (100, 2**17))


def test_set_many_says_whether_a_tier_holds_all(make_cache, tmp_path):
    cache = make_cache(None, tmp_path / "d", memory_bytes=2**13, disk_bytes=2**19)
    small, for_disk, for_none = "x", "x" * 2**14, "x" * 2**18
    assert cache.set_many({"a": small, "b": small})
    assert cache.set_many({"a": small, "c": for_disk})
    assert not cache.set_many({"a": small, "d": for_none})
    assert cache.get_stats()["tiers"]["disk"]["sets"] == 5


@pytest.mark.parametrize("tiers", ["memory", "disk"])
def test_the_share_of_redis_hits_can_be_reckoned_without_redis(make_cache, tmp_path, tiers):
    cache = make_cache(None, tmp_path / "d" if tiers == "disk" else None)
    cache.set("k", 1)
    for key in ["k", "absent", "other"]:
        cache.get(key)
    stats = cache.get_stats()
    assert stats["redis_hits"] / (stats["redis_hits"] + stats["redis_misses"]) == 0
    assert stats["redis_misses"] == stats["memory_misses"] == 2


def test_statistics_tell_which_tiers_there_are(make_cache, real_redis, tmp_path):
    assert make_cache(real_redis.url, None).get_stats()["redis_available"] is True
    assert make_cache(real_redis.url, None).get_stats()["local_cache_available"] is False
    assert make_cache(None, tmp_path / "d").get_stats()["redis_available"] is False
    assert make_cache(None, tmp_path / "d").get_stats()["local_cache_available"] is True


def test_a_closed_cache_says_so(cache):
    cache.set("k", 1)
    cache.close()
    cache.close()
    for call in (
        lambda: cache.get("k"),
        lambda: cache.set("k", 1),
        lambda: cache.delete("k"),
        lambda: cache.invalidate("*"),
        cache.clear,
    ):
        with pytest.raises(RuntimeError, match="this cache is closed"):
            call()
    assert not cache.get_stats()["redis_available"]


def test_leaving_the_context_closes_it():
    with SmartCache(None, None) as cache:
        cache.set("k", 1)
    with pytest.raises(RuntimeError, match="closed"):
        cache.get("k")


def test_a_copy_upward_that_raced_with_a_delete_does_not_win(three, monkeypatch):
    three.set("k", "old")
    forget_memory(three)
    read = store_of(three, "redis").get

    def delete_meanwhile(key: str) -> bytes | None:
        blob = read(key)
        monkeypatch.undo()
        three.delete("k")
        return blob

    monkeypatch.setattr(store_of(three, "redis"), "get", delete_meanwhile)
    assert three.get("k") == "old"  # it was read before the delete
    assert three.get("k") is None


def test_a_copy_upward_that_raced_with_clear_does_not_win(three, monkeypatch):
    three.set("k", "old")
    forget_memory(three)
    empty_redis(three)
    read = store_of(three, "disk").get

    def clear_meanwhile(key: str) -> bytes | None:
        blob = read(key)
        monkeypatch.undo()
        three.clear()
        return blob

    monkeypatch.setattr(store_of(three, "disk"), "get", clear_meanwhile)
    assert three.get("k") in {"old", None}  # it was read before the clear
    assert three.get("k") is None
    forget_memory(three)
    assert three.get("k") is None


def test_threads_never_read_a_value_that_nobody_wrote(cache):
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    wrong: list[object] = []

    def work(number: int) -> None:
        for step in range(60):
            key = f"k{step % 5}"
            value = cache.get(key)
            if value is not None and value[0] != key:
                wrong.append(value)
            cache.set(key, [key, number, step])
            if step % 11 == 0:
                cache.delete(key)
            if step % 29 == 0:
                cache.invalidate("k*")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(switch)
    assert not wrong
    assert cache.get_stats()["errors"] == 0


def test_after_threads_wrote_one_key_all_tiers_agree(make_cache, real_redis, tmp_path):
    cache = make_cache(real_redis.url, tmp_path / "disk")
    threads = [
        threading.Thread(target=lambda number=number: [cache.set("k", [number, step]) for step in range(20)])
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    in_memory = cache.get("k")
    forget_memory(cache)
    in_redis = cache.get("k")
    forget_memory(cache)
    empty_redis(cache)
    assert in_memory == in_redis == cache.get("k")


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "delete", "get", "wait", "invalidate", "forget"]),
        st.sampled_from(["a", "b", "ab"]),
        st.integers(1, 5),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(OPERATIONS)
def test_the_cache_is_a_dictionary_with_a_clock(tmp_path_factory, operations):
    now = 1000.0
    folder = tmp_path_factory.mktemp("disk")
    model: dict[str, tuple[object, float]] = {}
    with SmartCache(None, folder, memory_items=2, clock=lambda: now, wall_clock=lambda: 1.7e9 + now) as cache:
        for step, (operation, key, number) in enumerate(operations):
            if operation == "set":
                cache.set(key, [step], ttl=number)
                model[key] = [step], now + number
            elif operation == "delete":
                cache.delete(key)
                model.pop(key, None)
            elif operation == "wait":
                now += number / 2
            elif operation == "invalidate":
                cache.invalidate("a*")
                model = {name: kept for name, kept in model.items() if not name.startswith("a")}
            elif operation == "forget":
                forget_memory(cache)
            for name in ["a", "b", "ab"]:
                value, deadline = model.get(name, (None, math.inf))
                assert cache.get(name) == (value if now < deadline else None)
