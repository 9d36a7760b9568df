"""The contract of a tier: subclass ``TierContract`` in a test module, and pytest collects its tests."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.smart import SmartCache

if TYPE_CHECKING:
    from jarvisperf.cache.custom_tier import Tier

_TIMEOUT_SECONDS: Final = 20.0
_UNUSUAL_KEYS: Final = (
    "k", "a b", "é", "日本", "\ud800", "a*b", "a[b", "a\\b", "line\nbreak", "\0", "x" * 500, ":", "a:b", "%", "_", "'",
)  # fmt: skip


class TierContract:
    """The requirements for every tier, tested through a cache that has no other tier, so that production code runs.

    Subclass it and return a tier from ``make_tier``::

        class TestMyTier(TierContract):
            def make_tier(self):
                return MyTier()

    Within a test, every call of ``make_tier`` must return a tier on the same storage. The storage must be empty when
    the test begins: prepare it in ``setup_method``, or in a fixture with ``autouse=True``.
    """

    def make_tier(self) -> Tier:
        """Return the tier under test."""
        raise NotImplementedError("return the tier to be tested")

    def make_cache(self, namespace: str = "contract") -> SmartCache:
        """Return a cache whose only tier is the one under test."""
        return SmartCache(None, None, memory_items=0, namespace=namespace, tiers=[self.make_tier()])

    def teardown_method(self) -> None:
        """Close the caches of the test."""
        for cache in vars(self).pop("_opened", []):
            cache.close()

    def cache(self, namespace: str = "contract") -> SmartCache:
        """Return a cache that is closed after the test."""
        made = self.make_cache(namespace)
        vars(self).setdefault("_opened", []).append(made)
        return made

    # --- values

    def test_a_value_that_was_set_is_found(self) -> None:
        cache = self.cache()
        assert cache.set("k", b"value")
        assert cache.get("k") == b"value"

    def test_a_key_that_was_not_set_is_a_miss(self) -> None:
        assert self.cache().get("k") is None

    def test_the_last_write_wins(self) -> None:
        cache = self.cache()
        cache.set("k", "one")
        cache.set("k", "two")
        assert cache.get("k") == "two"

    def test_bytes_of_any_content_and_length_come_back_unchanged(self) -> None:
        cache = self.cache()
        for value in (b"", bytes(10), bytes(range(256)), b"x" * 100_000):
            assert cache.set("k", value)
            assert cache.get("k") == value

    def test_every_str_is_a_key_of_its_own(self) -> None:
        cache = self.cache()
        for key in _UNUSUAL_KEYS:
            assert cache.set(key, "v"), ascii(key)
            assert cache.set(key + "x", "other"), ascii(key)
            assert cache.get(key) == "v", ascii(key)
            assert cache.delete(key), ascii(key)
            assert cache.get(key) is None, ascii(key)
            assert cache.get(key + "x") == "other", ascii(key)

    def test_another_cache_finds_what_was_set(self) -> None:
        self.cache().set("k", "v")
        assert self.cache().get("k") == "v"

    def test_a_lookup_names_the_tier(self) -> None:
        cache = self.cache()
        cache.set("k", "v")
        found = cache.lookup("k")
        assert found is not None
        assert cache.get_stats()["tiers"][found.tier]["hits"] == 1

    # --- many keys

    def test_many_are_set_read_and_deleted_together(self) -> None:
        cache = self.cache()
        values = {f"k{number}": number for number in range(300)}
        assert cache.set_many(values, tags=["t"])
        assert cache.get_many([*values, "absent"]) == values
        assert cache.delete_many(["k0", "k1", "absent"]) == 2
        assert cache.get_many(["k0", "k1", "k2"]) == {"k2": 2}

    def test_no_keys_at_all_are_fine(self) -> None:
        cache = self.cache()
        cache.set_many({})
        assert cache.get_many([]) == {}
        assert cache.delete_many([]) == 0

    # --- times to live

    def test_an_entry_expires(self) -> None:
        cache = self.cache()
        cache.set("short", "v", ttl=0.05)
        cache.set("long", "v", ttl=1000)
        _wait_until_gone(cache, "short")
        assert cache.get("long") == "v"

    def test_an_expired_entry_counts_as_absent(self) -> None:
        cache = self.cache()
        cache.set("k", "v", ttl=0.01)
        _wait_until_gone(cache, "k")
        time.sleep(0.05)
        assert not cache.delete("k")
        assert cache.invalidate("*") == 0
        assert cache.keys() == []

    def test_any_time_to_live_is_accepted(self) -> None:
        cache = self.cache()
        assert cache.set("k", "v", ttl=1e-9)
        for ttl in (math.inf, 1e300, 1e12):
            assert cache.set("k", "v", ttl=ttl)
            assert cache.get("k") == "v"

    def test_setting_a_key_again_gives_it_a_new_time_to_live(self) -> None:
        cache = self.cache()
        cache.set("k", "old", ttl=0.1)
        cache.set("k", "new", ttl=1000)
        time.sleep(0.15)
        assert cache.get("k") == "new"

    def test_after_clear_an_old_time_to_live_does_not_end_a_new_entry(self) -> None:
        cache = self.cache()
        cache.set("k", "old", ttl=0.1)
        cache.clear()
        cache.set("k", "new", ttl=1000)
        time.sleep(0.15)
        assert cache.get("k") == "new"

    def test_a_touch_prolongs_an_entry(self) -> None:
        cache = self.cache()
        cache.set("k", "v", ttl=10)
        assert cache.touch("k", 1000)
        left = cache.ttl("k")
        assert left is not None
        assert left > 900
        assert not cache.touch("absent", 1000)

    # --- removing

    def test_delete_returns_whether_the_key_was_there(self) -> None:
        cache = self.cache()
        cache.set("k", "v")
        assert cache.delete("k")
        assert not cache.delete("k")

    def test_keys_are_listed_by_pattern(self) -> None:
        cache = self.cache()
        cache.set_many(dict.fromkeys(["a1", "a2", "b1"], "v"))
        cache.delete("a2")
        assert cache.keys("a*") == ["a1"]
        assert cache.keys() == ["a1", "b1"]

    def test_invalidate_removes_what_matches(self) -> None:
        cache = self.cache()
        cache.set_many(dict.fromkeys(["user:1", "user:2", "user", "users:1", "x:user:1"], "v"))
        assert cache.invalidate("user:*") == 2
        assert cache.keys() == ["user", "users:1", "x:user:1"]
        assert cache.invalidate("user") == 1
        assert cache.invalidate("user") == 0

    def test_a_pattern_may_begin_with_any_text(self) -> None:
        cache = self.cache()
        for key in _UNUSUAL_KEYS:
            cache.set(key + "1", "v")
            cache.set("other", "v")
            head = key.replace("[", "[[]").replace("*", "[*]")
            assert cache.invalidate(head + "*") == 1, ascii(key)
        assert cache.keys() == ["other"]

    def test_thousands_of_keys_are_invalidated(self) -> None:
        cache = self.cache()
        cache.set_many({f"k{number}": number for number in range(2500)})
        cache.set("other", "v")
        assert cache.invalidate("k*") == 2500
        assert cache.keys() == ["other"]

    def test_a_tag_removes_the_keys_that_have_it(self) -> None:
        cache = self.cache()
        cache.set("a", "v", tags=["red", "round"])
        cache.set("b", "v", tags=["red"])
        cache.set("c", "v", tags=["round"])
        cache.set("d", "v")
        assert cache.invalidate_tag("red") == 2
        assert cache.invalidate_tag("red") == 0
        assert cache.keys() == ["c", "d"]
        assert cache.invalidate_tag("blue", "round") == 1

    def test_every_str_is_a_tag_of_its_own(self) -> None:
        cache = self.cache()
        for tag in _UNUSUAL_KEYS:
            cache.set("a", "v", tags=[tag])
            cache.set("b", "v", tags=[tag + "x"])
            assert cache.invalidate_tag(tag) == 1, ascii(tag)
            assert cache.keys() == ["b"], ascii(tag)

    def test_a_key_can_be_invalidated_by_its_tag_again_and_again(self) -> None:
        cache = self.cache()
        for _ in range(3):
            cache.set("k", "v", tags=["t"])
            assert cache.invalidate_tag("t") == 1
            assert cache.get("k") is None

    def test_clear_leaves_other_namespaces_alone(self) -> None:
        cache, others = self.cache("space"), [self.cache("xspace"), self.cache("spacex")]
        for each in (cache, *others):
            each.set("k", "v", tags=["t"])
        cache.clear()
        assert cache.get("k") is None
        assert [other.get("k") for other in others] == ["v", "v"]

    def test_a_tag_leaves_other_namespaces_alone(self) -> None:
        cache, other = self.cache("space"), self.cache("other")
        for each in (cache, other):
            each.set("k", "v", tags=["t"])
        assert cache.invalidate_tag("t") == 1
        assert other.get("k") == "v"


def _wait_until_gone(cache: SmartCache, key: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while cache.get(key) is not None:
        assert time.monotonic() < deadline, f"{key!r} has not expired after {_TIMEOUT_SECONDS:g} s"
        time.sleep(0.01)
