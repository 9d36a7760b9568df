"""Tests several keys at once, tags and times to live, which work alike in every tier."""

from __future__ import annotations

import math

import pytest

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import forget_memory


@pytest.fixture(params=["memory", "redis", "disk", "redis+disk"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    url = request.getfixturevalue("real_redis").url if "redis" in request.param else None
    return make_cache(url, tmp_path / "disk" if "disk" in request.param else None)


@pytest.fixture(params=[True, False], ids=["in memory", "below"])
def forget(request, cache):
    """Make the next read ask the tiers below memory, if there are any."""

    def forget() -> None:
        if not request.param and cache.may_block:
            forget_memory(cache)

    return forget


def test_many_are_set_and_got_together(cache, forget):
    values = {f"k{number}": [number, None] for number in range(150)}
    assert cache.set_many(values, ttl=100)
    forget()
    assert cache.get_many([*values, "absent"]) == values
    assert cache.get_many([]) == {}
    assert 99 < cache.ttl("k7") <= 100


@pytest.mark.parametrize("tier", ["redis", "disk"])
def test_each_of_many_keys_counts_a_hit_or_a_miss_of_the_tier_that_was_asked(make_cache, real_redis, tmp_path, tier):
    cache = make_cache(*((real_redis.url, None) if tier == "redis" else (None, tmp_path)), memory_items=0)
    cache.set("a", 1)
    cache.get_many(["a", "b", "c"])
    stats = cache.get_stats()
    assert (stats[f"{tier}_hits"], stats[f"{tier}_misses"], stats["misses"]) == (1, 2, 2)


def test_none_is_a_value_among_many(cache, forget):
    cache.set_many({"k": None})
    forget()
    assert cache.get_many(["k", "absent"]) == {"k": None}


def test_one_value_that_cannot_be_encoded_keeps_all_from_being_set(cache):
    cache.set("a", "old")
    for ttl in (None, 0):
        with pytest.raises(TypeError, match=r"values\['b'\]\[1\]: object of type object cannot be cached"):
            cache.set_many({"a": 1, "b": [2, object()]}, ttl)
    assert cache.get_many(["a", "b"]) == {"a": "old"}


def test_many_with_a_ttl_of_0_are_removed(cache):
    cache.set_many({"a": 1, "b": 2})
    assert cache.set_many({"a": 1}, ttl=0) is False
    assert cache.get_many(["a", "b"]) == {"b": 2}


def test_many_are_deleted_together_and_counted(cache):
    cache.set_many({"a": 1, "b": 2, "c": 3})
    assert cache.delete_many(["a", "b", "absent"]) == 2
    assert cache.keys() == ["c"]


def test_keys_of_any_characters_are_got_together(cache, forget):
    values = {"plain": 1, "größer": 2, "lone \ud800": 3, "a:b": 4}
    cache.set_many(values)
    forget()
    assert cache.get_many(values) == values


def test_reading_many_counts_each(cache):
    cache.set_many({"a": 1, "b": 2})
    cache.get_many(["a", "b", "c"])
    stats = cache.get_stats()
    assert (stats["hits"], stats["misses"]) == (2, 1)


@pytest.mark.parametrize("call", ["get_many", "delete_many"])
def test_one_str_is_not_many_keys(cache, call):
    with pytest.raises(TypeError, match="keys is the str 'abc': give several keys"):
        getattr(cache, call)("abc")


@pytest.mark.parametrize("call", ["get_many", "delete_many"])
def test_what_is_no_collection_is_not_many_keys(cache, call):
    with pytest.raises(TypeError, match="keys is 5: give several keys"):
        getattr(cache, call)(5)


@pytest.mark.parametrize("values", [[], [("a", 1)], None, "a"])
def test_many_values_are_given_as_a_dictionary(cache, values):
    with pytest.raises(TypeError, match="give a dictionary of keys and values"):
        cache.set_many(values)


def test_keys_are_listed_in_order_and_by_pattern(cache, forget):
    cache.set_many({"b": 1, "a:1": 1, "a:2": 1, "\ud800": 1})
    cache.delete("a:2")
    forget()
    assert cache.keys("a:*") == ["a:1"]
    assert cache.keys() == ["a:1", "b", "\ud800"]


def test_a_tag_invalidates_what_has_it(cache, forget):
    cache.set("a", 1, tags=["red", "round"])
    cache.set("b", 1, tags=["red"])
    cache.set_many({"c": 1, "d": 1}, tags=["round"])
    cache.set("e", 1)
    forget()
    assert cache.invalidate_tag("red") == 2
    assert cache.keys() == ["c", "d", "e"]
    assert cache.invalidate_tag("blue", "round") == 2
    assert cache.keys() == ["e"]


def test_tags_are_known_again_after_a_value_came_up_from_below(cache):
    cache.set("a", [1], tags=["t"])
    for _ in range(2):
        forget_memory(cache) if cache.may_block else None
        assert cache.get("a") == [1]
    assert cache.invalidate_tag("t") == 1
    assert cache.get("a") is None


def test_a_value_set_anew_without_its_tag_may_stay(cache):
    cache.set("a", 1, tags=["t"])
    cache.set("a", 2, tags=["t"])
    assert cache.invalidate_tag("t") == 1
    cache.set("a", 3, tags=["t"])
    assert cache.get("a") == 3
    assert cache.invalidate_tag("t") == 1


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("t", "tags is the str 't'"),
        ([1], "tag is 1"),
        ([""], "tag is ''"),
        (["x" * 2000], "1 to 1000 bytes"),
        (5, "tags is 5: give several tags"),
        ([["t"]], r"tag is \['t'\]: give a str, not list"),
    ],
    ids=repr,
)
def test_a_wrong_tag_is_an_error(cache, tags, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cache.set("k", 1, tags=tags)


def test_invalidating_a_list_of_tags_is_an_error(cache):
    with pytest.raises(TypeError, match=r"tag is \['t'\]: give a str, not list"):
        cache.invalidate_tag(["t"])


def test_invalidating_no_tag_is_an_error(cache):
    with pytest.raises(ValueError, match="needs a tag"):
        cache.invalidate_tag()


def test_the_time_that_is_left_can_be_asked(cache, forget):
    cache.set("k", [1], ttl=100)
    cache.set("ever", [1], ttl=math.inf)
    forget()
    assert 99 < cache.ttl("k") <= 100
    assert cache.ttl("ever") == math.inf
    assert cache.ttl("absent") is None


def test_touching_gives_a_new_time_and_keeps_value_and_tags(cache, forget):
    cache.set("k", [1], ttl=100, tags=["t"])
    forget()
    assert cache.touch("k", 1000) is True
    forget()
    assert 999 < cache.ttl("k") <= 1000
    assert cache.get("k") == [1]
    assert cache.touch("absent", 1000) is False
    assert cache.invalidate_tag("t") == 1


def test_touching_with_0_removes(cache):
    cache.set("k", 1)
    assert cache.touch("k", 0) is True
    assert "k" not in cache


def test_statistics_can_be_set_back(cache):
    cache.set("k", 1)
    cache.get("k")
    cache.get("absent")
    cache.get_or_set("unstorable", object)
    assert cache.get_stats()["unstorable"] == 1
    cache.reset_stats()
    stats = cache.get_stats()
    names = ("hits", "misses", "sets", "memory_misses", "unstorable")
    assert {name: stats[name] for name in names} == dict.fromkeys(names, 0)
    cache.get("k")
    assert cache.get_stats()["hits"] == 1
