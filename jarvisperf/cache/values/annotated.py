"""Restores results to their annotated type: dataclasses, msgspec Structs, NamedTuples and TypedDicts."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import typing
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# The types that the cache's codec stores natively.
_KEPT: Final = (
    bytes, datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID,
)  # fmt: skip


class MisfitError(Exception):
    """The stored value does not fit the annotated type."""


class Form(NamedTuple):
    """Converts results of one type for storage and back.

    Attributes:
        flatten: Converts a result to plain dictionaries and lists; raises TypeError if it is not of the type.
        restore: Rebuilds the result; raises ``MisfitError`` if the stored value does not fit.
    """

    flatten: Callable[[Any], Any]
    restore: Callable[[Any], Any]


def form_of(function: Callable[..., Any]) -> Form | None:
    """Return the form of a function's annotated result type; None if its results are stored unchanged."""
    try:
        annotation = typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):  # it names something that only type checkers import
        return None
    if annotation is None or not _has_fields_inside(annotation):
        return None
    import msgspec

    try:
        msgspec.json.schema(annotation)
    except TypeError:  # msgspec does not understand it
        return None

    def flatten(value: Any) -> Any:
        return msgspec.to_builtins(value, builtin_types=_KEPT)

    def restore(stored: Any) -> Any:
        try:
            return msgspec.convert(stored, annotation, builtin_types=_KEPT)
        except msgspec.ValidationError as error:
            raise MisfitError(str(error)) from error

    return Form(flatten, restore)


def _has_fields_inside(annotation: Any) -> bool:
    if isinstance(annotation, type):
        if dataclasses.is_dataclass(annotation) or hasattr(annotation, "__struct_fields__"):
            return True
        if typing.is_typeddict(annotation) or (issubclass(annotation, tuple) and hasattr(annotation, "_fields")):
            return True
    return any(_has_fields_inside(part) for part in typing.get_args(annotation))
