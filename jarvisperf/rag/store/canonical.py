"""One text for one value made of dictionaries, lists and scalars, whatever the order in which keys were given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec


def canonical_text(value: Any) -> str:
    """JSON with sorted keys, and what JSON cannot tell apart beside it.

    Raises:
        TypeError: It holds something else.
        OverflowError: It holds a whole number of more than 64 bits.
        UnicodeEncodeError: It holds a lone surrogate.
    """
    text = msgspec.json.encode(value, order="sorted").decode()
    if "null" not in text or _is_finite(value):
        return text
    return text + msgspec.msgpack.encode(value, order="sorted").hex()  # in JSON both infinities are null, like None


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
