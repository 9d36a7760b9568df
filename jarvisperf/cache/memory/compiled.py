"""Chooses whether the compiled module, which is optional, answers hits, opens many entries and checks values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jarvisperf.cache.values.fast_path import open_plain
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE
from jarvisperf.settings import may_use_compiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_VERSION: Final = 3  # as in _reader.c; a module that was built from another version of it is not used


def compiled_reader() -> ModuleType | None:
    """Return the compiled module; None if it was not built, or ``JARVISPERF_COMPILED`` is ``off``."""
    if not may_use_compiled():
        return None
    try:
        from jarvisperf.cache.memory import _reader
    except ImportError:
        return None
    return _reader if _reader.VERSION == _VERSION else None


def opener() -> Callable[..., tuple[dict[str, Any], int]]:
    """Return ``open_plain``, in its compiled form if there is one."""
    module = compiled_reader()
    if module is None:
        return open_plain
    compiled_open_plain = module.open_plain

    def open_compiled(*args: Any) -> tuple[dict[str, Any], int]:
        return compiled_open_plain(*args, UNREADABLE_BECAUSE)  # type: ignore[no-any-return]

    return open_compiled


def flat_check() -> Callable[[object], bool] | None:
    """Return a function that tells whether a value is a dict or list of plain types; None without the module."""
    module = compiled_reader()
    return None if module is None else module.is_flat
