"""Turns caching off: for some code (``SmartCache.bypassed``), or for a process (``caching_disabled``).

While nothing is turned off, it costs nothing: a cache's readers are replaced when the first bypass begins, and put back
when the last one has ended.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jarvisperf.forks import at_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Cache = TypeVar("_Cache")

_here: Final[ContextVar[tuple[Bypasses, ...]]] = ContextVar("jarvisperf_bypassed", default=())


class _Process:
    """What is turned off for all caches of this process.

    Attributes:
        count: How many times caching has been disabled.
        choices: What lets a cache choose its readers, by cache.
        lock: Guards both, and the counts of all caches.
    """

    def __init__(self) -> None:
        self.count = 0
        self.choices: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
        self.lock = threading.RLock()

    def reset_lock(self) -> None:
        self.lock = threading.RLock()


_process: Final = _Process()
at_fork(after_in_child=_process.reset_lock)  # another thread may have held it during the fork


class Bypasses:
    """The bypasses of one cache.

    Args:
        is_off: Whether the cache is always bypassed.
    """

    def __init__(self, *, is_off: bool) -> None:
        self._is_off = is_off
        self._count = 0

    def tell(self, cache: _Cache, choose_readers: Callable[[_Cache], None]) -> None:
        """Let a cache choose its readers, now and whenever caching is disabled or enabled.

        Args:
            cache: The cache; only a weak reference is kept.
            choose_readers: A function, not a bound method of the cache, which would keep it alive.
        """
        with _process.lock:
            _process.choices[cache] = choose_readers
        choose_readers(cache)

    def is_any_active(self) -> bool:
        """Return whether some code bypasses the cache, perhaps in another thread or task."""
        return self._is_off or self._count > 0 or _process.count > 0

    def is_active_here(self) -> bool:
        """Return whether the calling code bypasses the cache."""
        return self._is_off or _process.count > 0 or any(one is self for one in _here.get())

    @contextlib.contextmanager
    def begin(self, choose_readers: Callable[[], None]) -> Iterator[None]:
        """Bypass the cache in the enclosed code, and in threads and tasks that copy its context.

        Args:
            choose_readers: Called when a bypass has begun or ended.
        """
        self._add(1)
        token = _here.set((*_here.get(), self))
        try:
            choose_readers()
            yield
        finally:
            _here.reset(token)
            self._add(-1)
            choose_readers()

    def _add(self, number: int) -> None:
        with _process.lock:
            self._count += number


@contextlib.contextmanager
def caching_disabled() -> Iterator[None]:
    """Disable all caches of this process in the enclosed code, whichever thread uses them; meant for tests.

    Cached functions run at each call, and nothing is found or stored; see ``SmartCache.bypassed``. The environment
    variable ``JARVISPERF_CACHING=off`` does the same for all caches that are created while it is set.
    """
    _disable(1)
    try:
        yield
    finally:
        _disable(-1)


def _disable(number: int) -> None:
    with _process.lock:
        _process.count += number
        choices = list(_process.choices.items())
    for cache, choose_readers in choices:
        choose_readers(cache)
