"""The envelope: what Redis and the disk hold for one key (a header, the key, the tags, the encoded value).

Layout, version 2; numbers are big-endian, times are seconds since 1970 by the writer's clock::

    offset  bytes  field
         0      3  magic, the letters JPC
         3      1  version of this layout
         4      4  CRC-32 of everything after it, except a MAC and a payload that checks itself
         8      8  version of the write; 0 if none
        16      1  codec of the payload
        17      1  flags: 1 there is a MAC; 2 the payload checks itself (codec 2)
        18      2  number of tags
        20      4  length of the key
        24      4  length of the tags
        28      8  length of the payload
        36      8  created, float64
        44      8  expiry, float64; infinity if never
        52      8  stale until, float64; at least the expiry
        60      8  how long the value took to compute in seconds, float64
        68      8  generation
        76      k  the key in UTF-8 (lone surrogates as three bytes)
      76+k      t  the tags, each a length of 2 bytes and then UTF-8 as in the key
    76+k+t         zeros, up to a multiple of 16, so that the numbers of an array are aligned
                p  the payload
               32  with flag 1: keyed BLAKE2b-256 (RFC 7693) of everything before it
                   nothing may follow

Version 1, which can still be read, lacks the version of the write, the stale time, the computing time and the
tags: magic, version, codec, a zero, created, expiry, generation (8), length of the key (4) and of the payload (8),
CRC-32 of the rest, key, payload.

Codecs are 1 MessagePack, 2 a numpy array, 3 a pickle; 4, 5 and 6 are the same three as one zstd frame.

The envelope contains the key so that a reader can verify that it found what it asked for. If a secret is configured,
every entry has a MAC. The MAC always uses the algorithm named here, whatever the entry says, and is verified before
anything else is read. An entry without a valid MAC is a miss.
"""

from __future__ import annotations

import enum
import hmac
import struct
from hashlib import blake2b
from typing import Final, NamedTuple

try:  # where isal has wheels, it takes a third of zlib's time; the checksums are the same
    from isal.isal_zlib import crc32 as _crc32
except ImportError:
    from zlib import crc32 as _crc32

MESSAGEPACK: Final = 1
"""Codec: MessagePack with the extension types of ``msgpack.py``."""
ARRAY: Final = 2
"""Codec: one numpy array in the layout of ``arrays.py``, which carries its own checksum."""
PICKLE: Final = 3
"""Codec: a pickle; only with a secret, and always with its MAC."""
ZSTD_MESSAGEPACK: Final = 4
ZSTD_ARRAY: Final = 5
ZSTD_PICKLE: Final = 6
"""Codecs: the same three, compressed; see ``compression.py``."""


class Encoded(NamedTuple):
    """A value as bytes, in parts that are joined only once, when they are stored."""

    codec: int
    parts: tuple[bytes | memoryview, ...]

    @property
    def size_bytes(self) -> int:
        """The total length of the parts."""
        return sum(map(len, self.parts))

    def payload(self) -> bytes:
        """Join the parts."""
        return b"".join(self.parts)


class Unreadable:
    """The result of decoding bytes that no encoder of this version wrote."""

    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE: Final = Unreadable()

crc32: Final = _crc32

MAGIC: Final = b"JPC"
VERSION: Final = 2
VERSION_OFFSET: Final = 8
"""Offset of the version of the write: 8 bytes, unsigned, big-endian."""
LEAST_SECRET_BYTES: Final = 32

_START: Final = MAGIC + bytes([VERSION])
_CHECKSUM: Final = struct.Struct(">L")
CHECKED_FROM: Final = len(_START) + _CHECKSUM.size
_HEADER: Final = struct.Struct(">QBBHLLQddddQ")
_read_header: Final = struct.Struct(">4sLQBBHLLQddddQ").unpack_from
KEY_START: Final = CHECKED_FROM + _HEADER.size
GENERATION_OFFSET: Final = KEY_START - 8
"""Offset of the generation: 8 bytes, unsigned, big-endian."""
# The same header in fewer fields; the fourth combines codec, flags and number of tags.
read_plain_header: Final = struct.Struct(">LLQLLLQddddQ").unpack_from
PLAIN_START: Final = int.from_bytes(_START, "big")
PLAIN_KIND: Final = MESSAGEPACK << 24
"""MessagePack, no flags, no tags, like most entries."""
_TAG_LENGTH: Final = struct.Struct(">H")
ALIGNMENT_BYTES: Final = 16
SHORT_BYTES: Final = 2048
_MAC_BYTES: Final = 32
_WITH_MAC, _CHECKS_ITSELF = 1, 2
_FLAGS_BY_CODEC: Final = {
    MESSAGEPACK: 0, ARRAY: _CHECKS_ITSELF, PICKLE: 0, ZSTD_MESSAGEPACK: 0, ZSTD_ARRAY: 0, ZSTD_PICKLE: 0,
}  # fmt: skip
"""Flags other than the MAC's."""

_FIRST_START: Final = MAGIC + b"\x01"
_FIRST_HEADER: Final = struct.Struct(">3sBBBddQLQ")
_FIRST_KEY_START: Final = _FIRST_HEADER.size + _CHECKSUM.size


class Envelope(NamedTuple):
    """The contents of an envelope."""

    created: float
    expiry: float
    stale_until: float
    generation: int
    version: int
    compute_seconds: float
    tags: tuple[str, ...]
    codec: int
    payload: bytes | memoryview


Fields = tuple[float, float, float, int, int, float, tuple[str, ...], int, "bytes | memoryview"]
"""The fields of ``Envelope`` as a plain tuple, which is faster to make."""


class Flaw(enum.Enum):
    """The reason why bytes are not an envelope for the requested key."""

    TRUNCATED = "shorter than a header"
    NOT_OURS = "another magic or version"
    WRONG_LENGTH = "bytes missing or left over"
    WRONG_CHECKSUM = "bytes have changed"
    WRONG_KEY = "written for another key"
    WRONG_TIMES = "times that no writer produces"
    WRONG_FIELDS = "tags, codec or flags that no writer produces"
    WRONG_MAC = "not written by a holder of the secret"


def mac_key(secret: bytes) -> bytes:
    """Derive the key of the MAC from a configured secret.

    Raises:
        TypeError: The secret is not bytes.
        ValueError: It has fewer than 32 bytes.
    """
    if not isinstance(secret, bytes):
        raise TypeError(f"the secret is of type {type(secret).__name__}: give bytes, such as secrets.token_bytes(32)")
    if len(secret) < LEAST_SECRET_BYTES:
        raise ValueError(f"the secret has {len(secret)} bytes: give {LEAST_SECRET_BYTES} or more random ones")
    return blake2b(secret, person=b"jarvisperf cache").digest()


def version_of(blob: bytes) -> int:
    """Return the version of the write, from an envelope of the current layout."""
    return int.from_bytes(blob[VERSION_OFFSET : VERSION_OFFSET + 8], "big")


def seal(
    key: bytes,
    encoded: Encoded,
    created: float,
    expiry: float,
    *,
    stale_until: float | None = None,
    generation: int = 0,
    version: int = 0,
    tags: tuple[str, ...] = (),
    compute_seconds: float = 0.0,
    secret: bytes | None = None,
) -> bytes:
    """Build the envelope of a value; the payload is copied once.

    Args:
        key: The key as it is stored.
        encoded: The value.
        created: The current time, in seconds since 1970.
        expiry: When it expires, in seconds since 1970; infinity for no expiry.
        stale_until: When it may no longer be served stale, in seconds since 1970; None means when it expires.
        generation: The generation of the namespace.
        version: The version of the write; 0 if it has none.
        tags: Tags by which it can be invalidated.
        compute_seconds: How long the value took to compute.
        secret: The result of ``mac_key``; None for no MAC.
    """
    checks_itself = encoded.codec == ARRAY
    tail = b"".join(map(_tag_bytes, tags)) if tags else b""
    header = _HEADER.pack(
        version,
        encoded.codec,
        (_WITH_MAC if secret else 0) | (_CHECKS_ITSELF if checks_itself else 0),
        len(tags),
        len(key),
        len(tail),
        encoded.size_bytes,
        created,
        expiry,
        expiry if stale_until is None else stale_until,
        compute_seconds,
        generation,
    )
    before = header + key + tail + bytes(-(KEY_START + len(key) + len(tail)) % ALIGNMENT_BYTES)
    checksum = crc32(before)
    if not checks_itself:
        for part in encoded.parts:
            checksum = crc32(part, checksum)
    parts = (_START + _CHECKSUM.pack(checksum) + before, *encoded.parts)
    if secret is None:
        return b"".join(parts)
    mac = blake2b(key=secret, digest_size=_MAC_BYTES)
    for part in parts:
        mac.update(part)
    return b"".join((*parts, mac.digest()))


def unseal(blob: bytes, key: bytes, secret: bytes | None = None) -> Envelope | Flaw:
    """Read an envelope. For anything but an intact envelope of this key, return a flaw; never raise.

    Args:
        blob: The bytes.
        key: The key as it is stored.
        secret: The result of ``mac_key``; with it, nothing is read before the MAC is verified.
    """
    fields = (plain_fields(blob, key) if secret is None else None) or fields_of(blob, key, secret)
    # Takes half as long as Envelope(*fields), on every read of an entry that is not plain.
    return tuple.__new__(Envelope, fields) if isinstance(fields, tuple) else fields


def plain_fields(blob: bytes, key: bytes) -> Fields | None:
    """Return the fields of a plain envelope (MessagePack, no MAC, no tags) for this key; None for any other bytes."""
    end = len(blob)
    if end < KEY_START:
        return None
    (
        start, checksum, version, kind, key_bytes, tail_bytes, payload_bytes, created, expiry, stale_until,
        compute_seconds, generation,
    ) = read_plain_header(blob)  # fmt: skip
    key_end = KEY_START + key_bytes
    payload_start = key_end + -key_end % ALIGNMENT_BYTES
    # For a short blob, a copy costs less than a view.
    view = blob if end < SHORT_BYTES else memoryview(blob)
    if (
        kind == PLAIN_KIND
        and start == PLAIN_START
        and not tail_bytes
        and payload_start + payload_bytes == end
        and blob[KEY_START:key_end] == key
        and crc32(view[CHECKED_FROM:]) == checksum
        and stale_until >= expiry >= created  # false if one of them is NaN
        and compute_seconds >= 0.0
    ):
        return created, expiry, stale_until, generation, version, compute_seconds, (), MESSAGEPACK, view[payload_start:]
    return None


def fields_of(  # noqa: C901, PLR0911 - one return per flaw
    blob: bytes, key: bytes, secret: bytes | None = None
) -> Fields | Flaw:
    """Return what ``unseal`` returns, as a plain tuple."""
    end = len(blob)
    mac_flag = 0
    if secret is not None:
        end -= _MAC_BYTES
        if not _is_by_holder_of(secret, blob, end):
            return Flaw.TRUNCATED if end < 0 else Flaw.WRONG_MAC
        mac_flag = _WITH_MAC
    if end < KEY_START:
        return _unseal_other(blob, key, secret)
    (
        start, checksum, version, codec, flags, tag_count, key_bytes, tail_bytes, payload_bytes, created, expiry,
        stale_until, compute_seconds, generation,
    ) = _read_header(blob)  # fmt: skip
    if start != _START:
        return _unseal_other(blob, key, secret)
    tail_start = KEY_START + key_bytes
    tail_end = tail_start + tail_bytes
    payload_start = tail_end + -tail_end % ALIGNMENT_BYTES
    if payload_start + payload_bytes != end:
        return Flaw.WRONG_LENGTH
    flags_of_codec = _FLAGS_BY_CODEC.get(codec, -1)
    if flags != flags_of_codec | mac_flag:
        return Flaw.WRONG_FIELDS
    view = blob if end < SHORT_BYTES else memoryview(blob)
    if crc32(view[CHECKED_FROM : payload_start if flags_of_codec else end]) != checksum:
        return Flaw.WRONG_CHECKSUM
    if blob[KEY_START:tail_start] != key:
        return Flaw.WRONG_KEY
    # False if one of them is NaN.
    if not (stale_until >= expiry >= created and compute_seconds >= 0.0):
        return Flaw.WRONG_TIMES
    tags: tuple[str, ...] = ()
    if tag_count or tail_bytes:
        found = _tags(blob[tail_start:tail_end], tag_count)
        if found is None:
            return Flaw.WRONG_FIELDS
        tags = found
    return created, expiry, stale_until, generation, version, compute_seconds, tags, codec, view[payload_start:end]


def _is_by_holder_of(secret: bytes, blob: bytes, end: int) -> bool:
    if end < 0:
        return False
    mac = blake2b(memoryview(blob)[:end], key=secret, digest_size=_MAC_BYTES).digest()
    return hmac.compare_digest(mac, blob[end:])


def _unseal_other(blob: bytes, key: bytes, secret: bytes | None) -> Fields | Flaw:
    """Read bytes without a header of the current layout."""
    start = blob[: len(_START)]
    if start == _START:
        return Flaw.TRUNCATED
    return _unseal_first(blob, key) if start == _FIRST_START and secret is None else _not_ours(start)


def _not_ours(start: bytes) -> Flaw:
    return Flaw.NOT_OURS if len(start) == len(_START) else Flaw.TRUNCATED


def _unseal_first(blob: bytes, key: bytes) -> Fields | Flaw:  # noqa: PLR0911 - one return per flaw
    if len(blob) < _FIRST_KEY_START:
        return Flaw.TRUNCATED
    _, _, codec, zero, created, expiry, generation, key_bytes, payload_bytes = _FIRST_HEADER.unpack_from(blob)
    payload_start = _FIRST_KEY_START + key_bytes
    if payload_start + payload_bytes != len(blob):
        return Flaw.WRONG_LENGTH
    view = memoryview(blob)
    checksum = crc32(view[_FIRST_KEY_START:], crc32(view[: _FIRST_HEADER.size]))
    if checksum != _CHECKSUM.unpack_from(blob, _FIRST_HEADER.size)[0]:
        return Flaw.WRONG_CHECKSUM
    if view[_FIRST_KEY_START:payload_start] != key:
        return Flaw.WRONG_KEY
    if zero or codec != MESSAGEPACK:
        return Flaw.WRONG_FIELDS
    if not expiry >= created:
        return Flaw.WRONG_TIMES
    return created, expiry, expiry, generation, 0, 0.0, (), codec, view[payload_start:]


def _tag_bytes(tag: str) -> bytes:
    encoded = tag.encode("utf-8", "surrogatepass")
    return _TAG_LENGTH.pack(len(encoded)) + encoded


def _tags(tail: bytes, count: int) -> tuple[str, ...] | None:
    tags: list[str] = []
    start = 0
    try:
        while start < len(tail):
            (length,) = _TAG_LENGTH.unpack_from(tail, start)
            start += _TAG_LENGTH.size + length
            tags.append(tail[start - length : start].decode("utf-8", "surrogatepass"))
    except (struct.error, UnicodeDecodeError):
        return None
    return tuple(tags) if len(tags) == count and start == len(tail) else None
