"""Tests that caches do the same with and without the compiled module, and that nothing depends on it."""

from __future__ import annotations

import functools
import gc
import importlib.util
import math
import os
import shutil
import sys
import time
import weakref
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvisperf.cache import SmartCache
from jarvisperf.cache.memory import compiled
from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.testing import Clock, core_of
from jarvisperf.cache.values import fast_path
from jarvisperf.cache.values.codec import Codec
from jarvisperf.cache.values.envelopes.envelope import MESSAGEPACK, PICKLE, Encoded, seal
from jarvisperf.cache.values.isolation import Held, hold_plain
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE

ROOT = Path(__file__).parents[3]


def hatch_build():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The module, compiled from the current source."""
    path = hatch_build().compiled(ROOT, tmp_path_factory.mktemp("compiled"), {})
    if path is None:
        if os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail("JARVISPERF_REQUIRE_ALL is set, and there is no C compiler, or no Python.h")
        pytest.skip("there is no C compiler, or no Python.h")
    spec = importlib.util.spec_from_file_location("jarvisperf.cache.memory._reader", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["compiled", "python"])
def either(request, monkeypatch):
    """Caches made in this test answer hits by the compiled module, or do not."""
    if request.param == "compiled":
        use(monkeypatch, request.getfixturevalue("built"))
    else:
        monkeypatch.setenv("JARVISPERF_COMPILED", "off")
    return request.param


def use(monkeypatch, module) -> None:
    import jarvisperf.cache.memory as room

    monkeypatch.setenv("JARVISPERF_COMPILED", "on")
    monkeypatch.setitem(sys.modules, "jarvisperf.cache.memory._reader", module)
    monkeypatch.setattr(room, "_reader", module, raising=False)


@pytest.fixture
def tier(either, clock):
    return MemoryTier(100, clock)


@pytest.fixture
def get(tier, either):
    reader = tier.make_reader(lambda key, default: ("otherwise", key, default))
    assert (type(reader).__name__ == "Reader") == (either == "compiled")
    return reader


def test_a_hit_returns_the_value_counts_and_notes_the_time(tier, get, clock):
    tier.hold("k", hold_plain("v"), deadline=clock() + 100)
    for _ in range(1000):
        clock.advance(0.0005)
        assert get("k") == "v"
    entry = tier.entries["k"]
    assert (entry.hits, entry.used, tier.hits()) == (1000, clock(), 1000)


def test_with_the_machine_s_clock_as_well(either):
    tier = MemoryTier(100, time.monotonic)
    get = tier.make_reader(lambda *_: None)
    tier.hold("k", hold_plain("v"), deadline=time.monotonic() + 1000)
    before = time.monotonic()
    assert get("k") == "v"
    noted = tier.entries["k"].used
    assert before <= noted <= time.monotonic()
    assert get("k") == "v"
    assert tier.entries["k"].used is not noted  # what was read before has not changed
    assert tier.entries["k"].hits == 2


@pytest.mark.parametrize("hits", [0, 1, 255, 256, 257, 2**15, 2**30 - 2, 2**30, 2**60])
def test_hits_are_counted_exactly(tier, get, clock, hits):
    tier.hold("k", hold_plain("v"), deadline=clock() + 100)
    tier.entries["k"].hits = hits + 0
    seen = tier.entries["k"].hits
    for _ in range(5):
        get("k")
    assert (seen, tier.entries["k"].hits) == (hits, hits + 5)
    assert [number + 1 for number in range(255, 258)] == [256, 257, 258]


@pytest.mark.parametrize("seconds", [1.0, 1.5, float("inf")])
def test_an_entry_that_is_no_longer_valid_is_left_to_the_slow_path(tier, get, clock, seconds):
    tier.hold("k", hold_plain("v"), deadline=clock() + seconds, check_at=clock() + 1)
    clock.advance(0.99)
    assert get("k", 1) == "v"
    clock.advance(0.01)
    assert get("k", 1) == ("otherwise", "k", 1)
    assert tier.entries["k"].hits == 1


def test_every_reader_gets_a_copy(tier, get, clock):
    tier.hold("k", hold_plain({"a": 1}), deadline=clock() + 100)
    get("k")["a"] = 2
    assert get("k") == {"a": 1}


def test_a_value_that_cannot_be_thawed_any_more_is_dropped(tier, get, clock):
    def thaw(value: object) -> object:
        raise LookupError(value)

    tier.hold("k", Held("v", thaw, 1), deadline=clock() + 100)
    assert get("k", 5) == ("otherwise", "k", 5)
    assert "k" not in tier.entries


def test_another_error_of_a_value_s_own_code_is_raised(tier, get, clock):
    def thaw(value: object) -> object:
        raise KeyboardInterrupt

    tier.hold("k", Held("v", thaw, 1), deadline=clock() + 100)
    with pytest.raises(KeyboardInterrupt):
        get("k")
    assert "k" in tier.entries


def test_an_error_of_the_clock_is_raised(either):
    def clock() -> float:
        if clock.is_broken:
            raise ZeroDivisionError
        return 1.0

    clock.is_broken = False
    tier = MemoryTier(100, clock)
    get = tier.make_reader(lambda *_: None)
    tier.hold("k", hold_plain("v"), deadline=100)
    clock.is_broken = True
    with pytest.raises(ZeroDivisionError):
        get("k")


def test_a_clock_of_whole_numbers_will_do(either):
    tier = MemoryTier(100, lambda: 7)
    get = tier.make_reader(lambda *_: None)
    tier.hold("k", hold_plain("v"), deadline=100)
    assert get("k") == "v"
    assert tier.entries["k"].used == 7


class Rude:
    def __hash__(self) -> int:
        raise RuntimeError("no hash")


def test_other_keys_are_left_to_the_slow_path(get):
    assert get("absent") == ("otherwise", "absent", None)
    assert get([1], 2) == ("otherwise", [1], 2)
    assert get(None) == ("otherwise", None, None)
    with pytest.raises(RuntimeError, match="no hash"):
        get(Rude())


def test_arguments_may_be_named(tier, get, clock):
    tier.hold("k", hold_plain("v"), deadline=clock() + 100)
    assert get(key="k") == get(default=1, key="k") == get("k", default=1) == "v"
    assert get(key="x", default=1) == get("x", default=1) == get("x", 1) == ("otherwise", "x", 1)


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((), {}, "missing 1 required positional argument: 'key'"),
        (("a", 1, 2), {}, "takes from 1 to 2 positional arguments but 3 were given"),
        (("a",), {"other": 1}, "unexpected keyword argument 'other'"),
        (("a",), {"key": 1}, "multiple values for argument 'key'"),
    ],
)
def test_wrong_arguments_are_the_usual_errors(get, args, named, message):
    with pytest.raises(TypeError, match=message):
        get(*args, **named)


def test_a_forgotten_cache_is_collected(either):
    cache = SmartCache(None, None)
    cache.set("k", ["v"])
    assert cache.get("k") == ["v"]
    gone = weakref.ref(cache)
    del cache
    gc.collect()
    assert gone() is None


def test_hits_keep_nothing_alive(tier, get, clock):
    value = ("a tuple of its own",)
    tier.hold("k", Held(value, None, 1), deadline=clock() + 100)
    before = sys.getrefcount(value)
    for _ in range(1000):
        get("k")
        get("absent")
    assert sys.getrefcount(value) == before


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), st.sampled_from("abc")),
        st.tuples(st.just("set"), st.sampled_from("abc"), st.sampled_from([1, "x", None, [1], {"k": 1}, (1,)])),
        st.tuples(st.just("delete"), st.sampled_from("abc")),
        st.tuples(st.just("wait"), st.sampled_from([0.3, 1.0, 5.0])),
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=60)
def test_both_give_the_same_answers(built, steps):
    outcomes = []
    for module in (built, None):
        with pytest.MonkeyPatch.context() as patch:
            use(patch, module) if module else patch.setenv("JARVISPERF_COMPILED", "off")
            outcomes.append(run(steps))
    assert outcomes[0] == outcomes[1]


def run(steps) -> list:
    clock, seen = Clock(), []
    with SmartCache(None, None, default_ttl=4, clock=clock) as cache:
        for what, *rest in steps:
            if what == "wait":
                clock.advance(*rest)
            else:
                seen.append(getattr(cache, what)(*rest))
        entries = cache._core.memory.entries
        seen.append({key: (entry.hits, entry.used) for key, entry in entries.items()})
        stats = cache.get_stats()
    return [*seen, stats["hits"], stats["misses"], stats["memory_items"]]


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Table(dict):
    pass


class Row(list):
    pass


PARTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([2**63, 2**64, -(2**63) - 1]), st.floats(), st.text(),
    st.just("\ud800"), st.binary(max_size=3), st.just(Decimal("1.5")), st.builds(Text), st.builds(Number),
    st.tuples(st.integers()), st.lists(st.none(), max_size=1), st.just(bytearray(b"b")), st.just({}),
)  # fmt: skip
FIXED_PARTS = PARTS.filter(lambda part: type(part).__hash__ is not None)
WRITTEN = st.one_of(
    PARTS, st.lists(PARTS, max_size=4), st.dictionaries(FIXED_PARTS, PARTS, max_size=4),
    st.builds(Table, st.dictionaries(st.text(), PARTS)), st.builds(Row, st.lists(PARTS)), st.tuples(PARTS, PARTS),
    st.sets(FIXED_PARTS, max_size=3),
)  # fmt: skip


def encoded(codec: Codec, value: object) -> object:
    try:
        return codec.encode(value).payload()
    except TypeError as error:
        return str(error)


@settings(deadline=None, max_examples=500)
@given(value=WRITTEN)
def test_a_value_is_encoded_as_the_same_bytes_with_and_without_the_compiled_check(built, value):
    assert encoded(Codec(is_flat=built.is_flat), value) == encoded(Codec(), value)


def containing_itself(container: list | dict) -> list | dict:
    container.update(me=container) if isinstance(container, dict) else container.append(container)
    return container


@pytest.mark.parametrize(
    "value",
    [
        containing_itself([1]),
        containing_itself({"a": 1}),
        functools.reduce(lambda inner, _: [inner], range(100_000), []),
        {None: 1, True: 2, b"x": 3, 1.5: 4, float("nan"): 5},
        {2**64: 1},
        {"\ud800": 1},
        {(): 1},
    ],
    ids=["cyclic list", "cyclic dict", "deep", "any plain keys", "large key", "surrogate key", "tuple key"],
)
def test_so_is_a_value_with_unusual_keys_or_without_an_end(built, value):
    assert encoded(Codec(is_flat=built.is_flat), value) == encoded(Codec(), value)


@pytest.mark.parametrize("value", [{"a": 1, "b": None}, ["a", b"b", 1.5, True], {}, []])
def test_the_compiled_check_accepts_dicts_and_lists_of_plain_types(built, value):
    assert built.is_flat(value)


@pytest.mark.parametrize("part", [(), [], {}, Text("t"), Number(1), Decimal(1), bytearray(b"b"), type])
def test_and_rejects_any_other_part_wherever_it_is(built, part):
    assert not built.is_flat(part) or type(part) in {list, dict}
    assert not built.is_flat([1, part, 2])
    assert not built.is_flat({"a": 1, "b": part, "c": 2})
    if type(part).__hash__ is not None:
        assert not built.is_flat({"a": 1, part: 2, "c": 3})


def test_a_cache_uses_the_check_that_is_there(either, make_cache, tmp_path):
    cache = make_cache(None, tmp_path / "d", memory_items=0)
    assert (core_of(cache)._codec._is_flat is None) == (either == "python")
    assert cache.set("k", {"a": 1, "b": [2]})
    assert cache.get("k") == {"a": 1, "b": [2]}


CODEC = Codec()
NOW = 1000.0


def envelope(name: bytes, payload: bytes, **changes) -> bytes:
    fields = {"created": NOW - 1, "expiry": NOW + 1, "generation": 3, "version": 7, **changes}
    return seal(name, Encoded(fields.pop("codec", MESSAGEPACK), (payload,)), **fields)


ENVELOPES = st.builds(
    envelope,
    st.sampled_from([b"ns:a", b"ns:b", b"ns:" + b"long" * 20]),
    st.one_of(
        st.builds(CODEC.encode, st.one_of(st.text(), st.integers(), st.lists(st.none()), st.tuples(st.booleans()))).map(
            lambda encoded: encoded.payload()
        ),
        st.binary(max_size=2100),
    ),
    created=st.sampled_from([NOW - 1, NOW, NOW + 1, -math.inf]),
    expiry=st.sampled_from([NOW, math.nextafter(NOW, math.inf), NOW + 9, math.inf, math.nan]),
    stale_until=st.sampled_from([None, NOW + 5, math.inf, math.nan]),
    generation=st.sampled_from([3, 4]),
    version=st.sampled_from([0, 1, 2**64 - 1]),
    tags=st.sampled_from([(), (), ("t",)]),
    compute_seconds=st.sampled_from([0.0, 1.5, -1.0, math.nan]),
    codec=st.sampled_from([MESSAGEPACK, MESSAGEPACK, PICKLE]),
    secret=st.sampled_from([None, None, b"s" * 32]),
)


def damaged(blob: bytes, places: list[int], end: int | None) -> bytes:
    changed = bytearray(blob)
    for place in places:
        changed[place % len(changed)] ^= 1 << place % 8
    return bytes(changed[:end])


def opened(open_plain, blob: object, *unreadable: object) -> tuple[object, ...]:
    found: dict = {}
    answer = open_plain({"a": blob}, [b"ns:a"], NOW, 3, CODEC.unpack, found, *unreadable)
    return answer, repr(found)


@given(ENVELOPES, st.lists(st.integers(0, 3000), max_size=2), st.none() | st.integers(0, 300))
@settings(max_examples=400)
def test_both_open_the_same_entries(built, blob, places, end):
    for each in (blob, damaged(blob, places, end)):
        assert opened(built.open_plain, each, UNREADABLE_BECAUSE) == opened(fast_path.open_plain, each)


@given(st.binary(max_size=300))
def test_both_leave_foreign_bytes_to_the_full_check(built, blob):
    for each in (blob, bytearray(blob)):
        assert built.open_plain({"a": each}, [b"ns:a"], NOW, 3, CODEC.unpack, {}, UNREADABLE_BECAUSE) == (
            {"a": each},
            0,
        )


@pytest.mark.parametrize("size", [*range(20), 100, 1900])
def test_the_checksum_is_right_for_every_length(built, size):
    payload = CODEC.encode(bytes(size)).payload()
    found: dict = {}
    blob = envelope(b"ns:a", payload)
    assert built.open_plain({"a": blob}, [b"ns:a"], NOW, 3, CODEC.unpack, found, UNREADABLE_BECAUSE) == ({}, 7)
    assert found == {"a": bytes(size)}


def test_many_keys_are_read_by_either(either, make_cache, real_redis):
    cache = make_cache(real_redis.url, memory_items=0)
    values = {f"k{number}": ("x" * number, number, None)[number % 3] for number in range(200)}
    cache.set_many(values)
    cache.set("tagged", 1, tags=["t"])
    assert cache.get_many([*values, "tagged", "absent"]) == {**values, "tagged": 1}


@pytest.mark.parametrize(
    "args",
    [
        ([], [], 1.0, 3, len, {}, ()),
        ({}, (), 1.0, 3, len, {}, ()),
        ({}, [], 1.0, -1, len, {}, ()),
        ({}, [], 1.0, 3, len, [], ()),
        ({"a": b""}, [], 1.0, 3, len, {}, ()),
    ],
)
def test_wrong_arguments_are_errors_and_not_crashes(built, args):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        built.open_plain(*args)


def test_an_unexpected_error_while_decoding_is_raised(built):
    def unpack(payload: bytes) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        built.open_plain({"a": envelope(b"ns:a", b"x")}, [b"ns:a"], NOW, 3, unpack, {}, (LookupError,))


def test_opening_keeps_nothing_alive(built):
    blob, name, key = envelope(b"ns:a", CODEC.encode("v").payload()), b"ns:a", "a key of its own"
    foreign = bytes(100)
    before = [sys.getrefcount(each) for each in (blob, name, key, foreign)]
    for _ in range(100):
        built.open_plain({key: blob}, [name], NOW, 3, CODEC.unpack, {}, UNREADABLE_BECAUSE)
        built.open_plain({key: foreign}, [name], NOW, 3, CODEC.unpack, {}, UNREADABLE_BECAUSE)
    assert [sys.getrefcount(each) for each in (blob, name, key, foreign)] == before


def test_a_module_of_another_version_is_not_used(built, monkeypatch):
    use(monkeypatch, built)
    assert compiled.compiled_reader() is built
    monkeypatch.setattr(compiled, "_VERSION", built.VERSION + 1)
    assert compiled.compiled_reader() is None


def test_without_the_module_everything_works(monkeypatch):
    monkeypatch.setenv("JARVISPERF_COMPILED", "on")
    monkeypatch.setitem(sys.modules, "jarvisperf.cache.memory._reader", None)
    monkeypatch.delattr("jarvisperf.cache.memory._reader", raising=False)
    with SmartCache(None, None) as cache:
        cache.set("k", "v")
        assert cache.get("k") == "v"


def test_the_variable_has_two_values(monkeypatch):
    monkeypatch.setenv("JARVISPERF_COMPILED", "no")
    with pytest.raises(ValueError, match="JARVISPERF_COMPILED is 'no': give on or off"):
        SmartCache(None, None)


def test_a_build_that_must_not_or_cannot_compile_goes_on_without(tmp_path, capsys, built):
    build = hatch_build()
    assert build.compiled(ROOT, tmp_path, {"JARVISPERF_COMPILED": "off"}) is None
    assert capsys.readouterr().err == ""
    source = tmp_path / build.SOURCE
    source.parent.mkdir(parents=True)
    source.write_text("this is not C")
    assert build.compiled(tmp_path, tmp_path, {}) is None
    assert "built without its optional compiled part" in capsys.readouterr().err
    assert not list(tmp_path.glob("_reader*"))


def test_a_build_without_a_compiler_goes_on_without(tmp_path, monkeypatch):
    build = hatch_build()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert build.compiled(ROOT, tmp_path, {}) is None
