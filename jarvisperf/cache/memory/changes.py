"""Makes changes one at a time, even when a signal handler makes one in the middle of another."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LATER: Final = object()
"""The answer of ``Changes.make`` when the change is made later."""


class Changes:
    """A lock for changes. Only signal handlers and finalizers can meet it while their own thread holds it.

    Then the interrupted change is completed first, and theirs follows: waiting would never end, and changing data that
    are being changed would damage them.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.is_changing = False
        self._later: deque[Callable[[], object]] = deque()

    def make(self, change: Callable[..., Any], *args: Any) -> Any:
        """Make a change and return its result, or LATER."""
        with self.lock:
            if self.is_changing:
                self._later.append(partial(change, *args))
                return LATER
            self.is_changing = True
            try:
                if self._later:
                    self._catch_up()
                return change(*args)
            finally:
                if self._later:
                    self._catch_up()
                self.is_changing = False

    def _catch_up(self) -> None:
        while self._later:
            self._later.popleft()()
