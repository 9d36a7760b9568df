"""How instances of classes are taken apart to be stored, and rebuilt.

- Dataclasses and attrs classes: the values of their attributes. They are rebuilt without calling ``__init__``, so that
  they are exactly what they were.
- NamedTuples and msgspec Structs: the values of their fields.
- pydantic models: their own JSON, and their own validation.
- Other classes: what their registered codec makes of them.

A form's shape is a digest of names and annotations of the fields. A value that was stored with another shape is a miss:
its fields may mean something else now, and new ones would show a default that was never computed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
import types
import typing
from typing import TYPE_CHECKING, Any, Final, Protocol

from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SHAPE_BYTES: Final = 8
_ALIAS: Final = "__orig_class__"  # set by typing on what a generic class with arguments creates


class Form(Protocol):
    """How instances of one class are stored.

    Attributes:
        names: The names of the fields, in the order of the parts; empty if the parts are not fields.
        shape: A digest of the fields' names and annotations.
    """

    names: Sequence[str]
    shape: bytes

    def parts(self, value: Any) -> list[Any]:
        """Take an instance apart.

        Raises:
            UnencodableError: It would not come back as it is.
        """

    def rebuilt(self, kind: type, parts: list[Any]) -> object:
        """Rebuild an instance of the class from its parts; whatever it raises means that the parts do not fit."""


def form_for(kind: type) -> Form | None:
    """Return the form of a class that has one without a registered codec."""
    if dataclasses.is_dataclass(kind):
        return _attribute_form(kind, [field.name for field in dataclasses.fields(kind)])
    if hasattr(kind, "__attrs_attrs__"):
        return _attribute_form(kind, [attribute.name for attribute in kind.__attrs_attrs__])
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _TupleForm(kind)
    if hasattr(kind, "__struct_fields__"):
        return _StructForm(kind)
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and issubclass(kind, pydantic.BaseModel):
        from jarvisperf.cache.values.classes.models import ModelForm

        return ModelForm(kind)
    return None


# --- annotations


def resolved(function: Callable[..., Any]) -> Any:
    """Return a function's result annotation; None if it has none, or one that only type checkers can resolve.

    Only this annotation is evaluated, in the function's own scope, so that those of its arguments do not matter.
    """
    function = getattr(function, "__wrapped__", function)
    annotation = getattr(function, "__annotations__", {}).get("return")
    if annotation is None:
        return None
    closure = getattr(function, "__closure__", None) or ()
    local = {}
    for name, cell in zip(function.__code__.co_freevars if closure else (), closure, strict=True):
        try:
            local[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    holder = types.SimpleNamespace(__annotations__={"return": annotation})
    return _hints(holder, getattr(function, "__globals__", {}), local).get("return")


def hints_of(kind: type) -> Iterable[Any]:
    """Return the annotations of a class's fields; nothing if only type checkers can resolve them."""
    return _hints(kind).values()


def _hints(
    annotated: Any, globals_: dict[str, Any] | None = None, local: dict[str, Any] | None = None
) -> dict[str, Any]:
    try:
        return typing.get_type_hints(annotated, globals_, local)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def _shape(kind: type, names: Iterable[str]) -> bytes:
    annotations: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        annotations |= vars(base).get("__annotations__", {})
    fields = [(name, _text(annotations.get(name))) for name in names]
    return hashlib.blake2b(repr(fields).encode(), digest_size=_SHAPE_BYTES).digest()


def _text(annotation: object) -> str:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return f"{annotation.__module__}.{annotation.__qualname__}"
    return str(annotation)


# --- forms


def _attribute_form(kind: type, names: Sequence[str]) -> Form | None:
    """Return the form of a class whose instances are their attributes; None for others, such as exceptions."""
    return _AttributeForm(kind, names) if _has_only_attributes(kind) else None


def _has_only_attributes(kind: Any) -> bool:
    return kind.__new__ is object.__new__


class _AttributeForm:
    """The values of the fields, and a dict of other attributes, if the instance has any."""

    def __init__(self, kind: type, names: Sequence[str]) -> None:
        self.names = names
        self.shape = _shape(kind, names)
        self.aliases: dict[str, object] = {}
        self._has_slots = any(isinstance(getattr(kind, name, None), types.MemberDescriptorType) for name in names)
        self._derived = _derived(kind)
        self._other_slots = {
            name: slot
            for base in kind.__mro__
            if "__attrs_attrs__" not in vars(base)  # there, the other slots are those of cached properties
            for name, slot in vars(base).items()
            if isinstance(slot, types.MemberDescriptorType) and name not in names
        }

    def parts(self, value: Any) -> list[Any]:
        own: dict[str, Any] = getattr(value, "__dict__", {})
        try:
            parts = [own[name] if name in own else getattr(value, name) for name in self.names]
        except AttributeError as error:
            raise UnencodableError(
                f"object of type {type(value).__qualname__} without its attribute {error.name}"
            ) from None
        others = {name: part for name, part in own.items() if name not in self.names and name not in self._derived}
        for name, slot in self._other_slots.items():
            if hasattr(value, name):
                others[name] = slot.__get__(value)
        if _ALIAS in others:
            text = str(others[_ALIAS])
            if self.aliases.get(text) != others[_ALIAS]:
                raise UnencodableError(f"{text}, which the cached function's result annotation does not name,")
            others[_ALIAS] = text
        return [*parts, others] if others else parts

    def rebuilt(self, kind: type, parts: list[Any]) -> object:
        count = len(self.names)
        values, others = parts[:count], parts[count:]
        made: Any = object.__new__(kind)
        if self._has_slots:
            for name, part in zip(self.names, values, strict=True):
                object.__setattr__(made, name, part)
        else:
            made.__dict__.update(zip(self.names, values, strict=True))
        for attributes in others:
            for name, part in attributes.items():
                if name in self._other_slots:
                    self._other_slots[name].__set__(made, part)
                else:
                    made.__dict__[name] = self.aliases[part] if name == _ALIAS else part
        return made


def note_alias(form: Form, alias: object) -> None:
    """Let a form store instances that remember how their generic class was called: ``Page[int](...)``.

    Args:
        form: The form of the class.
        alias: The class with its arguments: ``Page[int]``.
    """
    if isinstance(form, _AttributeForm):
        form.aliases[str(alias)] = alias


def _derived(kind: type) -> frozenset[str]:
    """Return the names of a class's cached properties, which are computed from the fields again."""
    return frozenset(
        name
        for base in kind.__mro__
        for name, made in vars(base).items()
        if isinstance(made, functools.cached_property)
    )


class _TupleForm:
    """The fields of a NamedTuple."""

    def __init__(self, kind: Any) -> None:
        self.names: Sequence[str] = kind._fields
        self.shape = _shape(kind, self.names)

    def parts(self, value: Any) -> list[Any]:
        if getattr(value, "__dict__", None):
            raise UnencodableError(f"{type(value).__qualname__} with attributes besides its fields")
        return list(value)

    def rebuilt(self, kind: Any, parts: list[Any]) -> object:
        return kind._make(parts)


class _StructForm:
    """The fields of a msgspec Struct, and a dict of other attributes, if the instance has any."""

    def __init__(self, kind: Any) -> None:
        self.names: Sequence[str] = kind.__struct_fields__
        self.shape = _shape(kind, self.names)
        self._derived = _derived(kind)

    def parts(self, value: Any) -> list[Any]:
        own = getattr(value, "__dict__", {})
        others = {name: part for name, part in own.items() if name not in self._derived}
        parts = [getattr(value, name) for name in self.names]
        return [*parts, others] if others else parts

    def rebuilt(self, kind: Any, parts: list[Any]) -> object:
        count = len(self.names)
        made = kind(**dict(zip(self.names, parts[:count], strict=True)))
        for attributes in parts[count:]:
            made.__dict__.update(attributes)
        return made


class CodecForm:
    """What a registered codec makes of an instance."""

    names: Sequence[str] = ()
    shape = b""

    def __init__(self, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
        self._encode = encode
        self._decode = decode

    def parts(self, value: Any) -> list[Any]:
        """Return what the codec made of an instance."""
        return [self._encode(value)]

    def rebuilt(self, kind: type, parts: list[Any]) -> object:
        """Return the instance that the codec makes of the part."""
        (part,) = parts
        value = self._decode(part)
        if type(value) is not kind:
            raise TypeError(f"the codec of {kind.__qualname__} returned an object of type {type(value).__qualname__}")
        return value
