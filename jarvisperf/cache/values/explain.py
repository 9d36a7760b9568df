"""Explains which part of a value has no encoding: ``value['rows'][3]: object of type Foo cannot be cached``."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING

from jarvisperf.cache.values.classes import declared
from jarvisperf.cache.values.isolation import PLAIN
from jarvisperf.cache.values.msgpack import MAX_DEPTH, TooDeepError, pack
from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jarvisperf.cache.values.msgpack import Fallback

_LONGEST_KEY_CHARACTERS = 40
_MAPPINGS = frozenset({dict, OrderedDict, defaultdict, Counter})


def find_culprit(
    value: object,
    root: str = "value",
    fallback: Fallback | None = None,
    predicate: str = "cannot be cached",
    enums: Mapping[type, str] | None = None,
) -> str:
    """Name the innermost part of a value that cannot be encoded, and why.

    Args:
        value: A value that the codec rejected.
        root: The name of the value in the message.
        fallback: The codec's fallback.
        predicate: What the message says about the part.
        enums: The codec's Enum classes.
    """
    enums = enums or {}
    path = root
    containers = {id(value)}
    fault = None
    for _ in range(MAX_DEPTH):
        fault = _fault(value, enums, fallback)
        for place, part in _parts(value, path):
            if id(part) in containers:
                return f"{place}: contains itself, so it {predicate}"
            if _fault(part, enums, fallback):
                path, value = place, part
                containers.add(id(value))
                break
        else:
            hint = fault.hint if fault else ""
            return f"{root if isinstance(fault, TooDeepError) else path}: {fault} {predicate}{hint}"
    return f"{root}: {fault} {predicate}"


def _fault(value: object, enums: Mapping[type, str], fallback: Fallback | None) -> UnencodableError | None:
    try:
        pack(value, enums, fallback)
    except UnencodableError as error:
        return error
    return None


def _parts(value: object, path: str) -> Iterator[tuple[str, object]]:
    if type(value) in _MAPPINGS:
        for key, part in value.items():  # type: ignore[attr-defined]
            yield f"{path} (key {_shown(key)})", key
            yield f"{path}[{_shown(key)}]", part
    elif type(value) in {list, tuple, deque}:
        for index, part in enumerate(value):  # type: ignore[arg-type]
            yield f"{path}[{index}]", part
    elif type(value) in {set, frozenset}:
        for part in value:  # type: ignore[attr-defined]
            yield f"{path} (member {_shown(part)})", part
    elif (form := declared.form_of(type(value))) is not None:
        for name in form.names:
            if hasattr(value, name):
                yield f"{path}.{name}", getattr(value, name)


def _shown(key: object) -> str:
    if type(key) not in PLAIN:
        return f"of type {type(key).__qualname__}"
    text = repr(key)
    return text if len(text) <= _LONGEST_KEY_CHARACTERS else text[: _LONGEST_KEY_CHARACTERS - 1] + "…"
