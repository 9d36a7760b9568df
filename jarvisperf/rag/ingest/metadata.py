"""What may stand beside a passage, checked and named before anything is embedded.

The rules are those of Chroma 1.5.9. It takes two more things that would be lost: keys that begin with ``chroma:``,
which it never gives back, and infinity or NaN in a list, after which it can never read the collection again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from jarvisperf.rag.store.records import MARK
from jarvisperf.rag.texts import check_unicode

Metadata: TypeAlias = Mapping[str, Any] | None

_RESERVED: Final = ("#", "$", "chroma:")
_SCALARS: Final = (bool, int, float, str)  # bool is an int, so it comes first
_ALLOWED: Final = "give strings, numbers, booleans, None, or a list of one kind of them"


def checked_metadata(index: int, metadata: Metadata) -> dict[str, Any] | None:
    """A copy of the metadata of the text at ``index``, as Chroma takes it: tuples, which results have, become lists.

    Raises:
        TypeError: It is no dictionary.
        ValueError: It has a key or a value that cannot be stored.
    """
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata {index} is {metadata!r}: give a dictionary or None")
    return {_key(index, name): _value(f"metadata {index}[{name!r}]", value) for name, value in metadata.items()}


def _key(index: int, name: Any) -> str:
    key = f"metadata {index} has the key {name!r}"
    if not isinstance(name, str) or not name:
        raise ValueError(f"{key}: give strings of at least one character")
    check_unicode(name, f"a key of metadata {index}")
    if name == MARK:
        raise ValueError(f"{key}, which is this package's own: name it otherwise")
    if name.startswith(_RESERVED):
        raise ValueError(f"{key}: those that begin with {', '.join(_RESERVED)} are Chroma's own, name it otherwise")
    return name


def _value(place: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return _scalar(place, value)
    parts = [_scalar(place, part) for part in value]
    if len({type(part) for part in parts}) != 1:
        raise ValueError(f"{place} is {value!r}: give a list of one kind of values, and at least one")
    if any(isinstance(part, float) and not math.isfinite(part) for part in parts):
        raise ValueError(f"{place} is {value!r}: give finite numbers in a list")
    return parts


def _scalar(place: str, value: Any) -> bool | int | float | str:
    """The value in Python's own type: NumPy has floats and strings that are subclasses of it."""
    for kind in _SCALARS:
        if isinstance(value, kind):
            break
    else:
        raise ValueError(f"{place} is {value!r}, a {type(value).__name__}: {_ALLOWED}")
    if isinstance(value, str):
        check_unicode(value, place)
    if isinstance(value, int) and value.bit_length() > 1000:
        raise ValueError(f"{place} is a number of {value.bit_length()} bits: give at most 1000")
    plain: bool | int | float | str = value if type(value) is kind else getattr(kind, f"__{kind.__name__}__")(value)
    return plain
