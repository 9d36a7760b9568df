"""Takes the containers of the module `collections` apart, and puts them together again.

The codes are part of the stored format: add new ones, but never change the meaning of an existing one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.cache.values.scalars import UnencodableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_ORDERED, _COUNTER, _DEFAULTS, _DEQUE = range(7, 11)

_FACTORIES: Final[Mapping[str, type]] = {
    kind.__name__: kind for kind in (bool, int, float, str, bytes, list, tuple, dict, set, frozenset)
}


@dataclass(frozen=True, slots=True)
class CollectionType:
    """One container type: its extension code, and functions that return its parts and build it from them."""

    code: int
    parts: Callable[[Any], Iterable[object]]
    build: Callable[[list[Any]], object]


def _pairs(value: dict[object, object]) -> list[object]:
    if vars(value):
        raise UnencodableError(f"{type(value).__name__} with attributes of its own")
    return _flat(value)


def _flat(value: dict[object, object]) -> list[object]:
    return [part for pair in value.items() for part in pair]


def _as_pairs(parts: Iterable[object]) -> Iterator[tuple[Any, Any]]:
    either = iter(parts)
    return zip(either, either, strict=True)


def _defaults(value: defaultdict[object, object]) -> list[object]:
    factory = value.default_factory
    if factory is None:
        return [None, *_flat(value)]
    name = getattr(factory, "__name__", "")
    if _FACTORIES.get(name) is not factory:
        raise UnencodableError(f"defaultdict whose factory is not one of {', '.join(_FACTORIES)}")
    return [name, *_flat(value)]


def _with_defaults(parts: list[Any]) -> defaultdict[object, object]:
    name, *pairs = parts
    return defaultdict(None if name is None else _FACTORIES[name], _as_pairs(pairs))


COLLECTION_TYPES: Final[Mapping[type, CollectionType]] = {
    OrderedDict: CollectionType(_ORDERED, _pairs, lambda parts: OrderedDict(_as_pairs(parts))),
    Counter: CollectionType(_COUNTER, _pairs, lambda parts: Counter(dict(_as_pairs(parts)))),
    defaultdict: CollectionType(_DEFAULTS, _defaults, _with_defaults),
    deque: CollectionType(
        _DEQUE, lambda value: [value.maxlen, *value], lambda parts: deque(parts[1:], maxlen=parts[0])
    ),
}
"""By exact type: a subclass would come back as its base class."""
