"""Tests the envelope: only an intact one, written for the requested key, is opened."""

from __future__ import annotations

import math
import pickle
import zlib

import numpy as np
import pytest
from golden_envelopes import COMPRESSING, FOLDER, GOLDENS, KEY, SECRET, Golden
from hypothesis import assume, given
from hypothesis import strategies as st

from jarvisperf.cache.values.codec import UNREADABLE, Codec
from jarvisperf.cache.values.envelopes.envelope import (
    ARRAY,
    MESSAGEPACK,
    PICKLE,
    VERSION_OFFSET,
    Encoded,
    Envelope,
    Flaw,
    mac_key,
    seal,
    unseal,
)
from jarvisperf.cache.values.fast_path import open_one, open_plain

PAYLOAD = Encoded(MESSAGEPACK, (b"payload",))
SEALED = seal(KEY, PAYLOAD, 100.0, 160.0, generation=7, version=9, tags=("t",))
SIGNED = seal(KEY, PAYLOAD, 100.0, 160.0, generation=7, version=9, tags=("t",), secret=SECRET)
TIMES = st.floats(0, 1e10)


def test_an_entry_of_version_1_is_still_read():
    blob = (FOLDER / "envelope-1.bin").read_bytes()
    opened = unseal(blob, KEY)
    assert opened == Envelope(100.0, 160.0, 160.0, 7, 0, 0.0, (), MESSAGEPACK, memoryview(b"payload"))
    assert unseal(blob, KEY, SECRET) is Flaw.WRONG_MAC
    for place in range(len(blob)):
        assert isinstance(unseal(blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :], KEY), Flaw)


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.name)
def test_what_was_released_is_still_read(golden: Golden):
    opened = unseal(golden.blob, KEY, golden.secret)
    assert isinstance(opened, Envelope)
    assert opened[:7] == (100.0, 160.0, 200.0, 7, 9, 0.25, ("a", "é"))
    value, expected = golden.codec.decode(opened.codec, opened.payload), golden.value()
    assert type(value) is type(expected)
    assert repr(value) == repr(expected)


# Each release of zstd may compress better.
@pytest.mark.parametrize(
    "golden", [each for each in GOLDENS if each.codec is not COMPRESSING], ids=lambda golden: golden.name
)
def test_what_is_written_now_is_what_was_released(golden: Golden):
    encoded = golden.codec.encode(golden.value())
    blob = seal(
        KEY, encoded, 100.0, 160.0, stale_until=200.0, generation=7, version=9, tags=("a", "é"), compute_seconds=0.25,
        secret=golden.secret,
    )  # fmt: skip
    assert blob == golden.blob


@given(
    st.binary(), st.binary(), TIMES, TIMES | st.just(math.inf), TIMES, st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1), st.lists(st.text(max_size=5), max_size=3).map(tuple), st.none() | st.just(SECRET),
)  # fmt: skip
def test_what_was_sealed_is_read_back(key, payload, created, life, stale, generation, version, tags, secret):
    blob = seal(
        key, Encoded(MESSAGEPACK, (payload,)), created, created + life, stale_until=created + life + stale,
        generation=generation, version=version, tags=tags, compute_seconds=1.5, secret=secret,
    )  # fmt: skip
    expected = (created, created + life, created + life + stale, generation, version, 1.5, tags, MESSAGEPACK, payload)
    assert unseal(blob, key, secret) == expected


PLAIN = seal(KEY, PAYLOAD, 100.0, 160.0)
OTHERS = [
    SEALED, SIGNED, seal(b"other", PAYLOAD, 1.0, 2.0), seal(KEY, Encoded(ARRAY, (b"array",)), 1.0, 2.0),
    seal(KEY, Encoded(PICKLE, (b"pickle",)), 1.0, 2.0), seal(KEY, Encoded(MESSAGEPACK, (bytes(5000),)), 1.0, 2.0),
    seal(KEY, PAYLOAD, 2.0, 1.0), seal(KEY, PAYLOAD, 1.0, math.nan), b"JPMT" + bytes(24), b"",
]  # fmt: skip


@given(
    st.lists(
        st.sampled_from([PLAIN, *OTHERS])
        | st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(1, 255)).map(
            lambda change: PLAIN[: change[0]] + bytes([PLAIN[change[0]] ^ change[1]]) + PLAIN[change[0] + 1 :]
        )
        | st.integers(0, len(PLAIN)).map(lambda end: PLAIN[:end])
        | st.binary(min_size=1).map(lambda more: PLAIN + more),
        max_size=4,
    ),
)
def test_of_several_only_what_opens_alone_is_opened(blobs):
    now, generation = 130.0, 0
    by_key = {str(number): blob for number, blob in enumerate(blobs)}
    found: dict[str, bytes] = {}
    others, newest = open_plain(by_key, [KEY] * len(blobs), now, generation, bytes, found)
    versions = [0]
    for key, payload in found.items():
        alone = unseal(by_key[key], KEY)
        assert (alone.payload, alone.codec, alone.generation, alone.tags) == (payload, MESSAGEPACK, generation, ())
        assert alone.created <= now < alone.expiry <= alone.stale_until
        versions.append(alone.version)
    assert newest == max(versions)
    assert others == {key: blob for key, blob in by_key.items() if key not in found}
    for key, blob in by_key.items():
        one = open_one(blob, KEY, now, generation, bytes)
        if key in found:
            assert one == (found[key], unseal(blob, KEY).version)
        elif one is not None:
            assert one == (unseal(blob, KEY).payload, unseal(blob, KEY).version)
            assert not found  # one of the others was too short, so all are left


@pytest.mark.parametrize("payload", [b"short", bytes(100_000)], ids=["short", "long"])
def test_one_plain_one_is_opened_if_it_may_be_served(payload):
    blob = seal(KEY, Encoded(MESSAGEPACK, (payload,)), 1.0, 9.0, generation=3, version=7)
    assert open_one(blob, KEY, 5.0, 3, bytes) == (payload, 7)
    for key, now, generation in [(KEY, 9.0, 3), (KEY, 0.5, 3), (KEY, 5.0, 4), (b"other", 5.0, 3)]:
        assert open_one(blob, key, now, generation, bytes) is None
    damaged = blob[:-1] + b"!"
    assert open_one(damaged, KEY, 5.0, 3, bytes) is None
    assert open_one(blob, KEY, 5.0, 3, lambda _: int("no number")) is None


def _several(**more: float) -> tuple[dict[str, bytes], list[bytes]]:
    names = [b"k%d" % number for number in range(9)]
    sealed = [
        seal(name, Encoded(MESSAGEPACK, (b"p" + name,)), 1.0, 9.0, version=number, **more)
        for number, name in enumerate(names)
    ]
    return dict(zip("abcdefghi", sealed, strict=True)), names


def test_several_plain_ones_are_opened_together():
    blobs, names = _several()
    found: dict[str, bytes] = {}
    assert open_plain(blobs, names, 5.0, 0, bytes, found) == ({}, 8)
    assert found == {key: b"p" + name for key, name in zip(blobs, names, strict=True)}


@pytest.mark.parametrize(
    ("now", "generation", "more"),
    [(9.0, 0, {}), (0.5, 0, {}), (5.0, 1, {}), (5.0, 0, {"stale_until": 8.0}), (5.0, 0, {"compute_seconds": -1.0})],
)
def test_of_several_none_is_opened_that_may_not_be_served(now, generation, more):
    blobs, names = _several(**more)
    assert open_plain(blobs, names, now, generation, bytes, {}) == (blobs, 0)


def test_of_several_one_of_another_key_is_left():
    blobs, names = _several()
    found: dict[str, bytes] = {}
    assert open_plain(blobs, [names[0], b"k0", *names[2:]], 5.0, 0, bytes, found) == ({"b": blobs["b"]}, 8)
    assert sorted(found) == list("acdefghi")


def test_of_several_all_are_left_where_one_is_unreadable():
    blobs, names = _several()

    def unpack(payload: bytes) -> bytes:
        if payload == b"pk5":
            raise ValueError("unreadable")
        return payload

    found: dict[str, bytes] = {}
    assert open_plain(blobs, names, 5.0, 0, unpack, found) == (blobs, 0)
    assert not found


def test_the_version_of_the_write_is_where_a_script_in_redis_looks_for_it():
    assert int.from_bytes(SEALED[VERSION_OFFSET : VERSION_OFFSET + 8], "big") == 9


def test_what_was_read_can_be_sealed_again():
    opened = unseal(SEALED, KEY)
    again = seal(
        KEY, Encoded(opened.codec, (opened.payload,)), opened.created, opened.expiry, stale_until=opened.stale_until,
        generation=opened.generation, version=opened.version, tags=opened.tags,
    )  # fmt: skip
    assert again == SEALED


@pytest.mark.parametrize(("blob", "secret"), [(SEALED, None), (SIGNED, SECRET)], ids=["crc", "mac"])
@given(st.data())
def test_no_changed_byte_goes_unnoticed(blob, secret, data):
    changed = bytearray(blob)
    changed[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    assert isinstance(unseal(bytes(changed), KEY, secret), Flaw)


@given(st.integers(0, 20_000), st.integers(1, 255))
def test_no_changed_byte_of_an_array_goes_unnoticed(place, change):
    codec = Codec()
    blob = bytearray(seal(KEY, codec.encode(np.arange(5000, dtype="f4")), 1.0, 2.0))
    blob[place] ^= change
    opened = unseal(bytes(blob), KEY)
    assert isinstance(opened, Flaw) or codec.decode(opened.codec, opened.payload) is UNREADABLE


@given(st.binary(max_size=200), st.none() | st.just(SECRET))
def test_arbitrary_bytes_are_a_flaw(blob, secret):
    assume(blob not in {SEALED, SIGNED})
    assert isinstance(unseal(blob, KEY, secret), Flaw)


def _with_field(offset: int, content: bytes) -> bytes:
    """A blob with a field value that no writer produces and a correct checksum."""
    changed = bytearray(SEALED)
    changed[offset : offset + len(content)] = content
    changed[4:8] = zlib.crc32(changed[8:]).to_bytes(4, "big")
    return bytes(changed)


@pytest.mark.parametrize(
    ("blob", "key", "flaw"),
    [
        (SEALED, b"ns:other", Flaw.WRONG_KEY),
        (SEALED + b"x", KEY, Flaw.WRONG_LENGTH),
        (SEALED[:-1], KEY, Flaw.WRONG_LENGTH),
        (SIGNED, KEY, Flaw.WRONG_LENGTH),
        (SEALED[:20], KEY, Flaw.TRUNCATED),
        (b"", KEY, Flaw.TRUNCATED),
        (b"JPC\x01" + bytes(20), KEY, Flaw.TRUNCATED),
        (b"XYZ" + SEALED[3:], KEY, Flaw.NOT_OURS),
        (SEALED[:3] + b"\x03" + SEALED[4:], KEY, Flaw.NOT_OURS),
        (SEALED[:-1] + b"D", KEY, Flaw.WRONG_CHECKSUM),
        (_with_field(16, b"\x63"), KEY, Flaw.WRONG_FIELDS),
        (_with_field(17, b"\x01"), KEY, Flaw.WRONG_FIELDS),
        (_with_field(17, b"\x80"), KEY, Flaw.WRONG_FIELDS),
        (_with_field(18, b"\x00\x02"), KEY, Flaw.WRONG_FIELDS),
        (_with_field(82, b"\x00\x09"), KEY, Flaw.WRONG_FIELDS),
        (_with_field(84, b"\xff"), KEY, Flaw.WRONG_FIELDS),
        (seal(b"k", PAYLOAD, 2.0, 1.0), b"k", Flaw.WRONG_TIMES),
        (seal(b"k", PAYLOAD, 1.0, 2.0, stale_until=1.5), b"k", Flaw.WRONG_TIMES),
        (seal(b"k", PAYLOAD, math.nan, 1.0), b"k", Flaw.WRONG_TIMES),
        (seal(b"k", PAYLOAD, 1.0, math.nan), b"k", Flaw.WRONG_TIMES),
        (seal(b"k", PAYLOAD, 1.0, 2.0, compute_seconds=-1.0), b"k", Flaw.WRONG_TIMES),
    ],
)
def test_every_flaw_has_its_name(blob, key, flaw):
    assert unseal(blob, key) is flaw


@pytest.mark.parametrize("forged", [SEALED, SIGNED[:-1], SIGNED + b"x", SEALED + bytes(32), b"", bytes(32)])
def test_with_a_secret_nothing_without_its_mac_is_read(forged):
    assert unseal(forged, KEY, SECRET) in {Flaw.WRONG_MAC, Flaw.TRUNCATED}


def test_the_mac_of_another_secret_is_none():
    other = mac_key(b"another secret of thirty-two bytes or more")
    assert unseal(seal(KEY, PAYLOAD, 1.0, 2.0, secret=other), KEY, SECRET) is Flaw.WRONG_MAC


def test_a_signed_entry_cannot_be_moved_to_another_key():
    assert unseal(SIGNED, b"ns:other", SECRET) is Flaw.WRONG_KEY


def test_a_pickle_is_not_touched_before_its_mac_is_verified():
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("a pickle was loaded",)

    blob = seal(KEY, Encoded(PICKLE, (pickle.dumps(Trap()),)), 1.0, 2.0, secret=mac_key(b"x" * 32))
    assert unseal(blob, KEY, SECRET) is Flaw.WRONG_MAC
    assert unseal(blob[:-32], KEY, SECRET) is Flaw.WRONG_MAC
    # A cache without a secret never unpickles.
    opened = unseal(seal(KEY, Encoded(PICKLE, (pickle.dumps(Trap()),)), 1.0, 2.0), KEY)
    assert Codec().decode(opened.codec, opened.payload) is UNREADABLE


@pytest.mark.parametrize(
    ("secret", "error", "message"),
    [("text" * 10, TypeError, "give bytes"), (b"short", ValueError, "5 bytes: give 32 or more")],
)
def test_a_weak_secret_is_refused(secret, error, message):
    with pytest.raises(error, match=message):
        mac_key(secret)


def test_an_array_is_copied_once_on_its_way_in_and_never_parsed_by_the_envelope():
    encoded = Codec().encode(np.zeros(100_000))
    assert encoded.codec == ARRAY
    assert encoded.parts[1].obj is not None  # the array's own memory
    assert np.shares_memory(np.asarray(encoded.parts[1].obj), np.asarray(encoded.parts[1]))
