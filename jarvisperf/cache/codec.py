"""Values to bytes and back, without pickle: MessagePack, with extension codes for what MessagePack lacks.

A type is taken exactly: a subclass would come back as its base, so it is refused. Extension codes are part of the
stored format: never change the meaning of one, only add.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.msgpack import Decoder, Encoder, Ext

from jarvisperf.cache.leaves import INT_LEAF, LEAVES, TEXT_LEAF, UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Fallback = Callable[[object], object]

CODEC_ID: Final = 1
"""Names this encoding in the envelope."""

MAX_DEPTH: Final = 100
"""Containers nested deeper are refused; without a bound, a value that contains itself would never end."""

IMMUTABLE_SCALARS: Final[frozenset[type]] = frozenset({str, bytes, int, float, bool, type(None)})
"""Types whose values nobody can change, so that they may be shared instead of copied."""

_TUPLE, _SET, _FROZENSET, _PAIRS = range(3, 7)
_NUMPY, _NUMPY_TEXT = range(32, 34)
_IDENTITY: Final = 64  # stands for an object inside a cache key; never decoded

# First only the types are looked at, which is quick. Where the encoder then finds an int of more than 64 bits or a
# str with a lone surrogate, the value is packed again with a look at every int and every str.
_NATIVE: Final[frozenset[type]] = IMMUTABLE_SCALARS
_NATIVE_WHATEVER_THE_VALUE: Final[frozenset[type]] = IMMUTABLE_SCALARS - {int, str}

_HEADER_LENGTH_BYTES: Final = 4


class TooDeepError(UnencodableError):
    """A value whose nesting goes on for too long, perhaps forever."""


class Unreadable:
    """What decoding gives for bytes that no encoder of this version wrote."""

    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE: Final = Unreadable()


def encode(value: object, fallback: Fallback | None = None) -> bytes:
    """Encode a value; equal sets give equal bytes in every process.

    Args:
        value: The value.
        fallback: Asked what stands for an object that has no encoding of its own; raises UnencodableError if
            nothing can. Bytes made with its help can be compared but not decoded.

    Raises:
        UnencodableError: (a TypeError) A part of the value cannot be encoded; the message is about that part only.
    """
    try:
        return _encoder.encode(_Packer(_NATIVE, fallback).pack(value, 0))
    except (OverflowError, UnicodeEncodeError):
        return _encoder.encode(_Packer(_NATIVE_WHATEVER_THE_VALUE, fallback).pack(value, 0))


def decode(payload: bytes | memoryview) -> object:
    """Decode what :func:`encode` made; ``UNREADABLE`` for all other bytes. Nothing in the bytes is executed."""
    try:
        return _decoder.decode(payload)
    except _UNREADABLE_BECAUSE:
        return UNREADABLE


# What the constructors behind an extension code raise for arguments that no encoder wrote.
_UNREADABLE_BECAUSE: Final = (
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,  # a path of another operating system
    OSError,
    RecursionError,
    MemoryError,
    struct.error,
)


class _Packer:
    """Turns a value into one that the MessagePack encoder writes as it is."""

    __slots__ = ("_fallback", "_native")

    def __init__(self, native: frozenset[type], fallback: Fallback | None) -> None:
        self._native = native
        self._fallback = fallback

    def pack(self, value: Any, depth: int) -> object:
        kind = type(value)
        if kind in self._native:
            return value
        if depth > MAX_DEPTH:
            raise TooDeepError(f"value nested deeper than {MAX_DEPTH} levels")
        way = _WAYS.get(kind)
        if way is not None:
            return way(self, value, depth)
        leaf = LEAVES.get(kind)
        if leaf is not None:
            return Ext(leaf.code, leaf.pack(value))
        if kind.__module__ == "numpy":
            return _pack_numpy(value)
        if self._fallback is None:
            raise UnencodableError(f"object of type {kind.__qualname__}")
        return Ext(_IDENTITY, _encoder.encode(self.pack(self._fallback(value), depth + 1)))

    def pack_int(self, value: int, _: int) -> object:
        return value if -(2**63) <= value < 2**64 else Ext(INT_LEAF.code, INT_LEAF.pack(value))

    def pack_str(self, value: str, _: int) -> object:
        return value if _is_utf8(value) else Ext(TEXT_LEAF.code, TEXT_LEAF.pack(value))

    def pack_tuple(self, items: tuple[object, ...], depth: int) -> Ext:
        return Ext(_TUPLE, self._members(items, depth))

    def pack_set(self, items: set[object], depth: int) -> Ext:
        return Ext(_SET, self._sorted_members(items, depth))

    def pack_frozenset(self, items: frozenset[object], depth: int) -> Ext:
        return Ext(_FROZENSET, self._sorted_members(items, depth))

    def pack_list(self, items: list[object], depth: int) -> list[object]:
        if self._native.issuperset(map(type, items)):
            return items
        return [self.pack(item, depth + 1) for item in items]

    def pack_dict(self, items: dict[object, object], depth: int) -> object:
        if not self._native.issuperset(map(type, items)):
            return Ext(_PAIRS, self._members((part for pair in items.items() for part in pair), depth))
        if self._native.issuperset(map(type, items.values())):
            return items
        return {key: self.pack(value, depth + 1) for key, value in items.items()}

    def _members(self, items: Iterable[object], depth: int) -> bytes:
        return _encoder.encode([self.pack(item, depth + 1) for item in items])

    def _sorted_members(self, items: Iterable[object], depth: int) -> bytes:
        # A set has no order of its own: the bytes give it one, the same in every process.
        encoded = sorted(_encoder.encode(self.pack(item, depth + 1)) for item in items)
        return _encoder.encode([msgspec.Raw(item) for item in encoded])


_WAYS: Final[dict[type, Callable[[_Packer, Any, int], object]]] = {
    list: _Packer.pack_list,
    dict: _Packer.pack_dict,
    tuple: _Packer.pack_tuple,
    set: _Packer.pack_set,
    frozenset: _Packer.pack_frozenset,
    int: _Packer.pack_int,
    str: _Packer.pack_str,
}


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pack_numpy(value: object) -> Ext:
    from jarvisperf.cache import arrays

    text = arrays.plain_text(value)
    if text is not None:
        return Ext(_NUMPY_TEXT, encode(text))
    header, memory = arrays.take_apart(value)
    encoded = encode(header)
    return Ext(_NUMPY, len(encoded).to_bytes(_HEADER_LENGTH_BYTES, "big") + encoded + memory)


def _unpack_numpy(data: memoryview) -> object:
    from jarvisperf.cache import arrays

    end = _HEADER_LENGTH_BYTES + int.from_bytes(data[:_HEADER_LENGTH_BYTES], "big")
    return arrays.put_together(_decoder.decode(data[_HEADER_LENGTH_BYTES:end]), data[end:])


def _unpack_numpy_text(data: memoryview) -> object:
    from jarvisperf.cache import arrays

    return arrays.numpy_text(_decoder.decode(data))


def _unpack_pairs(data: memoryview) -> dict[object, object]:
    parts = iter(_decoder.decode(data))
    return dict(zip(parts, parts, strict=True))


_UNPACKERS: Final[dict[int, Callable[[memoryview], object]]] = {
    _TUPLE: lambda data: tuple(_decoder.decode(data)),
    _SET: lambda data: set(_decoder.decode(data)),
    _FROZENSET: lambda data: frozenset(_decoder.decode(data)),
    _PAIRS: _unpack_pairs,
    _NUMPY: _unpack_numpy,
    _NUMPY_TEXT: _unpack_numpy_text,
    **{leaf.code: leaf.unpack for leaf in (INT_LEAF, TEXT_LEAF, *LEAVES.values())},
}


def _unpack(code: int, data: memoryview) -> object:
    return _UNPACKERS[code](data)  # an unknown code is a KeyError, and so unreadable


_encoder = Encoder()
_decoder: Decoder[Any] = Decoder(ext_hook=_unpack)
