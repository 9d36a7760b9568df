"""What every tier does, whatever lies beneath it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from jarvisperf.cache.disk_tier.store import DiskStore
from jarvisperf.cache.disk_tier.tier import DiskTier
from jarvisperf.cache.keys.names import Names
from jarvisperf.cache.keys.pattern import EVERY_KEY, KeyPattern
from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.outage.store import Write
from jarvisperf.cache.redis_tier.connect import Limits
from jarvisperf.cache.redis_tier.store import RedisStore
from jarvisperf.cache.redis_tier.tier import RemoteTier
from jarvisperf.cache.values.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jarvisperf.cache.outage.store import Tier

LONG = 1000.0
AWKWARD_KEYS = ["k", "a b", "é", "日本", "\ud800", "a*b", "a[b", "a\\b", "line\nbreak", "\0", "x" * 500, ":"]


@pytest.fixture(params=["memory", "redis", "disk"])
def make_tier(request: pytest.FixtureRequest, tmp_path) -> Iterator[Callable[[str], Tier]]:
    made: list[Tier] = []

    def make(namespace: str) -> Tier:
        names, versions = Names(namespace), Versions(time.time)
        if request.param == "memory":
            tier = MemoryTier(10_000, time.monotonic)
        elif request.param == "redis":
            url = request.getfixturevalue("real_redis").url
            store = RedisStore(url, names, Limits(30, 30, 30), versions)
            tier = RemoteTier(store, random.Random(0), versions, wait_seconds=30)
        else:
            tier = DiskTier(DiskStore(tmp_path / "disk", names, 2**30), random.Random(0), versions, None)
        made.append(tier)
        return tier

    yield make
    for tier in made:
        tier.close()


@pytest.fixture
def tier(make_tier, namespace) -> Tier:
    return make_tier(namespace)


def test_what_was_put_is_got(tier):
    assert tier.put("k", b"value", LONG)
    assert tier.get("k") == b"value"


def test_what_was_not_put_is_nothing(tier):
    assert tier.get("k") is None


def test_the_last_put_counts(tier):
    tier.put("k", b"one", LONG)
    tier.put("k", b"two", LONG)
    assert tier.get("k") == b"two"


@pytest.mark.parametrize("blob", [b"", b"\0" * 10, bytes(range(256)), b"x" * 100_000], ids=len)
def test_any_bytes_are_kept_as_they_are(tier, blob):
    tier.put("k", blob, LONG)
    assert tier.get("k") == blob


@pytest.mark.parametrize("key", AWKWARD_KEYS, ids=ascii)
def test_any_key_is_its_own(tier, key):
    tier.put(key, b"v", LONG)
    tier.put(key + "x", b"other", LONG)
    assert tier.get(key) == b"v"
    assert tier.delete(key)
    assert tier.get(key) is None
    assert tier.get(key + "x") == b"other"


def test_delete_says_whether_there_was_something(tier):
    tier.put("k", b"v", LONG)
    assert tier.delete("k")
    assert not tier.delete("k")


def test_an_entry_expires(tier):
    tier.put("short", b"v", 0.05)
    tier.put("long", b"v", LONG)
    deadline = time.monotonic() + 20
    while tier.get("short") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert tier.get("long") == b"v"


def test_what_expired_counts_as_gone(tier):
    tier.put("k", b"v", 0.001)
    time.sleep(0.05)
    assert not tier.delete("k")
    tier.put("k", b"v", 0.001)
    time.sleep(0.05)
    assert tier.invalidate(EVERY_KEY) == set()


def test_the_shortest_time_to_live_can_be_put(tier):
    assert tier.put("k", b"v", 1e-9)


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, 1e12])
def test_for_ever_can_be_put(tier, seconds):
    assert tier.put("k", b"v", seconds)
    assert tier.get("k") == b"v"


def test_putting_again_gives_a_new_time_to_live(tier):
    tier.put("k", b"v", 0.05)
    tier.put("k", b"v", LONG)
    time.sleep(0.1)
    assert tier.get("k") == b"v"


def test_invalidate_removes_what_matches_and_says_which(tier):
    for key in ["user:1", "user:2", "user", "users:1", "x:user:1"]:
        tier.put(key, b"v", LONG)
    assert tier.invalidate(KeyPattern("user:*")) == {"user:1", "user:2"}
    assert [key for key in ["user:1", "user", "users:1", "x:user:1"] if tier.get(key)] == [
        "user", "users:1", "x:user:1"
    ]  # fmt: skip


@pytest.mark.parametrize("key", AWKWARD_KEYS, ids=ascii)
def test_a_pattern_may_start_with_any_text(tier, key):
    tier.put(key + "1", b"v", LONG)
    tier.put("other", b"v", LONG)
    head = key.replace("[", "[[]").replace("*", "[*]")
    assert tier.invalidate(KeyPattern(head + "*")) == {key + "1"}


def test_a_literal_pattern_removes_one_key(tier):
    tier.put("k", b"v", LONG)
    tier.put("k2", b"v", LONG)
    assert tier.invalidate(KeyPattern("k")) == {"k"}
    assert tier.invalidate(KeyPattern("k")) == set()
    assert tier.get("k2") == b"v"


def test_thousands_of_keys_are_invalidated(tier):
    keys = {f"k{number}" for number in range(2500)}
    for key in keys:
        tier.put(key, b"v", LONG)
    tier.put("other", b"v", LONG)
    assert tier.invalidate(KeyPattern("k*")) == keys
    assert tier.get("other") == b"v"


def test_clear_leaves_other_namespaces_alone(make_tier, namespace):
    tier, other, longer = make_tier(namespace), make_tier("x" + namespace), make_tier(namespace + "x")
    for each in (tier, other, longer):
        each.put("k", b"v", LONG)
    tier.clear()
    assert tier.get("k") is None
    assert other.get("k") == b"v"
    assert longer.get("k") == b"v"


def test_after_clear_an_old_time_to_live_does_not_end_a_new_entry(tier):
    tier.put("k", b"old", 0.1)
    tier.clear()
    tier.put("k", b"new", LONG)
    time.sleep(0.15)
    assert tier.get("k") == b"new"


def test_many_are_put_got_and_deleted_together(tier):
    writes = [Write(f"k{number}", b"v%d" % number, LONG, ("t",)) for number in range(300)]
    assert tier.put_many(writes)
    keys = [write.key for write in writes]
    assert tier.get_many([*keys, "absent"]) == {write.key: write.blob for write in writes}
    assert tier.delete_many([*keys[:10], "absent"]) == set(keys[:10])
    assert tier.get_many(keys[:11]) == {"k10": b"v10"}


def test_nothing_is_put_got_and_deleted(tier):
    tier.put_many([])
    assert tier.get_many([]) == {}
    assert tier.delete_many([]) == set()


def test_the_keys_that_match_are_listed(tier):
    for key in ["a1", "a2", "b1"]:
        tier.put(key, b"v", LONG)
    tier.delete("a2")
    assert tier.keys(KeyPattern("a*")) == {"a1"}
    assert tier.keys(EVERY_KEY) == {"a1", "b1"}


def test_a_tag_removes_the_keys_that_have_it_and_says_which(tier):
    tier.put("a", b"v", LONG, ("red", "round"))
    tier.put("b", b"v", LONG, ("red",))
    tier.put("c", b"v", LONG, ("round",))
    tier.put("d", b"v", LONG)
    assert tier.invalidate_tags(["red"]) == {"a", "b"}
    assert tier.invalidate_tags(["red"]) == set()
    assert tier.keys(EVERY_KEY) == {"c", "d"}
    assert tier.invalidate_tags(["blue", "round"]) == {"c"}


@pytest.mark.parametrize("tag", AWKWARD_KEYS, ids=ascii)
def test_any_tag_is_its_own(tier, tag):
    tier.put("a", b"v", LONG, (tag,))
    tier.put("b", b"v", LONG, (tag + "x",))
    assert tier.invalidate_tags([tag]) == {"a"}


def test_what_was_written_anew_after_its_tag_was_invalidated_can_be_invalidated_again(tier):
    for _ in range(3):
        tier.put("k", b"v", LONG, ("t",))
        assert tier.invalidate_tags(["t"]) == {"k"}
