"""Filters on metadata and text: their canonical form, and which passages they certainly exclude.

The syntax is that of Chroma's documentation (Metadata Filtering, Full Text Search). Chroma validates a filter when it
runs it. This module decides only whether a passage certainly fails one; "not sure" is always a correct answer.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Filter = Mapping[str, Any]

RESERVED_KEYS: Final = ("#", "$", "chroma:")
"""What the names that Chroma keeps for itself begin with; ``chroma:document`` is a passage's text."""

MARK: Final = "_jarvisperf"
"""The metadata key of a passage's mark; see ``records.py``. Names that begin with it are ours, and hidden."""

NAME: Final = f"{MARK}_name"
"""The metadata key of a file's name as it was added; ``source`` is its absolute path."""

TOKEN: Final = f"{MARK}_waiting"
"""The metadata key of the token of a passage that waits for its vector; see ``waiting.py``."""

_MAX_LEVELS: Final = 100  # each $and or $or is two levels; a Chroma server reads at most 127

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The passages that a search may return.

    Attributes:
        where: Chroma's filter on metadata.
        where_document: Chroma's filter on text.
        filters: The filters that are set, as keyword arguments for Chroma.
    """

    where: Filter | None = None
    where_document: Filter | None = None
    filters: dict[str, Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        filters = {} if self.where is None else {"where": dict(self.where)}
        if self.where_document is not None:
            filters["where_document"] = dict(self.where_document)
        object.__setattr__(self, "filters", filters)


EVERYTHING = Selection()


def checked_filter(name: str, given: Filter | None) -> Filter | None:
    """Return a filter in built-in types: tuples become lists, and numbers and strings of NumPy and enums plain ones.

    The search and the cache key both use this copy, so filters that share a key also mean the same to Chroma. A copy is
    also needed because callers may change theirs while an answer is cached.

    Raises:
        TypeError: It is not a dictionary, or holds keys or values that no filter can have, such as a date.
        ValueError: It is empty, or nested too deeply.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is {given!r}: give a dictionary such as {_example(name)}, or None")
    if not given:
        raise ValueError(f"{name} is {{}}: give a condition such as {_example(name)}, or None for no filter")
    _check_depth(name, given)
    plain = {key: _plain(name, given, value) for key, value in _string_keys(name, given, given)}
    canonical(name, plain)
    return plain


def canonical(name: str, given: Filter | None) -> str:
    """Return the same text for equal filters, whatever the order of their keys; an empty string for no filter.

    Raises:
        TypeError: It holds a value that no filter can have.
    """
    if given is None:
        return ""
    try:
        return canonical_text(given)
    except (TypeError, OverflowError, UnicodeEncodeError) as error:
        raise TypeError(f"{name} is {given!r}: give strings, numbers, booleans and lists of them ({error})") from error


def canonical_text(value: Any) -> str:
    """Return JSON with sorted keys, followed by MessagePack where JSON is ambiguous.

    Raises:
        TypeError: The value holds something other than dictionaries, lists and scalars.
        OverflowError: It holds an integer of more than 64 bits.
        UnicodeEncodeError: It holds a lone surrogate.
    """
    text = msgspec.json.encode(value, order="sorted").decode()
    if "null" not in text or _is_finite(value):
        return text
    return text + msgspec.msgpack.encode(value, order="sorted").hex()  # in JSON None and both infinities are null


def surely_excludes(where: Filter | None, metadata: Mapping[str, Any] | None) -> bool:
    """Return whether a passage with this metadata certainly fails the filter."""
    return where is not None and _match(where, metadata or {}) is False


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _check_depth(name: str, part: Any, left: int = _MAX_LEVELS) -> None:
    if not left:
        raise ValueError(f"{name} is nested more than {_MAX_LEVELS} levels deep: flatten it")
    for inner in part.values() if isinstance(part, Mapping) else part:
        if isinstance(inner, Mapping | list | tuple):
            _check_depth(name, inner, left - 1)


def _string_keys(name: str, given: Filter, part: Mapping[Any, Any]) -> Iterable[tuple[str, Any]]:
    for key in part:
        if not isinstance(key, str):
            raise TypeError(f"{name} is {given!r}: its keys must be strings, and {key!r} is of type {_kind(key)}")
    return [(str.__str__(key), value) for key, value in part.items()]


def _plain(name: str, given: Filter, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(name, given, inner) for key, inner in _string_keys(name, given, value)}
    if isinstance(value, list | tuple):
        return [_plain(name, given, inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return value if type(value) is kind else getattr(kind, f"__{kind.__name__}__")(value)
    # JSON would write a date as its string, and both would share an answer.
    raise TypeError(
        f"{name} is {given!r}: {value!r} is of type {_kind(value)}; give strings, numbers, booleans and lists of them"
    )


def _kind(value: Any) -> str:
    return type(value).__name__


def _match(where: Filter, metadata: Mapping[str, Any]) -> bool | None:
    """Return whether the metadata passes the filter; None if that is uncertain."""
    return _all([_match_one(key, condition, metadata) for key, condition in where.items()])


def _match_one(key: str, condition: Any, metadata: Mapping[str, Any]) -> bool | None:
    if key in {"$and", "$or"}:
        if not isinstance(condition, list | tuple):
            return None
        parts = [_match(part, metadata) for part in condition]
        return _all(parts) if key == "$and" else _any(parts)
    if key.startswith((*RESERVED_KEYS, MARK)):  # Chroma filters on them, but they are not in our record
        return None
    if not isinstance(condition, Mapping):
        condition = {"$eq": condition}
    if len(condition) != 1:
        return None
    ((operation, wanted),) = condition.items()
    return _compare(operation, wanted, metadata.get(key))


def _compare(operation: str, wanted: Any, value: Any) -> bool | None:
    if isinstance(value, list | tuple) or not _is_stored_unchanged(value):  # lists in metadata have their own rules
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
    # How Chroma compares values of different types (1 and 1.0, 1 and True) is not documented.
    return value == wanted if type(value) is type(wanted) else None


def _is_stored_unchanged(value: Any) -> bool:
    # Chroma drops infinity and NaN, and turns integers of more than 64 bits into floats.
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
