"""Tells apart functions of one name that a process decorates: defined twice in a module, or cached in several ways.

Handlers that are all called ``_`` or ``index`` are an example. The first function of a name keeps the keys of that
name, so that these last when its code changes; the keys of any other one contain its code as well.
"""

from __future__ import annotations

import uuid
import weakref
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from jarvisperf.cache.keys.function_identity import exact_parts, is_known_by_code, is_private
from jarvisperf.cache.values.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., object]

_DIGEST_BYTES: Final = 16


class _Namesake(NamedTuple):
    """A function that was decorated.

    Attributes:
        function: The function, by a weak reference; so is ``key``.
        key: What computes its keys; None for all arguments.
        text: A digest of both; None if they closed over something that may change.
    """

    function: Callable[[], object]
    key: Callable[[], object]
    text: bytes | None


# By the start and the digest of the keys. It needs no lock, which a fork might leave locked: setdefault is atomic.
_first: Final[dict[tuple[str, bytes], _Namesake]] = {}


def told_apart(function: Function, start: str, digest: bytes, key: Function | None) -> bytes:
    """Return the digest of a function's keys, changed if another function of this process has the same.

    Args:
        function: The function.
        start: The start of its keys.
        digest: Its digest so far.
        key: What computes its keys from the arguments; None for all arguments.
    """
    if is_private(function):
        return digest
    if is_known_by_code(function):
        text = None if key is None else _digest([exact_parts(key)])
        return digest if text is None else _mixed(digest, text)
    text = _digest([exact_parts(function), [] if key is None else exact_parts(key)])
    first = _first.setdefault((start, digest), _Namesake(_reference(function), _reference(key), text))
    is_same = first.function() is function and first.key() is key
    if is_same or (text is not None and first.text == text):
        return digest
    return _mixed(digest, text or uuid.uuid4().bytes)


def _digest(parts: list[list[object] | None]) -> bytes | None:
    return None if None in parts else blake2b(encode(parts), digest_size=_DIGEST_BYTES).digest()


def _mixed(digest: bytes, text: bytes) -> bytes:
    return blake2b(digest + text, digest_size=_DIGEST_BYTES).digest()


def _reference(function: Function | None) -> Callable[[], object]:
    try:
        return weakref.ref(function)
    except TypeError:  # None, or a function written in C, which lives as long as its module
        return lambda: function
