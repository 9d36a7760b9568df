"""The cache, tier by tier: compared with computing the value again and with storing it by hand."""

from __future__ import annotations

import copy
import pickle
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import diskcache
import pytest
import redis

from jarvisperf.bench.corpus import reference_chunks
from jarvisperf.cache import SmartCache, cached

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "\n".join(reference_chunks()[:20])


def count_words(text: str) -> dict[str, int]:
    """Count the words of a text: a computation worth caching, of about a millisecond."""
    return dict(Counter(re.findall(r"\w+", text.lower())))


VALUE = count_words(TEXT)


@pytest.mark.jarvis_bench(group="cache get")
def test_compute(jarvis_bench: Any) -> None:
    jarvis_bench(count_words, TEXT)


@pytest.mark.jarvis_bench(group="cache get", before="benchmarks/bench_cache.py::test_compute")
def test_get(jarvis_bench: Any, cache: SmartCache) -> None:
    cache.set("words", VALUE)
    assert jarvis_bench(cache.get, "words") == VALUE


@pytest.mark.jarvis_bench(group="cache get", before="benchmarks/bench_cache.py::test_compute")
def test_get_text(jarvis_bench: Any, cache: SmartCache) -> None:
    cache.set("text", TEXT)
    assert jarvis_bench(cache.get, "text") == TEXT


@pytest.fixture
def set_by_hand(tier: str, redis_url: str, tmp_path: Path) -> Callable[[str, Any], object]:
    """Return a function that stores a value without the library: as a copy, or pickled."""
    if tier == "memory":
        store: dict[str, Any] = {}
        return lambda key, value: store.__setitem__(key, copy.deepcopy(value))
    if tier == "redis":
        client = redis.Redis.from_url(redis_url)
        return lambda key, value: client.set(key, pickle.dumps(value), ex=3600)
    disk = diskcache.Cache(str(tmp_path))
    return lambda key, value: disk.set(key, value, expire=3600)


@pytest.mark.jarvis_bench(group="cache set")
def test_set_by_hand(jarvis_bench: Any, set_by_hand: Callable[[str, Any], object]) -> None:
    jarvis_bench(set_by_hand, "words", VALUE)


@pytest.mark.jarvis_bench(group="cache set", before="test_set_by_hand")
def test_set(jarvis_bench: Any, cache: SmartCache) -> None:
    jarvis_bench(cache.set, "words", VALUE)


@pytest.mark.jarvis_bench(group="@cached")
def test_plain_function(jarvis_bench: Any) -> None:
    jarvis_bench(count_words, TEXT)


@pytest.mark.jarvis_bench(group="@cached", before="test_plain_function")
def test_cached_function(jarvis_bench: Any, tiered_cache: SmartCache) -> None:
    function = cached(ttl=600, key_prefix="words", cache=tiered_cache)(count_words)
    assert jarvis_bench(function, TEXT) == VALUE
