"""Results that come back as what their annotation says: dataclasses, msgspec Structs, typed tuples and dictionaries."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import typing
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# What the cache's own codec keeps as it is.
_KEPT: Final = (
    bytes, datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID,
)  # fmt: skip


class MisfitError(Exception):
    """What is stored is not of the type that the function is annotated with."""


class Form(NamedTuple):
    """How results of one type are stored.

    Attributes:
        flatten: Makes plain dictionaries and lists of a result; a TypeError says that it is not of the type.
        restore: Makes the result again; raises a ``MisfitError`` for what is of another type.
    """

    flatten: Callable[[Any], Any]
    restore: Callable[[Any], Any]


def form_of(function: Callable[..., Any]) -> Form | None:
    """Give the form for what a function is annotated to return; None: its results are stored as they are."""
    try:
        annotation = typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):  # it names what only a type checker imports
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
