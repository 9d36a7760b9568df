"""Lets filters name a file as it was added, as ``delete(source=…)`` does, although passages have its absolute path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.paths import absolute_path

if TYPE_CHECKING:
    from jarvisperf.rag.store.filters import Filter

_SEVERAL: Final = {"$eq": "$in", "$ne": "$nin", "$in": "$in", "$nin": "$nin"}


def with_absolute_sources(where: Filter) -> Filter:
    """Return a checked filter whose conditions on ``source`` also accept the absolute paths of relative ones."""
    return {key: _condition(key, value) for key, value in where.items()}


def absolute(source: str) -> str:
    """Return the absolute path that a source stands for; the source itself if it cannot be a path."""
    try:
        path = str(absolute_path(source))
        path.encode()  # fails in a working folder whose name is not UTF-8
    except ValueError:
        return source
    return path


def _condition(key: str, value: Any) -> Any:
    if key in {"$and", "$or"} and isinstance(value, list):
        return [with_absolute_sources(part) if isinstance(part, Mapping) else part for part in value]
    if key != "source":
        return value
    condition = value if isinstance(value, Mapping) else {"$eq": value}
    if len(condition) != 1:
        return value
    ((operation, wanted),) = condition.items()
    takes_list = operation in {"$in", "$nin"}
    named = wanted if takes_list else [wanted]
    # What Chroma rejects stays as it is, so that Chroma sees it.
    if operation not in _SEVERAL or not isinstance(named, list) or not named:
        return value
    if not all(isinstance(one, str) for one in named):
        return value
    accepted = list(dict.fromkeys(name for one in named for name in (one, absolute(one))))
    return value if accepted == named else {_SEVERAL[operation]: accepted}
