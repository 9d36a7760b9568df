"""Tests the Redis tier: its own entries, and how it treats foreign ones."""

from __future__ import annotations

import pytest

from jarvisperf.cache.redis_tier.connection.url import check_redis_url, without_password
from jarvisperf.cache.testing import forget_memory, tier_of
from jarvisperf.cache.values.envelopes.envelope import version_of
from jarvisperf.cache.values.envelopes.marks import tombstone


@pytest.fixture
def cache(make_cache, real_redis):
    """A cache whose reads always come from Redis."""
    return make_cache(real_redis.url, None, memory_items=0)


def test_an_entry_stands_under_its_namespace_and_expires_in_redis_too(cache, client, namespace):
    cache.set("k", "v", ttl=100)
    assert 90_000 < client.pttl(f"{namespace}:k") <= 100_000
    cache.set("k", "v", ttl=float("inf"))
    assert client.pttl(f"{namespace}:k") == -1


def test_a_deletion_is_newer_than_the_value_that_it_deletes(cache, client, namespace):
    cache.set("k", "v")
    version = version_of(client.get(f"{namespace}:k"))
    tier_of(cache, "redis").delete_many(["k"])
    assert client.get(f"{namespace}:k") > tombstone(version)  # both begin alike, and the version follows


@pytest.mark.parametrize("blob", [b"", b"rubbish", b"JPC\x01" + bytes(60), b"\x80\x04N."])
def test_a_corrupt_entry_is_a_miss_is_counted_and_is_removed(cache, client, namespace, blob):
    client.set(f"{namespace}:k", blob)
    assert cache.get("k", "nothing") == "nothing"
    assert cache.get_stats()["corrupt"] == 1
    assert not client.exists(f"{namespace}:k")


def test_every_entry_with_a_changed_byte_is_a_miss(cache, client, namespace):
    cache.set("k", ["value"])
    blob = client.get(f"{namespace}:k")
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 0x41
        client.set(f"{namespace}:k", bytes(changed))
        assert cache.get("k") is None
    assert cache.get_stats()["corrupt"] == len(blob)
    assert cache.get_stats()["errors"] == 0


def test_the_entry_of_another_key_is_a_miss(cache, client, namespace):
    cache.set("a", "of a")
    client.copy(f"{namespace}:a", f"{namespace}:b")
    assert cache.get("b") is None
    assert cache.get_stats()["corrupt"] == 1


def test_something_that_is_no_string_is_a_miss_and_not_an_outage(cache, client, namespace):
    client.rpush(f"{namespace}:k", "a list")
    assert cache.get("k") is None
    assert cache.get_stats()["corrupt"] == 1
    assert cache.get_stats()["redis_available"]
    cache.set("k", 1)
    assert cache.get("k") == 1


def test_clear_leaves_what_others_keep_in_the_same_database(cache, client, namespace):
    others = [f"{namespace}x:k", f"x{namespace}:k", namespace, f"{namespace}-other"]
    for name in others:
        client.set(name, "theirs")
    cache.set("k", 1)
    cache.clear()
    assert [client.get(name) for name in others] == [b"theirs"] * len(others)
    assert not client.exists(f"{namespace}:k")
    client.delete(*others)


def test_to_clear_what_is_empty_is_no_outage(cache, client):
    client.set("another's", 1)
    cache.clear()
    assert cache.get_stats()["redis_errors"] == 0
    assert cache.get_stats()["redis_available"]


def test_a_namespace_with_wildcards_is_literal(make_cache, real_redis, client):
    client.set("test-anything:k", "theirs")
    cache = make_cache(real_redis.url, None, namespace="test-*")
    cache.set("k", 1)
    assert cache.invalidate("*") == 1
    assert client.get("test-anything:k") == b"theirs"
    client.delete("test-anything:k")


def test_two_caches_share_values_through_redis(make_cache, real_redis):
    one, other = make_cache(real_redis.url), make_cache(real_redis.url)
    one.set("k", {"a": (1, 2)})
    assert other.get("k") == {"a": (1, 2)}
    assert other.get_stats()["redis_hits"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "rediss://user:pw@h:1/2?x=y",
        "unix:///tmp/r.sock?db=1",
        "redis://[::1]:1",
    ],
)
def test_the_allowed_forms_of_a_url(url):
    assert check_redis_url(url) == url


def test_a_url_is_a_str():
    with pytest.raises(TypeError, match="a Redis URL is a str, not bytes"):
        check_redis_url(b"redis://localhost")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:secret@h:1/2", "redis://u:***@h:1/2"),
        ("redis://:secret@h", "redis://:***@h"),
        ("redis://h:1", "redis://h:1"),
        ("redis://[bad", "redis://[bad"),
        ("redis://[::1]:1/0", "redis://[::1]:1/0"),
        ("redis://u:secret@[bad", "redis://u:***@[bad"),
        ("redis://u:sec/ret@h", "redis://u:***@h"),
        ("u:secret@h", "u:***@h"),
        ("redis://h?db=1&password=secret&db=2", "redis://h?db=1&password=***&db=2"),
    ],
)
def test_a_password_is_not_shown(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize("memory_items", [0, 10])
def test_a_large_array_from_redis_is_the_callers_own(make_cache, real_redis, memory_items):
    numpy = pytest.importorskip("numpy")
    cache = make_cache(real_redis.url, None, memory_items=memory_items)
    array = numpy.arange(2**17, dtype="f4").reshape(2, -1)
    cache.set("k", array)
    for _ in range(2):
        forget_memory(cache)
        for _ in range(2):
            found = cache.get("k")
            assert numpy.array_equal(found, array)
            assert found.flags.writeable
            found += 1
