"""Only an untouched envelope, written for the key that is asked for, is opened."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jarvisperf.cache.envelope import Envelope, Flaw, seal, unseal

SEALED = seal(b"ns:key", b"payload", 100.0, 160.0, codec=1, generation=7)
# Version 1 as it was first written: what is stored out there must stay readable.
GOLDEN = bytes.fromhex(
    "4a5043010100405900000000000040640000000000000000000000000007000000060000000000000007"
    "8f7a0f136e733a6b65797061796c6f6164"
)


def test_the_layout_of_version_1_does_not_change():
    assert SEALED == GOLDEN


@given(st.binary(), st.binary(), st.floats(0, 1e10), st.floats(0) | st.just(math.inf), st.integers(0, 2**64 - 1))
def test_what_was_sealed_is_read_back(key, payload, created, life, generation):
    opened = unseal(seal(key, payload, created, created + life, codec=3, generation=generation), key)
    assert opened == Envelope(created, created + life, generation, 3, memoryview(payload))


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data):
    changed = bytearray(SEALED)
    changed[data.draw(st.integers(0, len(SEALED) - 1))] ^= data.draw(st.integers(1, 255))
    assert isinstance(unseal(bytes(changed), b"ns:key"), Flaw)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_a_flaw(blob):
    assume(blob != SEALED)
    assert isinstance(unseal(blob, b"ns:key"), Flaw)


@pytest.mark.parametrize(
    ("blob", "key", "flaw"),
    [
        (SEALED, b"ns:other", Flaw.WRONG_KEY),
        (SEALED + b"x", b"ns:key", Flaw.WRONG_LENGTH),
        (SEALED[:-1], b"ns:key", Flaw.WRONG_LENGTH),
        (SEALED[:20], b"ns:key", Flaw.TRUNCATED),
        (b"", b"ns:key", Flaw.TRUNCATED),
        (b"XYZ" + SEALED[3:], b"ns:key", Flaw.NOT_OURS),
        (SEALED[:3] + b"\x02" + SEALED[4:], b"ns:key", Flaw.NOT_OURS),
        (SEALED[:-1] + b"D", b"ns:key", Flaw.WRONG_CHECKSUM),
        (seal(b"k", b"", 2.0, 1.0, codec=1), b"k", Flaw.WRONG_TIMES),
        (seal(b"k", b"", math.nan, 1.0, codec=1), b"k", Flaw.WRONG_TIMES),
        (seal(b"k", b"", 1.0, math.nan, codec=1), b"k", Flaw.WRONG_TIMES),
    ],
)
def test_every_flaw_has_its_name(blob, key, flaw):
    assert unseal(blob, key) is flaw
