"""Filters on metadata and text: their canonical form, and what they surely exclude.

The forms are those of Chroma's documentation (Metadata Filtering, Full Text Search). Chroma checks them when it runs
them; what is decided here is only whether a passage certainly fails one. "Not sure" is always a right answer.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.store.canonical import canonical_text

if TYPE_CHECKING:
    from collections.abc import Callable

Filter = Mapping[str, Any]

_MOST_LEVELS: Final = 100  # each $and or $or is two; a Chroma server reads no more than 127

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def checked_filter(name: str, given: Filter | None) -> Filter | None:
    """A copy of the filter, if it has the look of one: the caller may change his own while an answer is cached.

    Raises:
        TypeError: It is no dictionary, or holds values that no filter can have.
        ValueError: It is empty, or nested too deeply.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is {given!r}: give a dictionary such as {_example(name)}, or None")
    if not given:
        raise ValueError(f"{name} is {{}}: give a condition such as {_example(name)}, or None for no filter")
    _check_depth(name, given)
    canonical(name, given)
    return copy.deepcopy(given)


def canonical(name: str, given: Filter | None) -> str:
    """One text for one filter, whatever the order in which its keys were given.

    Raises:
        TypeError: It holds a value that no filter can have.
    """
    if given is None:
        return ""
    try:
        return canonical_text(given)
    except (TypeError, OverflowError, UnicodeEncodeError) as error:
        raise TypeError(f"{name} is {given!r}: give strings, numbers, booleans and lists of them ({error})") from error


def _check_depth(name: str, part: Any, left: int = _MOST_LEVELS) -> None:
    if not left:
        raise ValueError(f"{name} is nested more than {_MOST_LEVELS} levels deep: make it flatter")
    for inner in part.values() if isinstance(part, Mapping) else part:
        if isinstance(inner, Mapping | list | tuple):
            _check_depth(name, inner, left - 1)


def surely_excludes(where: Filter | None, metadata: Mapping[str, Any] | None) -> bool:
    """Whether a passage with this metadata certainly fails the filter."""
    return where is not None and _match(where, metadata or {}) is False


def _match(where: Filter, metadata: Mapping[str, Any]) -> bool | None:
    """True, False, or None where it is not sure."""
    return _all([_match_one(key, condition, metadata) for key, condition in where.items()])


def _match_one(key: str, condition: Any, metadata: Mapping[str, Any]) -> bool | None:
    if key in {"$and", "$or"}:
        if not isinstance(condition, list | tuple):
            return None
        parts = [_match(part, metadata) for part in condition]
        return _all(parts) if key == "$and" else _any(parts)
    if key.startswith(("$", "#")):  # of Chroma's own
        return None
    if not isinstance(condition, Mapping):
        condition = {"$eq": condition}
    if len(condition) != 1:
        return None
    ((operation, wanted),) = condition.items()
    return _compare(operation, wanted, metadata.get(key))


def _compare(operation: str, wanted: Any, value: Any) -> bool | None:
    if isinstance(value, list | tuple) or not _is_stored_as_it_is(value):  # lists in metadata have rules of their own
        return None
    if operation in {"$eq", "$ne"}:
        found = _equal(value, wanted)
        return found if operation == "$eq" else _not(found)
    if operation in {"$in", "$nin"} and isinstance(wanted, list | tuple):
        found = _any([_equal(value, one) for one in wanted])
        return found if operation == "$in" else _not(found)
    if operation in _ORDERED:
        if value is None:
            return False
        if _is_number(value) and type(value) is type(wanted):
            return _ORDERED[operation](value, wanted)
    return None


def _equal(value: Any, wanted: Any) -> bool | None:
    if value is None:
        return False
    # Between types (1 and 1.0, 1 and True) Chroma has its own mind.
    return value == wanted if type(value) is type(wanted) else None


def _is_stored_as_it_is(value: Any) -> bool:
    # Chroma keeps no infinity or NaN, and makes a float of what has more than 64 bits.
    return math.isfinite(value) if isinstance(value, float) else not isinstance(value, int) or abs(value) < 2**63


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all(parts: list[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def _any(parts: list[bool | None]) -> bool | None:
    return True if True in parts else None if None in parts else False


def _not(part: bool | None) -> bool | None:
    return None if part is None else not part


def _example(name: str) -> str:
    return "{'language': 'pt'}" if name == "where" else "{'$contains': 'word'}"
