"""What Redis and the disk hold for one key: a header, the key, and the encoded value.

Layout, version 1; numbers are big-endian, times are seconds since 1970 by the writer's clock::

    offset  bytes  field
         0      3  magic, the letters JPC
         3      1  version of this layout
         4      1  codec of the payload
         5      1  zero
         6      8  created, float64
        14      8  expiry, float64; infinity: never
        22      8  generation
        30      4  length of the key
        34      8  length of the payload
        42      4  CRC-32 of all that is before this field and after it
        46      k  the key in UTF-8 (lone surrogates as three bytes)
      46+k      p  the payload
                   nothing may follow

The key is in it because a reader must not trust that what it found is what it asked for.
"""

from __future__ import annotations

import enum
import struct
import zlib
from typing import Final, NamedTuple

MAGIC: Final = b"JPC"
VERSION: Final = 1

_HEADER: Final = struct.Struct(">3sBBBddQLQ")
_CHECKSUM: Final = struct.Struct(">L")
_KEY_START: Final = _HEADER.size + _CHECKSUM.size


class Envelope(NamedTuple):
    """What one envelope says."""

    created: float
    expiry: float
    generation: int
    codec: int
    payload: memoryview


class Flaw(enum.Enum):
    """Why some bytes are no envelope for the key that was asked for."""

    TRUNCATED = "shorter than a header"
    NOT_OURS = "another magic or version"
    WRONG_LENGTH = "bytes are missing or left over"
    WRONG_CHECKSUM = "bytes have changed"
    WRONG_KEY = "written for another key"
    WRONG_TIMES = "times that no writer gives"


def seal(key: bytes, payload: bytes, created: float, expiry: float, *, codec: int, generation: int = 0) -> bytes:
    """Make the envelope of a value.

    Args:
        key: The key as it is stored.
        payload: The encoded value.
        created: Now, in seconds since 1970.
        expiry: When it expires, in seconds since 1970; infinity: never.
        codec: What encoded the payload.
        generation: Of the namespace.
    """
    header = _HEADER.pack(MAGIC, VERSION, codec, 0, created, expiry, generation, len(key), len(payload))
    return b"".join((header, _CHECKSUM.pack(_checksum(header, key, payload)), key, payload))


def unseal(blob: bytes, key: bytes) -> Envelope | Flaw:
    """Read an envelope; whatever is not exactly one for this key is a flaw, never an exception."""
    if len(blob) < _KEY_START:
        return Flaw.TRUNCATED
    magic, version, codec, zero, created, expiry, generation, key_bytes, payload_bytes = _HEADER.unpack_from(blob)
    if magic != MAGIC or version != VERSION or zero != 0:
        return Flaw.NOT_OURS
    payload_start = _KEY_START + key_bytes
    if payload_start + payload_bytes != len(blob):
        return Flaw.WRONG_LENGTH
    view = memoryview(blob)
    (checksum,) = _CHECKSUM.unpack_from(blob, _HEADER.size)
    if _checksum(view[: _HEADER.size], view[_KEY_START:]) != checksum:
        return Flaw.WRONG_CHECKSUM
    if view[_KEY_START:payload_start] != key:
        return Flaw.WRONG_KEY
    times_are_right = expiry >= created  # not where one of them is not a number
    return Envelope(created, expiry, generation, codec, view[payload_start:]) if times_are_right else Flaw.WRONG_TIMES


def _checksum(*parts: bytes | memoryview) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum
