"""numpy arrays and scalars to bytes and back: a header (dtype, shape, order) and the raw memory.

This module imports numpy, so it is itself imported only when a value is, or was, numpy's.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

from jarvisperf.cache.leaves import UnencodableError

_SCALAR: Final = ""

Header = tuple[Any, list[int], str]
"""The dtype, described as the .npy format does; the shape; the order in memory: ``C``, ``F``, or empty for a scalar."""


def plain_text(value: object) -> str | bytes | None:
    """Give what numpy's own str or bytes scalar holds; None for any other value.

    They go another way than other scalars because their memory does not keep trailing zeros.
    """
    if type(value) is np.str_:
        return value[:]  # where str() leaves trailing zeros out
    return bytes(value) if type(value) is np.bytes_ else None


def numpy_text(value: Any) -> np.str_ | np.bytes_:
    """Undo :func:`plain_text`."""
    return np.str_(value) if isinstance(value, str) else np.bytes_(value)


def take_apart(value: object) -> tuple[Header, bytes]:
    """Give the header and the memory of an array or scalar.

    Raises:
        UnencodableError: It holds Python objects, or is of a subclass, or is something else of numpy's.
    """
    if type(value) is np.ndarray:
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return (_description(value.dtype), list(value.shape), order), value.tobytes("F" if order == "F" else "C")
    if isinstance(value, np.generic) and type(value) is value.dtype.type:
        return (_description(value.dtype), [], _SCALAR), value.tobytes()
    raise UnencodableError(f"object of type {type(value).__qualname__}")


def put_together(header: Any, data: memoryview) -> object:
    """Make the array or scalar again, in memory of its own that may be written to.

    Raises:
        ValueError: The header does not fit the memory (checked before anything is allocated), or names a dtype with
            Python objects in it.
    """
    description, shape, order = header
    dtype = npy.descr_to_dtype(description)
    if dtype.hasobject:
        raise ValueError("a dtype with Python objects in it")
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError(f"a dimension of length {length!r}")
        count *= length
    if count * dtype.itemsize != data.nbytes:
        raise ValueError(f"{data.nbytes} bytes of memory for {count} items of {dtype.itemsize} bytes")
    # The memory is copied as it is: numpy's own copy would leave the padding of structured dtypes to chance.
    array = np.ndarray(shape, dtype, buffer=bytearray(data), order="F" if order == "F" else "C")
    return array[()] if order == _SCALAR else array


def _description(dtype: np.dtype[Any]) -> Any:
    description = npy.dtype_to_descr(dtype)
    if dtype.hasobject or npy.descr_to_dtype(description) != dtype:
        raise UnencodableError(f"numpy value of dtype {dtype}")
    return description
