"""Encodes and decodes the scalar types that MessagePack lacks: big integers, dates, decimals, UUIDs, paths, IPs.

The codes are part of the stored format: add new ones, but never change the meaning of an existing one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.msgpack import Decoder, Encoder

if TYPE_CHECKING:
    from collections.abc import Callable

BIG_INT: Final = 1
SURROGATES: Final = 2
_COMPLEX, _DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _FRACTION, _UUID, _PATH = range(16, 25)
_BYTEARRAY, _IP_ADDRESS = range(27, 29)  # 25 and 26 are Enum members and objects

_MICROSECOND = timedelta(microseconds=1)
_IP_TYPES: Final = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)
_PATH_TYPES: Final = (PosixPath, WindowsPath, PurePosixPath, PureWindowsPath)

_encoder = Encoder()
_decoder = Decoder()


class UnencodableError(TypeError):
    """An object has no encoding; the text says what kind of object it is.

    Args:
        what: The text.
        hint: What to do about it; appended to the message.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar type: its extension code, encoder and decoder."""

    code: int
    pack: Callable[[Any], bytes]
    unpack: Callable[[memoryview], object]


def _pack_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _unpack_int(data: memoryview | bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _pack_complex(value: complex) -> bytes:
    return struct.pack(">dd", value.real, value.imag)


def _unpack_complex(data: memoryview) -> complex:
    return complex(*struct.unpack(">dd", data))


def _pack_datetime(value: datetime) -> bytes:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return _encoder.encode([*parts, value.fold, _zone_parts(value)])


def _unpack_datetime(data: memoryview) -> datetime:
    year, month, day, hour, minute, second, microsecond, fold, zone = _decoder.decode(data)
    return datetime(year, month, day, hour, minute, second, microsecond, _zone(zone), fold=fold)


def _pack_time(value: time) -> bytes:
    parts = (value.hour, value.minute, value.second, value.microsecond)
    return _encoder.encode([*parts, value.fold, _zone_parts(value)])


def _unpack_time(data: memoryview) -> time:
    hour, minute, second, microsecond, fold, zone = _decoder.decode(data)
    return time(hour, minute, second, microsecond, _zone(zone), fold=fold)


def _zone_parts(value: datetime | time) -> str | list[object] | None:
    """Return None, the name of a zone, or an offset in microseconds with its name, if it has one."""
    zone = value.tzinfo
    if zone is None:
        return None
    if type(zone) is timezone:
        offset = zone.utcoffset(None)
        name = zone.tzname(None)
        return [offset // _MICROSECOND, None if name == timezone(offset).tzname(None) else name]
    if type(zone) is ZoneInfo and zone.key is not None:
        return zone.key
    raise UnencodableError(f"{type(value).__name__} with a time zone of type {type(zone).__name__}")


def _zone(parts: Any) -> tzinfo | None:
    if parts is None:
        return None
    if isinstance(parts, str):
        return ZoneInfo(parts)
    microseconds, name = parts
    offset = microseconds * _MICROSECOND
    return timezone(offset) if name is None else timezone(offset, name)


def _pack_timedelta(value: timedelta) -> bytes:
    return _encoder.encode((value.days, value.seconds, value.microseconds))


def _unpack_timedelta(data: memoryview) -> timedelta:
    days, seconds, microseconds = _decoder.decode(data)
    return timedelta(days, seconds, microseconds)


def _pack_fraction(value: Fraction) -> bytes:
    return _encoder.encode((_pack_int(value.numerator), _pack_int(value.denominator)))


def _unpack_fraction(data: memoryview) -> Fraction:
    numerator, denominator = _decoder.decode(data)
    return Fraction(_unpack_int(numerator), _unpack_int(denominator))


def _pack_path(value: PurePosixPath | PureWindowsPath) -> bytes:
    text = str(value)
    if isinstance(value, PureWindowsPath) and type(value)(text) != value:  # an odd UNC path such as //://
        raise UnencodableError(f"{type(value).__name__} whose text {text!r} is another path")
    return bytes([_PATH_TYPES.index(type(value))]) + _pack_text(text)


def _unpack_path(data: memoryview) -> PurePosixPath | PureWindowsPath:
    return _PATH_TYPES[data[0]](_unpack_text(data[1:]))


def _pack_ip(value: IPv4Address | IPv6Address | IPv4Network | IPv6Network) -> bytes:
    return bytes([_IP_TYPES.index(type(value))]) + str(value).encode()


def _unpack_ip(data: memoryview) -> object:
    return _IP_TYPES[data[0]](_unpack_text(data[1:]))


def _pack_text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _unpack_text(data: memoryview) -> str:
    return str(data, "utf-8", "surrogatepass")


_IP_LEAF = Leaf(_IP_ADDRESS, _pack_ip, _unpack_ip)
_PATH_LEAF = Leaf(_PATH, _pack_path, _unpack_path)

INT_LEAF = Leaf(BIG_INT, _pack_int, _unpack_int)
TEXT_LEAF = Leaf(SURROGATES, _pack_text, _unpack_text)

LEAVES: Final[dict[type, Leaf]] = {
    complex: Leaf(_COMPLEX, _pack_complex, _unpack_complex),
    datetime: Leaf(_DATETIME, _pack_datetime, _unpack_datetime),
    date: Leaf(_DATE, lambda value: value.isoformat().encode(), lambda data: date.fromisoformat(_unpack_text(data))),
    time: Leaf(_TIME, _pack_time, _unpack_time),
    timedelta: Leaf(_TIMEDELTA, _pack_timedelta, _unpack_timedelta),
    Decimal: Leaf(_DECIMAL, lambda value: str(value).encode(), lambda data: Decimal(_unpack_text(data))),
    Fraction: Leaf(_FRACTION, _pack_fraction, _unpack_fraction),
    UUID: Leaf(_UUID, lambda value: value.bytes, lambda data: UUID(bytes=bytes(data))),
    bytearray: Leaf(_BYTEARRAY, bytes, bytearray),
    **dict.fromkeys(_PATH_TYPES, _PATH_LEAF),
    **dict.fromkeys(_IP_TYPES, _IP_LEAF),
}
"""By exact type: a subclass would come back as its base class."""
