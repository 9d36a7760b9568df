"""The classes that the program has declared: their instances can be stored, and the decoder creates no others.

The result annotation of a cached function declares the classes it names, and those that their fields name.
:func:`register_codec` declares any other class. The declarations belong to the process, like the classes.
"""

from __future__ import annotations

import enum
import threading
import types
import typing
import uuid
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jarvisperf.cache.values.object_identity import lasting_name
from jarvisperf.cache.values.scalars import UnencodableError
from jarvisperf.checks import function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jarvisperf.cache.values.classes.objects import Form

_T = TypeVar("_T")

UNDECLARED: Final = object()
"""Stands for a value with an object whose class this program has not declared, or that has other fields here."""


class UndeclaredError(LookupError):
    """A stored object cannot be rebuilt here; another program, or another version of this one, may well read it."""


CONTAINERS: Final = frozenset({list, dict, tuple, set, frozenset})
_LOCAL: Final = "<locals>"
_lock: Final = threading.RLock()
_names: Final[weakref.WeakKeyDictionary[type, str]] = weakref.WeakKeyDictionary()
_classes: Final[weakref.WeakValueDictionary[str, type]] = weakref.WeakValueDictionary()
_forms: Final[weakref.WeakKeyDictionary[type, Form]] = weakref.WeakKeyDictionary()


def register_codec(kind: type[_T], encode: Callable[[_T], Any], decode: Callable[[Any], _T]) -> None:
    """Let caches store instances of a class; a class that is registered again gets the new functions.

    A value is stored only if ``encode(decode(encode(value)))`` equals ``encode(value)``.

    Args:
        kind: The class. Instances of its subclasses need codecs of their own.
        encode: Returns what to store: bytes, or any value that a cache can store.
        decode: Returns the instance, given what was stored.

    Raises:
        TypeError: ``kind`` is not a class, or one of the functions cannot be called.
        ValueError: Caches store this type already.
    """
    from jarvisperf.cache.values.classes.objects import CodecForm
    from jarvisperf.cache.values.collection_types import COLLECTION_TYPES
    from jarvisperf.cache.values.isolation import PLAIN
    from jarvisperf.cache.values.scalars import LEAVES

    given: object = kind
    if not isinstance(given, type):
        raise TypeError(f"kind is {kind!r}: give a class")
    function("encode", encode)
    function("decode", decode)
    if any(given in known for known in (PLAIN, LEAVES, CONTAINERS, COLLECTION_TYPES)):
        raise ValueError(f"kind is {kind.__qualname__}, which caches store already")
    declare(kind, CodecForm(encode, decode))


def declare_result(function: Callable[..., Any], *, of_many: bool = False) -> tuple[type, ...] | None:
    """Declare the classes that a function's result annotation names.

    Args:
        function: The function.
        of_many: Whether it returns a mapping whose values are the results.

    Returns:
        The types that a result may have; None if any type will do.
    """
    from jarvisperf.cache.values.classes.objects import form_for, hints_of, resolved

    whole = resolved(function)
    waiting = [whole]
    seen: set[int] = set()
    named: list[Any] = []
    while waiting:
        annotation = waiting.pop()
        if id(annotation) in seen:
            continue
        seen.add(id(annotation))
        waiting += _inside(annotation)
        named.append(annotation)
        if not isinstance(annotation, type):
            continue
        if issubclass(annotation, enum.Enum):
            declare(annotation, None)
            continue
        form = form_for(annotation)
        if form is not None and annotation not in _forms:
            declare(annotation, form)
        if form is not None or typing.is_typeddict(annotation):
            waiting += hints_of(annotation)
    _note_aliases(named)
    if of_many:
        whole = (typing.get_args(whole) or (None,))[-1]
    return _types_of(whole)


def _note_aliases(annotations: list[Any]) -> None:
    """Let the forms of generic classes know with which arguments annotations name them."""
    from jarvisperf.cache.values.classes.objects import note_alias

    for annotation in annotations:
        origin = typing.get_origin(annotation)
        if isinstance(origin, type) and origin in _forms:
            note_alias(_forms[origin], annotation)


def _types_of(annotation: Any) -> tuple[type, ...] | None:
    """Return the types of values that fit, if the annotation is a declared class, a TypedDict, or a choice of these."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        parts = [_types_of(part) for part in typing.get_args(annotation)]
        return None if None in parts else tuple(kind for part in parts for kind in part or ())
    if typing.is_typeddict(annotation):
        return (dict,)
    if annotation is types.NoneType or (isinstance(annotation, type) and annotation in _names):
        return (annotation,)
    return None


def _inside(annotation: Any) -> Iterator[Any]:
    yield from typing.get_args(annotation)
    for attribute in ("__origin__", "__value__", "__supertype__"):  # Page[Item], type aliases, NewType
        if not isinstance(annotation, type) and hasattr(annotation, attribute):
            yield getattr(annotation, attribute)


def declare(kind: type, form: Form | None) -> None:
    """Declare a class.

    Args:
        kind: The class.
        form: How its instances are stored; None for an Enum.
    """
    with _lock:
        if kind not in _names:
            # Each call creates a local class again, so its name does not identify it.
            name = lasting_name(kind) + (f"#{uuid.uuid4().hex}" if _LOCAL in kind.__qualname__ else "")
            older = _classes.get(name)
            if older is not None:  # its module was reloaded: values of the old class must not be read as the new one
                _names.pop(older, None)
                _forms.pop(older, None)
            _names[kind] = name
            _classes[name] = kind
        if form is not None:
            _forms[kind] = form


def declare_table(kind: type) -> None:
    """Declare a class of pandas, polars or pyarrow if its instances are tables."""
    from jarvisperf.cache.values.classes.frames import form_for

    found = form_for(kind)
    if found is not None:
        name, form = found
        with _lock:
            _names[kind], _classes[name], _forms[kind] = name, kind, form


def name_of(kind: type) -> str | None:
    """Return the name under which instances of a class are stored; None if it was not declared."""
    return _names.get(kind)


def form_of(kind: type) -> Form | None:
    """Return the form of a class; None if it was not declared, or is an Enum."""
    return _forms.get(kind)


def member_class(name: str) -> type[enum.Enum]:
    """Return a declared Enum class.

    Raises:
        UndeclaredError: There is none with this name.
    """
    kind = _classes.get(name)
    if kind is not None and issubclass(kind, enum.Enum):
        return kind
    raise UndeclaredError(f"no Enum named {name} was declared")


def rebuilt(name: str, shape: bytes, parts: list[Any]) -> object:
    """Rebuild an instance of a declared class from what was stored.

    Raises:
        UndeclaredError: No such class was declared, its fields have changed, or it is a table of a library that is not
            installed.
        ValueError: The class's own validation or decoder rejects the parts.
    """
    kind = _classes.get(name)
    if kind is None:
        from jarvisperf.cache.values.classes.frames import class_named

        try:
            kind = class_named(name)
        except (LookupError, ImportError) as error:
            raise UndeclaredError(f"no class named {name} was declared") from error
        declare_table(kind)
    form = _forms.get(kind)
    if form is None or form.shape != shape:
        raise UndeclaredError(f"the fields of {name} are others here")
    try:
        return form.rebuilt(kind, parts)
    except Exception as error:
        raise ValueError(f"{name} cannot be rebuilt: {error}") from error


def undeclared(value: object) -> UnencodableError:
    """Return the error for an object that has no encoding, with advice."""
    from jarvisperf.cache.values.classes.objects import form_for

    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, enum.Enum):
        hint = f"; register its class: enums=[{kind.__name__}]"
    elif form_for(kind) is not None:
        hint = f"; name {name} in the cached function's result annotation, or call register_codec({name}, ...)"
    else:
        hint = f"; register_codec({name}, encode, decode) makes it possible"
    return UnencodableError(f"object of type {name}", hint)
