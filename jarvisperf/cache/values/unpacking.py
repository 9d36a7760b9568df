"""Decodes the bytes that ``msgpack.py`` wrote. Nothing in the bytes is executed."""

from __future__ import annotations

import enum
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.msgpack import Decoder

from jarvisperf.cache.values.classes import declared
from jarvisperf.cache.values.collection_types import COLLECTION_TYPES
from jarvisperf.cache.values.msgpack import (
    ENUM,
    FROZENSET,
    HEADER_LENGTH_BYTES,
    NUMPY,
    NUMPY_TEXT,
    OBJECT,
    PAIRS,
    SET,
    TUPLE,
)  # fmt: skip
from jarvisperf.cache.values.scalars import INT_LEAF, LEAVES, TEXT_LEAF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.cache.values.collection_types import CollectionType

UNREADABLE_BECAUSE: Final = (
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
"""Exceptions that the constructors behind the extension codes raise for arguments that no encoder wrote."""


class Unpacker:
    """Decodes values.

    Args:
        enums: The Enum classes whose members may be decoded, by name.

    Attributes:
        unpack: Decodes bytes to a value; raises one of ``UNREADABLE_BECAUSE`` for bytes that no encoder wrote.
    """

    def __init__(self, enums: Mapping[str, type[enum.Enum]]) -> None:
        self._enums = enums
        self._ways: dict[int, Callable[[memoryview], object]] = {
            TUPLE: lambda data: tuple(self.unpack(data)),
            SET: lambda data: set(self.unpack(data)),
            FROZENSET: lambda data: frozenset(self.unpack(data)),
            PAIRS: self._pairs,
            ENUM: self._member,
            OBJECT: lambda data: declared.rebuilt(*self.unpack(data)),
            NUMPY: self._numpy,
            NUMPY_TEXT: self._numpy_text,
            **{leaf.code: leaf.unpack for leaf in (INT_LEAF, TEXT_LEAF, *LEAVES.values())},
            **{kind.code: partial(self._collection, kind) for kind in COLLECTION_TYPES.values()},
        }
        decoder: Decoder[Any] = Decoder(ext_hook=self._extension)
        self.unpack: Callable[[bytes | memoryview], Any] = decoder.decode

    def _extension(self, code: int, data: memoryview) -> object:
        return self._ways[code](data)  # an unknown code is a KeyError, which counts as unreadable

    def _pairs(self, data: memoryview) -> dict[object, object]:
        parts = iter(self.unpack(data))
        return dict(zip(parts, parts, strict=True))

    def _collection(self, kind: CollectionType, data: memoryview) -> object:
        return kind.build(self.unpack(data))

    def _member(self, data: memoryview) -> enum.Enum:
        name, what = self.unpack(data)
        kind = self._enums.get(name) or declared.member_class(name)
        return kind(what) if issubclass(kind, enum.Flag) else kind[what]

    def _numpy(self, data: memoryview) -> object:
        from jarvisperf.cache.values import arrays

        end = HEADER_LENGTH_BYTES + int.from_bytes(data[:HEADER_LENGTH_BYTES], "big")
        return arrays.put_together(self.unpack(data[HEADER_LENGTH_BYTES:end]), data[end:])

    def _numpy_text(self, data: memoryview) -> object:
        from jarvisperf.cache.values import arrays

        return arrays.numpy_text(self.unpack(data))
