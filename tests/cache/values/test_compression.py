"""Tests compression: large values take less room, everything stays readable, and no entry expands without a bound."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache import SmartCache
from jarvisperf.cache.testing import forget_memory, tier_of
from jarvisperf.cache.values.codec import UNREADABLE, Codec
from jarvisperf.cache.values.envelopes import compression
from jarvisperf.cache.values.envelopes.compression import CannotExpandError, expand
from jarvisperf.cache.values.envelopes.envelope import (
    ARRAY,
    MESSAGEPACK,
    ZSTD_ARRAY,
    ZSTD_MESSAGEPACK,
    ZSTD_PICKLE,
    unseal,
)
from jarvisperf.extras import MissingExtraError

TEXT = "the same again " * 1000
VALUES = {
    "str": TEXT,
    "bytes": TEXT.encode(),
    "dict": {"rows": [[number, "text"] for number in range(500)]},
    "tuple": tuple(range(10)) * 200,
    "array": np.zeros((50, 100)),
    "arrays": {"a": np.zeros(3000), "b": {1, 2}},
}


def stored(cache: SmartCache, tier: str, key: str) -> bytes:
    return tier_of(cache, tier)._store.get(key)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("memory_items", [0, 100], ids=["no memory", "memory"])
def test_a_large_value_takes_less_room_and_comes_back(make_cache, real_redis, tmp_path, name, memory_items):
    value = VALUES[name]
    plain = make_cache(None, tmp_path / "plain")
    cache = make_cache(real_redis.url, tmp_path / "d", compress_from_bytes=1000, memory_items=memory_items)
    other = make_cache(real_redis.url, None)  # compression is off, and it reads all the same
    for each in (plain, cache):
        assert each.set(name, value, tags=["t"])
    for tier in ("redis", "disk"):
        assert len(stored(cache, tier, name)) < len(stored(plain, "disk", name)) / 2
    for each in (cache, other):
        for _ in range(2):
            found = each.get(name)
            assert type(found) is type(value)
            assert repr(found) == repr(value)
        forget_memory(each)
        assert repr(each.get_many([name])[name]) == repr(value)


def test_a_small_value_is_stored_as_it_is(make_cache, tmp_path):
    cache = make_cache(None, tmp_path, compress_from_bytes=1000)
    cache.set("k", "x" * 900)
    assert b"x" * 900 in stored(cache, "disk", "k")
    assert (cache.get_stats()["compressed"], cache.get_stats()["compression_ratio"]) == (0, 0.0)


def test_a_value_that_hardly_gets_smaller_is_stored_as_it_is(make_cache, tmp_path):
    cache = make_cache(None, tmp_path, compress_from_bytes=1000)
    noise = np.random.default_rng(1).bytes(5000)
    cache.set("k", noise)
    assert noise in stored(cache, "disk", "k")
    assert cache.get_stats()["compressed"] == 0


def test_the_ratio_is_reported_and_reset(make_cache, tmp_path, namespace):
    cache = make_cache(None, tmp_path, compress_from_bytes=1000)
    cache.set("k", TEXT)
    cache.set_many({"a": TEXT, "small": 1})
    cache.get_or_set("made", lambda: TEXT)
    stats = cache.get_stats()
    frame = unseal(stored(cache, "disk", "k"), f"{namespace}:k".encode()).payload
    assert stats["compressed"] == 3
    assert stats["compression_ratio"] == pytest.approx((len(TEXT) + 3) / len(frame))
    cache.reset_stats()
    assert (cache.get_stats()["compressed"], cache.get_stats()["compression_ratio"]) == (0, 0.0)


def test_entries_of_both_kinds_are_read_whatever_is_on(make_cache, tmp_path):
    make_cache(None, tmp_path).set("old", TEXT)
    compressing = make_cache(None, tmp_path, compress_from_bytes=1)
    compressing.set("new", TEXT)
    assert compressing.get("old") == TEXT
    assert make_cache(None, tmp_path).get_many(["old", "new"]) == {"old": TEXT, "new": TEXT}


def test_a_compressed_value_is_promoted_and_touched_as_it_is(make_cache, real_redis, tmp_path):
    make_cache(None, tmp_path, compress_from_bytes=1).set("k", TEXT)
    cache = make_cache(real_redis.url, tmp_path)
    assert cache.lookup("k").tier == "disk"
    assert len(stored(cache, "redis", "k")) < 1000
    assert cache.touch("k", 50)
    forget_memory(cache)
    assert cache.lookup("k") == (TEXT, "redis")


def test_a_value_of_a_compressed_entry_belongs_to_its_reader(make_cache, tmp_path):
    cache = make_cache(None, tmp_path, compress_from_bytes=1)
    value = {"rows": [[1, [2, [3]]] for _ in range(100)]}
    cache.set("k", value)
    forget_memory(cache)
    for _ in range(3):
        found = cache.get("k")
        assert found == value
        found["rows"][0][1].append("mine")


def test_pickles_are_compressed_and_verified(make_cache, tmp_path):
    cache = make_cache(None, tmp_path, compress_from_bytes=1, pickle_secret=b"s" * 32, memory_items=0)
    cache.set("k", [complex] * 500)
    assert cache.get("k") == [complex] * 500
    assert make_cache(None, tmp_path, pickle_secret=b"t" * 32).get("k") is None


def test_a_larger_value_fits_redis_once_it_is_compressed(make_cache, real_redis):
    cache = make_cache(real_redis.url, None, compress_from_bytes=1000, max_value_bytes=5000)
    assert cache.set("k", TEXT)
    assert cache.get_stats()["rejected"] == 0
    assert stored(cache, "redis", "k")


def test_without_the_package_a_compressed_entry_is_a_miss_and_stays(make_cache, tmp_path, monkeypatch):
    writer = make_cache(None, tmp_path, compress_from_bytes=1)
    writer.set("k", TEXT)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "zstandard", None)
        reader = make_cache(None, tmp_path)
        assert reader.get("k") is None
        assert reader.get_many(["k"]) == {}
        assert reader.get_stats()["corrupt"] == 0
    assert make_cache(None, tmp_path).get("k") == TEXT


def test_compression_without_the_package_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr("jarvisperf.extras.is_installed", lambda module: module != "zstandard")
    with pytest.raises(MissingExtraError, match=r'compress_from_bytes needs .* pip install "jarvisperf\[zstd\]"'):
        SmartCache(None, None, compress_from_bytes=1000)


@pytest.mark.parametrize(("size", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_size_that_cannot_be_one_is_an_error(size, kind):
    with pytest.raises(kind, match="compress_from_bytes"):
        SmartCache(None, None, compress_from_bytes=size)


def test_a_frame_that_would_expand_too_far_is_damaged(monkeypatch):
    bomb = zstandard.compress(bytes(2**20))
    monkeypatch.setattr(compression, "LARGEST_BYTES", 2**20 - 1)
    with pytest.raises(CannotExpandError):
        expand(ZSTD_MESSAGEPACK, bomb)
    assert Codec().decode(ZSTD_MESSAGEPACK, bomb) is UNREADABLE


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"no frame",
        zstandard.compress(TEXT.encode())[:-5],
        zstandard.compress(TEXT.encode()) + b"more",
        zstandard.ZstdCompressor(write_content_size=False).compress(TEXT.encode()),
    ],
    ids=["empty", "foreign", "cut off", "more", "no size"],
)
@pytest.mark.parametrize("codec", [ZSTD_MESSAGEPACK, ZSTD_ARRAY, ZSTD_PICKLE])
def test_a_damaged_frame_is_a_damaged_entry(frame, codec):
    with pytest.raises(CannotExpandError):
        expand(codec, frame)
    assert Codec().decode(codec, memoryview(frame)) is UNREADABLE


@given(st.binary(max_size=200))
def test_any_payload_comes_back(payload):
    for codec, compressed in ((MESSAGEPACK, ZSTD_MESSAGEPACK), (ARRAY, ZSTD_ARRAY)):
        assert expand(compressed, zstandard.compress(payload)) == (codec, payload)


def test_a_program_that_knows_no_pickles_reads_no_compressed_one():
    frame = zstandard.compress(b"cos\nsystem\n.")
    assert Codec().decode(ZSTD_PICKLE, frame) is UNREADABLE
