"""What stands for an object inside a cache key, where the object is no value that could be stored."""

from __future__ import annotations

import dataclasses
import enum
import os
import sys
import threading
import uuid
import weakref
from pathlib import Path
from typing import Final

from jarvisperf.cache.values.scalars import UnencodableError

IDENTITY_METHOD: Final = "__cache_key__"
_MAIN: Final = frozenset({"__main__", "__mp_main__"})


def identity_of(value: object) -> object:
    """Give a value that stands for an object and is the same in every process.

    An object may say so itself: its class has a method ``__cache_key__`` that returns what tells it from others of
    its class. Members of an Enum, classes, and instances of frozen dataclasses need none.

    Raises:
        UnencodableError: Nothing lasting is known about the object.
    """
    kind = type(value)
    if isinstance(value, type):
        if "<locals>" in value.__qualname__:
            raise UnencodableError(f"local class {value.__qualname__}")
        return ["class", lasting_name(value)]
    if hasattr(kind, IDENTITY_METHOD):
        return ["key", lasting_name(kind), getattr(kind, IDENTITY_METHOD)(value)]
    if isinstance(value, enum.Enum):
        return ["member", lasting_name(kind), value.name]
    if _is_frozen_dataclass(kind):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]  # type: ignore[arg-type]
        return ["fields", lasting_name(kind), fields]
    raise UnencodableError(f"object of type {kind.__qualname__}")


def has_identity(value: object) -> bool:
    """Whether an object stays the same object in another process."""
    kind = type(value)
    return isinstance(value, type | enum.Enum) or hasattr(kind, IDENTITY_METHOD) or _is_frozen_dataclass(kind)


def _is_frozen_dataclass(kind: type) -> bool:
    # What @dataclass leaves on a class; a subclass that is not one itself inherits it and is told by its __dict__.
    parameters = vars(kind).get("__dataclass_params__")
    return parameters is not None and parameters.frozen


def lasting_name(kind: type) -> str:
    """Give the name of a class: the same in every process that runs the same program."""
    return f"{module_name(kind.__module__)}.{kind.__qualname__}"


def module_name(module: str) -> str:
    """Give the name of a module; of a script, which is always called ``__main__``, that of its file.

    Otherwise two scripts, with functions or classes of one name, would read each other's values.
    """
    if module not in _MAIN or module not in sys.modules:
        return module
    main = sys.modules[module]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return str(Path(file).absolute()) if file else module


class InstanceTokens:
    """Tells objects apart that have no lasting identity: a random token for each, while it lives, in this process."""

    def __init__(self) -> None:
        self._tokens: dict[int, tuple[weakref.ref[object], str]] = {}
        self._lock = threading.Lock()

    def token(self, instance: object) -> list[object]:
        """Give what stands for an object.

        Raises:
            UnencodableError: The object can have no weak references, so nobody could tell when it is gone.
        """
        number = id(instance)
        known = self._tokens.get(number)
        if known is None or known[0]() is not instance:
            known = self._make(number, instance)
        # After a fork the child's copy of the object goes its own way.
        return ["instance", lasting_name(type(instance)), known[1], os.getpid()]

    def _make(self, number: int, instance: object) -> tuple[weakref.ref[object], str]:
        def forget(reference: weakref.ref[object]) -> None:
            known = self._tokens.get(number)
            if known is not None and known[0] is reference:
                del self._tokens[number]

        try:
            made = weakref.ref(instance, forget), uuid.uuid4().hex
        except TypeError:
            raise UnencodableError(f"object of type {type(instance).__qualname__}") from None
        with self._lock:
            known = self._tokens.get(number)
            if known is not None and known[0]() is instance:  # another thread was first
                return known
            self._tokens[number] = made
            return made
