"""Stand-ins in cache keys for objects that cannot be stored as values."""

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
MAIN_MODULES: Final = frozenset({"__main__", "__mp_main__"})


def identity_of(value: object) -> object:
    """Return a value that identifies an object in every process.

    A class can define ``__cache_key__``, which returns what distinguishes an instance from others of its class. Enum
    members, classes, and instances of frozen dataclasses need no such method.

    Raises:
        UnencodableError: Nothing identifies the object across processes.
    """
    kind = type(value)
    if isinstance(value, type):
        if "<locals>" in value.__qualname__:
            raise UnencodableError(f"local class {value.__qualname__}")
        return ["class", lasting_name(value)]
    if hasattr(kind, IDENTITY_METHOD):
        return ["key", lasting_name(kind), getattr(kind, IDENTITY_METHOD)(value)]
    if isinstance(value, enum.Enum):
        # Flags by value: no bits, unknown bits and some combinations have no name.
        what = int(value.value) if isinstance(value, enum.Flag) else value.name
        return ["member", lasting_name(kind), what]
    if _is_frozen_dataclass(kind):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]  # type: ignore[arg-type]
        return ["fields", lasting_name(kind), fields]
    raise UnencodableError(f"object of type {kind.__qualname__}")


def has_identity(value: object) -> bool:
    """Return whether an object can be identified in another process."""
    kind = type(value)
    return isinstance(value, type | enum.Enum) or hasattr(kind, IDENTITY_METHOD) or _is_frozen_dataclass(kind)


def _is_frozen_dataclass(kind: type) -> bool:
    # Set by @dataclass. A subclass that is not a dataclass inherits it, so look in the class's own __dict__.
    parameters = vars(kind).get("__dataclass_params__")
    return parameters is not None and parameters.frozen


def lasting_name(kind: type) -> str:
    """Return the name of a class, the same in every process that runs the same program."""
    return f"{module_name(kind.__module__)}.{kind.__qualname__}"


def module_name(module: str) -> str:
    """Return the name of a module, or the path of the file for a script, whose module is always ``__main__``.

    Otherwise two scripts that define functions or classes of the same name would read each other's values.
    """
    if module not in MAIN_MODULES or module not in sys.modules:
        return module
    main = sys.modules[module]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return str(Path(file).absolute()) if file else module


class InstanceTokens:
    """Identifies objects by a random token that is valid in this process while the object lives."""

    def __init__(self) -> None:
        self._tokens: dict[int, tuple[weakref.ref[object], str]] = {}
        self._lock = threading.RLock()

    def token(self, instance: object) -> list[object]:
        """Return the stand-in for an object.

        Raises:
            UnencodableError: The object does not support weak references, so its deletion would go unnoticed.
        """
        number = id(instance)
        known = self._tokens.get(number)
        if known is None or known[0]() is not instance:
            known = self._make(number, instance)
        # With the process id: after a fork, the child's copy of the object is another object.
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
