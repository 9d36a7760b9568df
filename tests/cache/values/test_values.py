"""Tests what ``Codec`` adds to MessagePack: Enums, arrays in their memory layout and optional pickle; and fuzzes it."""

from __future__ import annotations

import enum
import pickle
import tracemalloc
from collections import ChainMap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvisperf.cache import SmartCache
from jarvisperf.cache.values.classes.declared import UNDECLARED
from jarvisperf.cache.values.codec import UNREADABLE, Codec
from jarvisperf.cache.values.envelopes.envelope import ARRAY, MESSAGEPACK, PICKLE, Encoded, Envelope, seal, unseal

# Python's objects take more than their bytes: each small int of a list takes eight bytes, and at least one in the
# input.
BYTES_PER_INPUT_BYTE = 400
SPARE_BYTES = 200_000


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Number(enum.IntEnum):
    ONE = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


CODEC = Codec([Colour, Number, Access])


def there_and_back(value: object, codec: Codec = CODEC) -> object:
    encoded = codec.encode(value)
    return codec.decode(encoded.codec, encoded.payload())


@pytest.mark.parametrize("member", [Colour.RED, Number.ONE, Access.READ, Access.READ | Access.WRITE, Access(0)])
def test_a_registered_enum_comes_back_as_its_member(member):
    assert there_and_back(member) is member
    assert there_and_back({"a": [(member,)], member: {member}}) == {"a": [(member,)], member: {member}}


def test_an_enum_that_is_not_registered_is_refused_and_the_message_says_what_to_do():
    with pytest.raises(TypeError) as caught:
        Codec().encode({"rows": [1, Colour.RED]})
    assert str(caught.value) == (
        "value['rows'][1]: object of type Colour cannot be cached; register its class: enums=[Colour]"
    )


def test_a_reader_without_the_enum_has_a_miss():
    encoded = CODEC.encode(Colour.RED)
    assert Codec().decode(encoded.codec, encoded.payload()) is UNDECLARED


def test_a_member_that_is_gone_is_a_miss():
    class Colour(enum.Enum):
        GREEN = 1

    without = enum.Enum("Colour", "RED", module=Colour.__module__)
    without.__qualname__ = Colour.__qualname__
    encoded = Codec([Colour]).encode(Colour.GREEN)
    assert Codec([without]).decode(encoded.codec, encoded.payload()) is UNREADABLE


@pytest.mark.parametrize(
    ("enums", "error"), [([int], TypeError), (["Colour"], TypeError), ([Colour, 7], TypeError), (5, TypeError)]
)
def test_only_classes_of_enum_can_be_registered(enums, error):
    with pytest.raises(error, match="give Enum classes"):
        Codec(enums)


def test_two_enums_of_one_name_cannot_be_told_apart():
    other = enum.Enum("Colour", "X", module=Colour.__module__)
    other.__qualname__ = Colour.__qualname__
    with pytest.raises(ValueError, match="two classes named"):
        Codec([Colour, other])


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0], "itemsize": 16}),
        np.dtype([(("title", "a"), "i4"), ("b", "i4")]),
        np.dtype("i4", metadata={"unit": "m"}),
        np.dtype([("a", [("b", np.dtype("i4", metadata={"unit": "m"}), (2,))])]),
    ],
    ids=["out of order", "titles", "metadata", "metadata inside"],
)
@pytest.mark.parametrize("wrap", [lambda array: array, lambda array: [array]], ids=["alone", "inside"])
def test_a_dtype_that_would_come_back_as_another_is_refused(dtype, wrap):
    with pytest.raises(TypeError, match=r"value(\[0\])?: numpy value of dtype .* cannot be cached"):
        CODEC.encode(wrap(np.zeros(2, dtype)))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(100_000, dtype="f4"),
        np.asfortranarray(np.ones((300, 200))),
        np.zeros((2, 3), ">i2")[:, ::2],
        np.array(7),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_one_array_is_stored_as_it_lies_in_memory(array):
    encoded = CODEC.encode(array)
    assert encoded.codec == ARRAY
    back = CODEC.decode(ARRAY, encoded.payload())
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert back.flags.f_contiguous or not array.flags.f_contiguous
    back.fill(1)  # separate memory, which may be written to


def test_a_large_array_is_copied_once_on_its_way_in_and_once_on_its_way_out():
    array = np.ones(2**20, dtype="f4")
    tracemalloc.start()
    try:
        encoded = CODEC.encode(array)
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 4
        blob = seal(b"k", encoded, 1.0, 2.0)
        assert tracemalloc.get_traced_memory()[1] < 1.25 * array.nbytes
        tracemalloc.reset_peak()
        opened = unseal(blob, b"k")
        back = CODEC.decode(opened.codec, opened.payload)
        assert tracemalloc.get_traced_memory()[1] < 2.25 * array.nbytes  # the blob and the copy
    finally:
        tracemalloc.stop()
    assert np.array_equal(back, array)


PICKLING = Codec(may_pickle=True)


def test_pickle_is_for_what_has_no_other_encoding_and_only_by_choice():
    value = ChainMap({"a": 1})
    assert PICKLING.encode(value).codec == PICKLE
    assert there_and_back(value, PICKLING) == value
    assert PICKLING.encode({"a": 1}).codec == MESSAGEPACK
    with pytest.raises(TypeError, match="ChainMap"):
        CODEC.encode(value)
    assert CODEC.decode(PICKLE, PICKLING.encode(value).payload()) is UNREADABLE


def test_what_cannot_even_be_pickled_is_a_type_error():
    with pytest.raises(TypeError, match="object of type function cannot be pickled"):
        PICKLING.encode(lambda: 1)


@pytest.mark.parametrize("payload", [b"", b"\x80", pickle.dumps(1)[:-1], b"cno_module\nno_name\n."])
def test_a_pickle_that_cannot_be_loaded_is_a_miss(payload):
    assert PICKLING.decode(PICKLE, payload) is UNREADABLE


def allocated(payload: bytes, codec: int) -> int:
    tracemalloc.start()
    try:
        CODEC.decode(codec, payload)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


HEADS = st.sampled_from(
    [b"", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff"]
)


@settings(deadline=None, max_examples=200)
@given(st.builds(bytes.__add__, HEADS, st.binary(max_size=300)), st.sampled_from([MESSAGEPACK, ARRAY]))
def test_arbitrary_bytes_never_crash_and_never_allocate_more_than_they_are(payload, codec):
    assert allocated(payload, codec) < SPARE_BYTES + BYTES_PER_INPUT_BYTE * len(payload)


SEEDS = [
    Encoded(encoded.codec, (encoded.payload(),))
    for encoded in (
        CODEC.encode([1, (2, {3}), {"a": {(1, 2): None}}, "\ud800", 2**70, 1.5]),
        CODEC.encode({"d": np.float32(1), "e": Colour.RED, "n": [np.zeros((2, 3), "<i4")]}),
        CODEC.encode(np.zeros((5, 100))),
        CODEC.encode(np.array(["a", "bc"])),
    )
]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SEEDS), st.data())
def test_mutated_bytes_never_crash_and_never_allocate_more_than_they_are(encoded, data):
    payload = bytearray(encoded.payload())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(payload) - 1))
        how = data.draw(st.sampled_from(["change", "remove", "insert", "largest"]))
        if how == "change":
            payload[place] = data.draw(st.integers(0, 255))
        elif how == "largest":
            payload[place : place + 4] = b"\xff" * len(payload[place : place + 4])
        elif how == "insert":
            payload[place:place] = data.draw(st.binary(max_size=8))
        elif len(payload) > 1:
            del payload[place]
    assert allocated(bytes(payload), encoded.codec) < SPARE_BYTES + BYTES_PER_INPUT_BYTE * len(payload)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(SEEDS), st.data())
def test_a_mutated_entry_is_a_flaw_a_miss_or_the_value(encoded, data):
    blob = bytearray(seal(b"k", encoded, 1.0, 2.0, tags=("t",)))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    opened = unseal(bytes(blob), b"k")
    if isinstance(opened, Envelope):
        assert CODEC.decode(opened.codec, opened.payload) is UNREADABLE


def test_an_unknown_codec_is_a_miss():
    assert CODEC.decode(99, b"\xc0") is UNREADABLE
    assert CODEC.decode(0, Encoded(MESSAGEPACK, (b"\xc0",)).payload()) is UNREADABLE


@pytest.mark.parametrize("kind", [np.int_, np.longlong, np.uint, np.ulonglong, np.intc])
def test_two_c_types_of_one_size_are_told_apart(kind):
    with SmartCache(None, None) as cache:
        cache.set("scalar", {"a": kind(3)})
        cache.set("array", [np.array([3], kind)])
        assert type(cache.get("scalar")["a"]) is kind
        assert type(cache.get("array")[0][0]) is kind


def test_a_record_of_numpy_does_not_come_back_as_a_plain_structure():
    record = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0]
    with SmartCache(None, None) as cache, pytest.raises(TypeError, match=r"value\['row'\]: numpy value of dtype"):
        cache.set("k", {"row": record})
