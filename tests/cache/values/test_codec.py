"""Tests the codec: values come back equal and of the same type, and no bytes can cause harm."""

from __future__ import annotations

import math
import operator
import os
import pickle
import subprocess
import sys
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import UUID
from zoneinfo import ZoneInfo

import hypothesis.extra.numpy as hnp
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from jarvisperf.cache.values.codec import MAX_DEPTH, UNREADABLE, decode, encode
from jarvisperf.cache.values.explain import find_culprit
from jarvisperf.cache.values.scalars import UnencodableError

ZONES = st.none() | st.sampled_from(
    [
        UTC,
        timezone(timedelta(hours=-3, minutes=-30)),
        timezone(timedelta(hours=1), "MEZ"),
        timezone(timedelta(microseconds=1)),
        ZoneInfo("Europe/Lisbon"),
        ZoneInfo("America/Sao_Paulo"),
    ]
)
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
HASHABLE_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    st.complex_numbers(),
    ANY_TEXT,
    st.binary(max_size=20),
    st.datetimes(timezones=ZONES),
    st.dates(),
    st.times(timezones=st.none() | st.just(UTC)),
    st.timedeltas(),
    st.decimals().filter(lambda number: not number.is_snan()),  # a signaling NaN has no hash
    st.fractions(),
    st.uuids(),
    st.ip_addresses(),
    ANY_TEXT.filter(lambda text: "\0" not in text).map(PurePosixPath),
    st.text("abc/.: ", max_size=10).map(Path),
    st.text("abc\\.: ", max_size=10).map(PureWindowsPath).filter(lambda path: PureWindowsPath(str(path)) == path),
)
HASHABLE = st.recursive(
    HASHABLE_LEAVES,
    lambda parts: st.lists(parts, max_size=3).map(tuple) | st.frozensets(parts, max_size=3),
    max_leaves=5,
)


def has_encoding(dtype: np.dtype) -> bool:
    """No objects, and no titles (second names of fields): the codec rejects both."""
    if dtype.subdtype is not None:
        return has_encoding(dtype.subdtype[0])
    fields = [*(dtype.fields or {}).values()]
    return not dtype.hasobject and all(len(field) == 2 and has_encoding(field[0]) for field in fields)


ARRAYS = hnp.arrays(
    dtype=(hnp.scalar_dtypes() | hnp.array_dtypes(allow_subarrays=False) | hnp.nested_dtypes()).filter(has_encoding),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
VALUES = st.recursive(
    HASHABLE_LEAVES | ARRAYS | ARRAYS.map(np.asfortranarray),
    lambda parts: st.one_of(
        st.lists(parts, max_size=4),
        st.lists(parts, max_size=4).map(tuple),
        st.dictionaries(HASHABLE, parts, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
        st.binary(max_size=20).map(bytearray),
        st.builds(deque, st.lists(parts, max_size=4), st.none() | st.integers(min_value=0, max_value=5)),
        st.dictionaries(HASHABLE, parts, max_size=4).map(OrderedDict),
        st.dictionaries(HASHABLE, parts, max_size=4).map(Counter),
        st.builds(defaultdict, st.sampled_from([None, int, list, dict]), st.dictionaries(HASHABLE, parts, max_size=4)),
    ),
    max_leaves=12,
)


def same(left: object, right: object) -> bool:
    """Return whether values are equal and of the same type at every level; NaN equals NaN."""
    if type(left) is not type(right):
        return False
    comparison = next((compare for kinds, compare in COMPARISONS if isinstance(left, kinds)), operator.eq)
    return comparison(left, right)


def same_in_numpy(left, right) -> bool:
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.tobytes() == right.tobytes()
        and (left.ndim < 2 or left.flags.f_contiguous == right.flags.f_contiguous)
    )


COMPARISONS = [
    (deque, lambda left, right: left.maxlen == right.maxlen and same([*left], [*right])),
    (defaultdict, lambda left, right: left.default_factory is right.default_factory and same({**left}, {**right})),
    (list | tuple, lambda left, right: len(left) == len(right) and all(map(same, left, right))),
    (dict, lambda left, right: same(list(left.items()), list(right.items()))),
    (set | frozenset, lambda left, right: sorted(map(encode, left)) == sorted(map(encode, right))),
    (np.ndarray | np.generic, same_in_numpy),
    (float | complex, lambda left, right: repr(left) == repr(right)),
    (Decimal, lambda left, right: left.as_tuple() == right.as_tuple()),
    (datetime | time, lambda left, right: repr(left) == repr(right)),  # including fold and the type of the zone
]


@given(VALUES)
def test_every_value_comes_back_equal_and_of_the_same_type(value):
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize(
    "value",
    [
        2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400, True, 1, 1.0, -0.0, math.inf, math.nan,
        complex(math.nan, -0.0), "\ud800", "a\udfffb", b"", [], (), {}, set(), frozenset(), ((),), {(): {1: set()}},
        {True: 1, "1": 1, 2: 1, None: 1, (1, (2,)): 1, b"1": 1, 1.5: 1, frozenset([1]): 1, 2**70: 1, "\ud800": 1},
        {1, "1", b"1", (1,), None, 2.5}, Decimal("sNaN"), Decimal("-0.00"), Decimal("1E+999999"), Fraction(-(2**80), 3),
        UUID(int=0), Path("/tmp/\udce9"), datetime.max.replace(tzinfo=UTC),
        datetime(2024, 10, 27, 1, 30, fold=1, tzinfo=ZoneInfo("Europe/Lisbon")),
        time(1, 2, tzinfo=ZoneInfo("UTC")), date.min, timedelta.max, timedelta.min, [{"rows": [(1, {"x": {2}})]}],
        ip_address("fe80::1%eth0"), ip_network("10.0.0.0/8"), ip_interface("::1/64"), bytearray(b"\0"),
        OrderedDict(b=1, a={2**70}), Counter("aab"), defaultdict(list, a=[(1,)]), deque([{1}, "\ud800"], maxlen=3),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_awkward_values_come_back_as_they_were(value):
    assert same(decode(encode(value)), value)


NUMPY_SCALARS = [
    np.bool_(True), np.int8(-1), np.uint64(2**64 - 1), np.float16(1.5), np.float32("nan"), np.float64(0.1),
    np.longdouble(1) / 3, np.complex64(1j), np.complex128(-0.0), np.datetime64("2024-01-01"),
    np.datetime64("NaT", "ns"),
    np.timedelta64(5, "m"), np.str_(""), np.str_("a\0"), np.str_("é"), np.bytes_(b""), np.bytes_(b"a\0\0"),
    np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", ">f8")])[0],
]  # fmt: skip


@pytest.mark.parametrize("value", NUMPY_SCALARS, ids=lambda value: f"{value.dtype}-{value!r}"[:30])
def test_a_numpy_scalar_comes_back_as_one(value):
    back = decode(encode(value))
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4), order="F"),
        np.arange(12).reshape(3, 4)[:, ::2],
        np.arange(6, dtype=">i2").reshape(2, 3).T,
        np.zeros((0, 5)),
        np.array(7),
        np.zeros(3, "U0"),
        np.zeros(2, dtype=[("a", "i4", (2, 2)), ("b", "U3")]),
        np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_keeps_dtype_shape_and_order(array):
    back = decode(encode(array))
    assert same_in_numpy(back, np.ascontiguousarray(array) if not array.flags.forc else array)
    assert back.shape == array.shape


def test_an_array_comes_back_in_memory_of_its_own():
    payload = encode(np.zeros(3))
    back = decode(payload)
    back[0] = 1
    assert decode(payload)[0] == 0


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_unreadable_or_a_value_but_never_an_exception(data):
    decode(data)


@given(VALUES, st.data())
def test_mutated_bytes_are_unreadable_or_a_value_but_never_an_exception(value, data):
    payload = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decode(bytes(payload))


@given(st.integers(-128, 127), st.one_of(st.binary(max_size=40), VALUES.map(encode)))
def test_no_extension_code_with_any_content_raises(code, content):
    decode(msgspec.msgpack.encode(Ext(code, content)))


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_payload_that_was_cut_off_is_unreadable(kept):
    payload = encode(["text", (1, 2), {"a": {3, 4}}])
    assert decode(payload[: int(len(payload) * kept)]) is UNREADABLE


def test_bytes_after_the_value_are_unreadable():
    assert decode(encode(1) + b"\xc0") is UNREADABLE


class _RunsWhenUnpickled:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_not_run(tmp_path: Path):
    trap = tmp_path / "trap"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        decode(pickle.dumps(_RunsWhenUnpickled(trap), protocol))
    for code in range(128):
        decode(msgspec.msgpack.encode(Ext(code, pickle.dumps(_RunsWhenUnpickled(trap)))))
    assert not trap.exists()


@pytest.mark.parametrize("dtype", ["|O", [["a", "|O"]], "no dtype", 7, None, [["a"]]])
def test_a_forged_array_header_is_unreadable(dtype):
    header = encode([dtype, [1], "C"])
    assert decode(msgspec.msgpack.encode(Ext(32, len(header).to_bytes(4, "big") + header + bytes(8)))) is UNREADABLE


@pytest.mark.parametrize("shape", [[2**60], [-1], [2**62, 2**62, 0], ["1"], [True], [1] * 200])
def test_a_forged_shape_allocates_nothing(shape):
    header = encode(["<f8", shape, "C"])
    assert decode(msgspec.msgpack.encode(Ext(32, len(header).to_bytes(4, "big") + header + bytes(8)))) is UNREADABLE


class Colour(IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    pass


def with_attribute(value: object) -> object:
    value.extra = 1
    return value


Point = namedtuple("Point", "x y")  # noqa: PYI024 - what users have


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        (Colour.RED, "Colour"),
        (Text("x"), "Text"),
        (Point(1, 2), "Point"),
        (ChainMap(), "ChainMap"),
        (memoryview(b"x"), "memoryview"),
        (defaultdict(lambda: 0), "factory"),
        (with_attribute(Counter()), "attributes"),
        (range(3), "range"),
        (len, "builtin_function_or_method"),
        (iter([]), "list_iterator"),
        (datetime(2024, 1, 1, tzinfo=Zone()), "datetime with a time zone of type Zone"),
        (np.array([object()]), "numpy value of dtype object"),
        (np.zeros(1, dtype=[("a", "O")]), "numpy value of dtype"),
        (np.ma.masked_array([1], [True]), "MaskedArray"),
        (np.zeros(1).view(np.recarray), "recarray"),
        (np.dtype("i4"), "Int32DType"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_encoding_is_refused_and_its_type_is_named(value, kind):
    with pytest.raises(UnencodableError, match=kind):
        encode(value)


@given(st.text("a\\.: ", max_size=6).map(PureWindowsPath))
def test_a_windows_path_whose_text_is_another_path_is_refused(path):
    try:
        payload = encode(path)
    except UnencodableError:
        assert PureWindowsPath(str(path)) != path
    else:
        assert same(decode(payload), path)


NOBODY = object()


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (NOBODY, "value: "),
        ({"rows": [1, 2, 3, NOBODY]}, "value['rows'][3]: "),
        ({"a": ({"b": NOBODY},)}, "value['a'][0]['b']: "),
        ({1: {None: [NOBODY]}}, "value[1][None][0]: "),
        ({(1, NOBODY): 2}, "value (key of type tuple)[1]: "),
        ([{1, NOBODY}], "value[0] (member of type object): "),
        (["\ud800", 2**70, NOBODY], "value[2]: "),
        ({"x" * 100: NOBODY}, f"value['{'x' * 38}…]: "),
    ],
)
def test_the_message_names_the_part_that_has_no_encoding(value, place):
    with pytest.raises(UnencodableError):
        encode(value)
    advice = "register_codec(object, encode, decode) makes it possible"
    assert find_culprit(value) == f"{place}object of type object cannot be cached; {advice}"


def test_a_value_that_contains_itself_is_refused_and_the_place_is_named():
    value = {"a": [1]}
    value["a"].append({"back": value["a"]})
    with pytest.raises(UnencodableError):
        encode(value)
    assert find_culprit(value) == "value['a'][1]['back']: contains itself, so it cannot be cached"


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: {(1,): v}])
def test_nesting_is_bounded(wrap):
    value = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert same(decode(encode(value)), value)
    for _ in range(2000):
        value = wrap(value)
    with pytest.raises(UnencodableError, match="nested deeper than 100 levels"):
        encode(value)
    assert "nested deeper than 100 levels" in find_culprit(value)


def in_new_process(program: str, hash_seed: str = "0") -> str:
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ
    ).stdout.strip()


def test_equal_sets_give_equal_bytes_in_every_process():
    program = "from jarvisperf.cache.values.codec import encode; print(encode({'a', 'b', ('c', 1), 2, None}).hex())"
    assert len({in_new_process(program, seed) for seed in "1234"}) == 1


def test_numpy_is_not_loaded_for_values_without_it():
    program = (
        "import sys; from jarvisperf.cache.values.codec import encode, decode\n"
        "decode(encode([1, (2,), {3}])); print('numpy' in sys.modules)"
    )
    assert in_new_process(program) == "False"
