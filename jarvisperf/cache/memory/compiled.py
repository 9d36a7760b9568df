"""Chooses whether hits in memory are answered by the compiled module, which is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jarvisperf.settings import may_use_compiled

if TYPE_CHECKING:
    from types import ModuleType

_VERSION: Final = 1  # as in _reader.c; a module that was built from another version of it is not used


def compiled_reader() -> ModuleType | None:
    """Return the compiled module; None if it was not built, or ``JARVISPERF_COMPILED`` is ``off``."""
    if not may_use_compiled():
        return None
    try:
        from jarvisperf.cache.memory import _reader
    except ImportError:
        return None
    return _reader if _reader.VERSION == _VERSION else None
