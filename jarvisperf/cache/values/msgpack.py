"""Encodes values as MessagePack, with extension codes for the types that MessagePack lacks.

Types are matched exactly: a subclass would come back as its base class, so it is rejected. Extension codes are part of
the stored format: add new ones, but never change the meaning of an existing one.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.msgpack import Encoder, Ext

from jarvisperf.cache.values.classes import declared
from jarvisperf.cache.values.classes.frames import LIBRARIES
from jarvisperf.cache.values.collection_types import COLLECTION_TYPES
from jarvisperf.cache.values.isolation import PLAIN
from jarvisperf.cache.values.scalars import INT_LEAF, LEAVES, TEXT_LEAF, UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jarvisperf.cache.values.collection_types import CollectionType

    Fallback = Callable[[object], object]

MAX_DEPTH: Final = 100
"""Containers nested deeper are rejected; without a limit, encoding a value that contains itself would never end."""

TUPLE, SET, FROZENSET, PAIRS = range(3, 7)
ENUM, OBJECT = range(25, 27)
NUMPY, NUMPY_TEXT = range(32, 34)
_IDENTITY: Final = 64  # stands for an object inside a cache key; never decoded

# The first attempt looks at types only, which is fast. If the encoder then meets an int of more than 64 bits or a str
# with a lone surrogate, the value is packed again, and every int and str is checked.
_NATIVE: Final[frozenset[type]] = PLAIN
_NATIVE_WHATEVER_THE_VALUE: Final[frozenset[type]] = PLAIN - {int, str}

HEADER_LENGTH_BYTES: Final = 4


class ChangedError(UnencodableError):
    """An object would not come back as it is."""


class TooDeepError(UnencodableError):
    """A value is nested too deeply, perhaps because it contains itself."""


def pack(
    value: object,
    enums: Mapping[type, str],
    fallback: Fallback | None = None,
    unpack: Callable[[bytes], object] | None = None,
) -> bytes:
    """Encode a value; equal sets give equal bytes in every process.

    Args:
        value: The value.
        enums: The Enum classes whose members may be stored, each with its name.
        fallback: Returns a stand-in for an object that has no encoding, or raises UnencodableError. Bytes that
            contain stand-ins can be compared but not decoded.
        unpack: Decodes the bytes. If the value contains objects, it verifies that they come back as they are: the
            decoded value must lead to the same bytes.

    Raises:
        UnencodableError: (a TypeError) A part of the value cannot be encoded; the message is about that part only.
    """
    payload, has_objects = _packed(value, enums, fallback)
    if has_objects and unpack is not None:
        try:
            is_same = _packed(unpack(payload), enums, fallback)[0] == payload
        except Exception as error:  # a class's own code may raise anything
            name, why = type(value).__qualname__, f"{type(error).__name__}: {error}"
            raise ChangedError(f"value: object of type {name} that cannot be read back ({why})") from error
        if not is_same:
            raise ChangedError(f"value: object of type {type(value).__qualname__} that comes back as another one")
    return payload


def pack_native(value: object) -> bytes | None:
    """Encode a value of plain types, or a dict or list of them; None if an int or a str needs an extension code."""
    try:
        return _encoder.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return None


def _packed(value: object, enums: Mapping[type, str], fallback: Fallback | None) -> tuple[bytes, bool]:
    """Return the encoded value, and whether it contains objects of declared classes."""
    packer = _Packer(_NATIVE, enums, fallback)
    try:
        return _encoder.encode(packer.pack(value, 0)), packer.has_objects
    except (OverflowError, UnicodeEncodeError):
        packer = _Packer(_NATIVE_WHATEVER_THE_VALUE, enums, fallback)
        return _encoder.encode(packer.pack(value, 0)), packer.has_objects


class _Packer:
    """Converts a value to one that the MessagePack encoder can write."""

    __slots__ = ("_enums", "_fallback", "_native", "has_objects")

    def __init__(self, native: frozenset[type], enums: Mapping[type, str], fallback: Fallback | None) -> None:
        self._native = native
        self._enums = enums
        self._fallback = fallback
        self.has_objects = False

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
            return self._pack_numpy(value)
        if self._fallback is None or kind in self._enums:
            return self._pack_declared(value, depth)
        return Ext(_IDENTITY, _encoder.encode(self.pack(self._fallback(value), depth + 1)))

    def pack_int(self, value: int, _: int) -> object:
        return value if -(2**63) <= value < 2**64 else Ext(INT_LEAF.code, INT_LEAF.pack(value))

    def pack_str(self, value: str, _: int) -> object:
        return value if _is_utf8(value) else Ext(TEXT_LEAF.code, TEXT_LEAF.pack(value))

    def pack_tuple(self, items: tuple[object, ...], depth: int) -> Ext:
        return Ext(TUPLE, self._members(items, depth))

    def pack_set(self, items: set[object], depth: int) -> Ext:
        return Ext(SET, self._sorted_members(items, depth))

    def pack_frozenset(self, items: frozenset[object], depth: int) -> Ext:
        return Ext(FROZENSET, self._sorted_members(items, depth))

    def pack_list(self, items: list[object], depth: int) -> list[object]:
        if self._native.issuperset(map(type, items)):
            return items
        return [self.pack(item, depth + 1) for item in items]

    def pack_dict(self, items: dict[object, object], depth: int) -> object:
        if not self._native.issuperset(map(type, items)):
            return Ext(PAIRS, self._members((part for pair in items.items() for part in pair), depth))
        if self._native.issuperset(map(type, items.values())):
            return items
        return {key: self.pack(value, depth + 1) for key, value in items.items()}

    def pack_collection(self, code: int, parts: Iterable[object], depth: int) -> Ext:
        return Ext(code, self._members(parts, depth))

    def _members(self, items: Iterable[object], depth: int) -> bytes:
        return _encoder.encode([self.pack(item, depth + 1) for item in items])

    def _sorted_members(self, items: Iterable[object], depth: int) -> bytes:
        # Sets have no order; sorting by the encoded bytes gives the same order in every process.
        encoded = sorted(_encoder.encode(self.pack(item, depth + 1)) for item in items)
        return _encoder.encode([msgspec.Raw(item) for item in encoded])

    def _pack_member(self, name: str, member: enum.Enum, depth: int) -> Ext:
        # By name, as programs refer to members. Flags by value, because a combination of them may have no name.
        what = self.pack(int(member.value), depth + 1) if isinstance(member, enum.Flag) else member.name
        return Ext(ENUM, _encoder.encode([name, what]))

    def _pack_declared(self, value: object, depth: int) -> Ext:
        kind = type(value)
        name = self._enums.get(kind) or declared.name_of(kind)
        if name is not None and isinstance(value, enum.Enum):
            return self._pack_member(name, value, depth)
        if name is None and kind.__module__.partition(".")[0] in LIBRARIES:
            declared.declare_table(kind)
            name = declared.name_of(kind)
        form = declared.form_of(kind)
        if form is None:
            raise declared.undeclared(value)
        self.has_objects = True
        try:
            taken = form.parts(value)
        except UnencodableError:
            raise
        except Exception as error:  # a class's own code, or its codec, may raise anything
            why = f"{type(error).__name__}: {error}"
            raise UnencodableError(f"object of type {kind.__qualname__} that cannot be taken apart ({why})") from error
        parts = [self.pack(part, depth + 1) for part in taken]
        return Ext(OBJECT, _encoder.encode([name, form.shape, parts]))

    def _pack_numpy(self, value: object) -> Ext:
        from jarvisperf.cache.values import arrays

        text = arrays.plain_text(value)
        if text is not None:
            return Ext(NUMPY_TEXT, pack(text, self._enums))
        header, memory = arrays.take_apart(value)
        encoded = pack(header, self._enums)
        return Ext(NUMPY, b"".join((len(encoded).to_bytes(HEADER_LENGTH_BYTES, "big"), encoded, memory)))


def _packing_as(collection: CollectionType) -> Callable[[_Packer, Any, int], object]:
    return lambda packer, value, depth: packer.pack_collection(collection.code, collection.parts(value), depth)


_WAYS: Final[dict[type, Callable[[_Packer, Any, int], object]]] = {
    list: _Packer.pack_list,
    dict: _Packer.pack_dict,
    tuple: _Packer.pack_tuple,
    set: _Packer.pack_set,
    frozenset: _Packer.pack_frozenset,
    int: _Packer.pack_int,
    str: _Packer.pack_str,
    **{kind: _packing_as(collection) for kind, collection in COLLECTION_TYPES.items()},
}


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_encoder = Encoder()
