"""Encodes and decodes numpy arrays and scalars: a header (dtype, shape, order) and the raw memory.

This module imports numpy, so import it only when a value is, or was, a numpy object.

An array inside another value is a MessagePack extension. A value that is a single array has its own layout, which
writer and reader copy at most once; numbers are big-endian::

    offset  bytes  field
         0      4  length h of the header
         4      4  CRC-32 of the header, the zeros, and the sums of the memory's blocks
         8      h  the header: MessagePack of [dtype as in .npy, shape, order]
       8+h         zeros, up to a multiple of 64
                m  the memory

The memory is protected by the sum of the 64-bit words of each block of 4096 bytes: numpy computes it ten times as fast
as a CRC, and it detects a flipped bit or a misplaced block.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec
import numpy as np
from numpy.lib import format as npy

from jarvisperf.cache.values.scalars import UnencodableError

_ALIGNMENT_BYTES: Final = 64
_BLOCK_BYTES: Final = 4096
_START_BYTES: Final = 8

_SCALAR: Final = ""

Header = tuple[Any, list[int], str]
"""The dtype, described as the .npy format does; the shape; the order in memory: ``C``, ``F``, or empty for a scalar."""


def plain_text(value: object) -> str | bytes | None:
    """Return the content of a numpy str or bytes scalar; None for any other value.

    They are encoded separately because their memory does not keep trailing zeros.
    """
    if type(value) is np.str_:
        return value[:]  # str() would drop trailing zeros
    return bytes(value) if type(value) is np.bytes_ else None


def numpy_text(value: Any) -> np.str_ | np.bytes_:
    """Undo :func:`plain_text`."""
    return np.str_(value) if isinstance(value, str) else np.bytes_(value)


def take_apart(value: object) -> tuple[Header, bytes]:
    """Return the header and the memory of an array or scalar.

    Raises:
        UnencodableError: It holds Python objects, is of a subclass, or is another kind of numpy object.
    """
    if type(value) is np.ndarray:
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return (_description(value.dtype), list(value.shape), order), value.tobytes("F" if order == "F" else "C")
    if isinstance(value, np.generic) and type(value) is value.dtype.type:
        return (_description(value.dtype), [], _SCALAR), value.tobytes()
    raise UnencodableError(f"object of type {type(value).__qualname__}")


def put_together(header: Any, data: memoryview, *, in_place: bool = False) -> object:
    """Rebuild the array or scalar in its own writable memory.

    Args:
        header: The header from ``take_apart``.
        data: The memory.
        in_place: Let the array use this memory, which must be writable and not shared.

    Raises:
        ValueError: The header does not match the memory (checked before anything is allocated), or its dtype contains
            Python objects.
    """
    description, shape, order = header
    dtype = npy.descr_to_dtype(description)
    if dtype.hasobject:
        raise ValueError("dtype contains Python objects")
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError(f"dimension of length {length!r}")
        count *= length
    if count * dtype.itemsize != data.nbytes:
        raise ValueError(f"{data.nbytes} bytes of memory for {count} items of {dtype.itemsize} bytes")
    # A copy of the raw memory: numpy's own copy leaves the padding of structured dtypes undefined.
    array = np.ndarray(shape, dtype, buffer=data if in_place else bytearray(data), order="F" if order == "F" else "C")
    return array[()] if order == _SCALAR else array


def lay_out(value: object) -> tuple[bytes | memoryview, ...] | None:
    """Return the layout of an array in two parts; the second is the array's own memory where possible.

    Returns:
        The parts; None if the value is not an array that fits this layout.
    """
    if type(value) is not np.ndarray or not value.nbytes:
        return None
    try:
        description = _description(value.dtype)
    except UnencodableError:
        return None
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    rows = np.ascontiguousarray(value.T if order == "F" else value)
    memory = rows.reshape(-1).view(np.uint8).data
    header = msgspec.msgpack.encode((description, value.shape, order))
    head = header + bytes(-(_START_BYTES + len(header)) % _ALIGNMENT_BYTES)
    return len(header).to_bytes(4, "big") + _check(head, memory).to_bytes(4, "big") + head, memory


def from_layout(payload: memoryview) -> object:
    """Rebuild an array from its layout. Writable memory is not copied, because it belongs to this caller alone.

    Raises:
        ValueError: The bytes are not such a layout, or have changed.
    """
    end = _START_BYTES + int.from_bytes(payload[:4], "big")
    memory_start = end + -end % _ALIGNMENT_BYTES
    memory = payload[memory_start:]
    if _check(payload[_START_BYTES:memory_start], memory) != int.from_bytes(payload[4:_START_BYTES], "big"):
        raise ValueError("bytes of an array have changed")
    return put_together(msgspec.msgpack.decode(payload[_START_BYTES:end]), memory, in_place=not memory.readonly)


def private_copy(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Copy an array in the memory order that it would have when read from Redis."""
    return array.copy("F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C")


def is_plain_array(value: object) -> bool:
    """Return whether a numpy copy equals the result of decoding."""
    return type(value) is np.ndarray and value.dtype.names is None and not value.dtype.hasobject


def _check(head: bytes | memoryview, memory: memoryview) -> int:
    blocks = len(memory) // _BLOCK_BYTES * _BLOCK_BYTES
    sums = np.frombuffer(memory[:blocks], "<u8").reshape(-1, _BLOCK_BYTES // 8).sum(axis=1)
    return zlib.crc32(memory[blocks:], zlib.crc32(sums.tobytes(), zlib.crc32(head)))


def _description(dtype: np.dtype[Any]) -> Any:
    if dtype.hasobject or _has_metadata(dtype):
        raise UnencodableError(f"numpy value of dtype {dtype}{'' if dtype.hasobject else ' with metadata'}")
    try:
        description: Any = npy.dtype_to_descr(dtype)
        # A reader gets lists instead of tuples, which changes a dtype with titles.
        written = msgspec.msgpack.decode(msgspec.msgpack.encode(description)) if dtype.names else description
        kept = npy.descr_to_dtype(written)
        if kept.type is not dtype.type and dtype.names is None:  # two C types of one size, such as long long and long
            description = f"{dtype.byteorder}{dtype.char}"
            kept = np.dtype(description)
        is_kept = kept == dtype and _has_types_of(kept, dtype)
    except (ValueError, TypeError):  # fields that overlap or are not in memory order
        is_kept = False
    if not is_kept:
        raise UnencodableError(f"numpy value of dtype {dtype}")
    return description


def _has_types_of(kept: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether equal dtypes have elements and fields of the same types; a record is not a plain structure."""
    if dtype.subdtype is not None and kept.subdtype is not None:
        return _has_types_of(kept.subdtype[0], dtype.subdtype[0])
    return kept.type is dtype.type and all(_has_types_of(kept[name], dtype[name]) for name in dtype.names or ())


def _has_metadata(dtype: np.dtype[Any]) -> bool:
    if dtype.subdtype is not None:
        return _has_metadata(dtype.subdtype[0])
    return bool(dtype.metadata) or any(_has_metadata(dtype[name]) for name in dtype.names or ())
