"""Isolation: memory holds values so that no caller can change them, and every reader gets its own.

- Immutable values (str, bytes, numbers, None, dates, Decimal, UUID, paths, tuples and frozensets of these) are shared.
- A flat dict, list or set of these is held as a private copy, and each reader gets a copy of that. Copying a small dict
  takes about a third of the time of decoding it.
- A dict or list of these that also contains a few flat dicts, lists and sets is held in the same way, and so is a numpy
  array.
- Every other value is held as its encoded bytes, which are decoded for each reader.
"""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

PLAIN: Final[frozenset[type]] = frozenset({str, bytes, int, float, bool, type(None)})
"""Immutable types that always have an encoding, so that no trial encoding is needed."""

_IMMUTABLE: Final[frozenset[type]] = PLAIN | {
    complex, datetime.datetime, datetime.date, datetime.time, datetime.timedelta, Decimal, Fraction, UUID,
    PosixPath, PurePosixPath, WindowsPath, PureWindowsPath,
}  # fmt: skip

# Without the collector's header, so that their own method, which takes a quarter of the time, tells the whole size.
_SIZE_OF: Final[dict[type, Callable[[Any], int]]] = {
    str: str.__sizeof__, bytes: bytes.__sizeof__, int: int.__sizeof__, float: float.__sizeof__,
}  # fmt: skip
_FIXED: Final[frozenset[type]] = frozenset({tuple, frozenset})
_COPIERS: Final[dict[type, Callable[[Any], object]]] = {dict: dict.copy, list: list.copy, set: set.copy}
_WITH_HIDDEN: Final[frozenset[type]] = frozenset({
    UUID, Fraction, PosixPath, PurePosixPath, WindowsPath, PureWindowsPath,
})  # fmt: skip
_ZONED: Final[frozenset[type]] = frozenset({datetime.datetime, datetime.time})
_SHARED_ZONES: Final = frozenset({id(datetime.UTC)})
# What a path holds; since Python 3.13, a property stands in front of one of the slots.
_PATH_SLOTS: Final = tuple(
    name
    for name in {name for kind in PurePosixPath.__mro__ for name in getattr(kind, "__slots__", ())}
    if type(getattr(PurePosixPath, name, None)) is MemberDescriptorType
)
# Python's allocator rounds up to 16 bytes, which adds half of that on average.
_PADDING_BYTES: Final = 8
_ARRAY_BYTES: Final = 128
_ZONE_BYTES: Final = (
    sys.getsizeof(datetime.timezone(datetime.timedelta(hours=1))) + sys.getsizeof(datetime.timedelta(hours=1))
    + 2 * _PADDING_BYTES
)  # fmt: skip
# Beyond that, the encoded bytes take far less memory and decode about as fast as the containers can be copied.
_MOST_INNER: Final = 16


NATIVE_COPIES: Final = frozenset({None, dict.copy, list.copy})
"""What thaws a value of plain types only, which MessagePack can write as it is."""


class Held(NamedTuple):
    """A value as memory holds it."""

    value: object
    """The value itself, a private copy of it, or its bytes."""
    thaw: Callable[[Any], object] | None
    """Makes the reader's own value from it; None if it is shared."""
    size_bytes: int


def hold_plain(value: Any) -> Held | None:
    """Return the form in which memory holds a value that surely has an encoding; None if only encoding it can tell."""
    if type(value) in PLAIN:
        return Held(value, None, sys.getsizeof(value))
    return _hold_flat(value, PLAIN) or _hold_nested(value, PLAIN)


def hold_encodable(value: Any, enums: Collection[type]) -> Held | None:
    """Return the form in which memory holds a value that has been encoded; None if only its bytes can be held.

    Args:
        value: The value.
        enums: Enum classes whose members are encoded by name; members are singletons.
    """
    kind = type(value)
    if kind in _IMMUTABLE or kind in enums:
        return Held(value, None, sys.getsizeof(value) + _PADDING_BYTES + _hidden_bytes((value,)))
    if kind in _FIXED and all(part in _IMMUTABLE or part in enums for part in set(map(type, value))):
        return Held(value, None, _size(value) + _hidden_bytes(value))
    if kind.__module__ == "numpy":
        return _hold_numpy(value)
    return _hold_flat(value, _IMMUTABLE) or _hold_nested(value, _IMMUTABLE)


def _hold_flat(value: Any, immutable: frozenset[type]) -> Held | None:
    copier = _COPIERS.get(type(value))
    if copier is None:
        return None
    copy: Any = copier(value)  # copy first: another thread may change the value
    kinds = set(map(type, copy))
    if not kinds <= immutable:
        return None
    size_bytes = sys.getsizeof(copy) + _total_size(copy, kinds)
    if type(copy) is dict:
        kinds = set(map(type, copy.values()))
        if not kinds <= immutable:
            return None
        size_bytes += _total_size(copy.values(), kinds)
    return Held(copy, copier, size_bytes if immutable is PLAIN else size_bytes + _hidden_bytes_of_flat(copy))


def _hold_nested(value: Any, immutable: frozenset[type]) -> Held | None:
    """Return a dict or list that contains a few flat containers as memory holds it; None for any other value."""
    if type(value) is dict:
        outer: Any = value.copy()
        if not immutable.issuperset(map(type, outer)):
            return None
        places: Iterable[tuple[Any, Any]] = outer.items()
    elif type(value) is list:
        outer = value.copy()
        places = enumerate(outer)
    else:
        return None
    inner: list[tuple[Any, Any]] = []
    size_bytes = 0
    for place, item in places:
        if type(item) not in immutable:
            held = None if len(inner) == _MOST_INNER else _hold_flat(item, immutable)
            if held is None:
                return None
            inner.append((place, held.value))
            size_bytes += held.size_bytes
    for place, _ in inner:
        outer[place] = None
    size_bytes += _size(outer) + _size(inner)
    return Held(
        (outer, inner), _copy_nested, size_bytes if immutable is PLAIN else size_bytes + _hidden_bytes_of_flat(outer)
    )


def _copy_nested(held: tuple[Any, list[tuple[Any, Any]]]) -> object:
    outer, inner = held
    copy = outer.copy()
    for place, part in inner:
        copy[place] = part.copy()
    return copy


def _hold_numpy(value: Any) -> Held | None:
    from jarvisperf.cache.values import arrays

    if not arrays.is_plain_array(value):
        return None
    return Held(arrays.private_copy(value), arrays.private_copy, value.nbytes + _ARRAY_BYTES)


# --- sizes


def _size(value: Any) -> int:
    """Return the size of a container and of its parts, without what those refer to."""
    size = sys.getsizeof(value) + _total_size(value, set(map(type, value)))
    if type(value) is dict:
        size += _total_size(value.values(), set(map(type, value.values())))
    return size


def _total_size(parts: Collection[Any], kinds: set[type]) -> int:
    size_of = _SIZE_OF.get(next(iter(kinds)), sys.getsizeof) if len(kinds) == 1 else sys.getsizeof
    return sum(map(size_of, parts)) + _PADDING_BYTES * len(parts)


def _hidden_bytes_of_flat(value: Any) -> int:
    hidden = _hidden_bytes(value)
    return hidden + _hidden_bytes(value.values()) if type(value) is dict else hidden


def _hidden_bytes(parts: Collection[Any]) -> int:
    """Return the size of what immutable objects refer to, which ``sys.getsizeof`` leaves out."""
    hidden = sum(_hidden_in(part) for part in parts if type(part) in _WITH_HIDDEN)
    # Each time that was parsed or decoded has a zone object of its own; times of one value may share one as well.
    zones = {id(part.tzinfo) for part in parts if type(part) in _ZONED and type(part.tzinfo) is datetime.timezone}
    return hidden + len(zones - _SHARED_ZONES) * _ZONE_BYTES


def _hidden_in(part: Any) -> int:
    if type(part) is UUID:
        return sys.getsizeof(part.int) + _PADDING_BYTES
    if type(part) is Fraction:
        return sys.getsizeof(part.numerator) + sys.getsizeof(part.denominator) + 2 * _PADDING_BYTES
    size = 0
    for name in _PATH_SLOTS:
        held = getattr(part, name, None)
        if type(held) in {list, tuple} and held:
            # The names of folders are interned, so other paths share them.
            size += sys.getsizeof(held) + sys.getsizeof(held[-1]) + 2 * _PADDING_BYTES
        elif type(held) is str and len(held) > 1:
            size += sys.getsizeof(held) + _PADDING_BYTES
    return size
