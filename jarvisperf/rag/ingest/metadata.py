"""Checks the metadata of passages before anything is embedded.

The rules are those of Chroma 1.5.9, plus two for values that Chroma accepts but loses: keys that begin with
``chroma:``, which it never returns; and infinity or NaN in a list, after which it can no longer read the collection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from jarvisperf.rag.store.filters import MARK, RESERVED_KEYS
from jarvisperf.rag.texts import check_unicode

Metadata: TypeAlias = Mapping[str, Any] | None

_SCALARS: Final = (bool, int, float, str)  # bool is an int, so it comes first
_ALLOWED: Final = "give strings, numbers, booleans, None, or a list of one of these types"


def checked_metadata(index: int, metadata: Metadata) -> dict[str, Any] | None:
    """Return a copy of the metadata of the text at ``index`` in Chroma's types; tuples, as in results, become lists.

    Raises:
        TypeError: It is not a dictionary.
        ValueError: It has a key or a value that cannot be stored.
    """
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata {index} is {metadata!r}: give a dictionary or None")
    return {_key(index, name): _value(f"metadata {index}[{name!r}]", value) for name, value in metadata.items()}


def is_storable(name: str) -> bool:
    """Return whether a passage's metadata can have a key of this name."""
    return name != "" and not name.startswith((MARK, *RESERVED_KEYS))


def _key(index: int, name: Any) -> str:
    key = f"metadata {index} has the key {name!r}"
    if not isinstance(name, str) or not name:
        raise ValueError(f"{key}: give strings of at least one character")
    check_unicode(name, f"a key of metadata {index}")
    if name.startswith(MARK):
        raise ValueError(f"{key}, which is reserved for jarvisperf: use another name")
    if name.startswith(RESERVED_KEYS):
        reserved = ", ".join(RESERVED_KEYS)
        raise ValueError(f"{key}: names that begin with {reserved} are reserved by Chroma; use another one")
    return name


def _value(place: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return _scalar(place, value)
    parts = [_scalar(place, part) for part in value]
    if len({type(part) for part in parts}) != 1:
        raise ValueError(f"{place} is {value!r}: give a list of at least one value, all of one type")
    if any(isinstance(part, float) and not math.isfinite(part) for part in parts):
        raise ValueError(f"{place} is {value!r}: give finite numbers in a list")
    return parts


def _scalar(place: str, value: Any) -> bool | int | float | str:
    """Return the value in a built-in type; NumPy has subclasses of float and str."""
    for kind in _SCALARS:
        if isinstance(value, kind):
            break
    else:
        raise ValueError(f"{place} is {value!r} of type {type(value).__name__}: {_ALLOWED}")
    if isinstance(value, str):
        check_unicode(value, place)
    if isinstance(value, int) and value.bit_length() > 1000:
        raise ValueError(f"{place} is a number of {value.bit_length()} bits: give at most 1000")
    plain: bool | int | float | str = value if type(value) is kind else getattr(kind, f"__{kind.__name__}__")(value)
    return plain
