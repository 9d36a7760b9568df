"""Notifies objects in a forked child before anything else runs there.

A lock that another thread of the parent held at the fork stays locked in the child forever. Connections, a writer's
name and other libraries' threads also belong to the parent. So an object with any of these resets itself in the child.
"""

from __future__ import annotations

import importlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NO_LOCKSTEP: Final = "lockstep forks its processes, which this system cannot do"

_late: Final[set[str]] = set()
_to_tell: Final[weakref.WeakKeyDictionary[Any, Callable[[Any], None]]] = weakref.WeakKeyDictionary()


def can_fork() -> bool:
    """Return whether this system forks processes; Windows does not."""
    return hasattr(os, "fork")


def at_fork(
    *,
    before: Callable[[], None] | None = None,
    after_in_parent: Callable[[], None] | None = None,
    after_in_child: Callable[[], None] | None = None,
) -> None:
    """Register functions to call at every fork, as `os.register_at_fork` does; do nothing on a system without forks."""
    if can_fork():
        functions = {"before": before, "after_in_parent": after_in_parent, "after_in_child": after_in_child}
        os.register_at_fork(**{when: function for when, function in functions.items() if function is not None})


def tell_when_forked(one: T, reset: Callable[[T], None]) -> None:
    """Call ``reset(one)`` in all forked children of this process and their children, as long as the object lives.

    Args:
        one: The object; only a weak reference is kept.
        reset: A function, not a bound method of the object, which would keep it alive. It runs while the child has
            a single thread.
    """
    _to_tell[one] = reset


def renew_lock_when_forked(one: Any) -> None:
    """Give an object a new ``_lock`` in forked children: another thread of the parent may hold the old one.

    Args:
        one: The object, or a module; only a weak reference is kept.
    """
    tell_when_forked(one, _renew_lock)


def _renew_lock(one: Any) -> None:
    one._lock = threading.Lock()  # noqa: SLF001 - what the caller has asked for


def finish_import_before_forks(module: str) -> None:
    """Import a module before every fork from now on, if it is otherwise imported on first use.

    A module that another thread is importing at the fork stays locked in the child, where importing it would hang.
    """
    _late.add(module)


def _finish_imports() -> None:
    for module in _late:
        importlib.import_module(module)


def _tell() -> None:
    for one, reset in list(_to_tell.items()):
        reset(one)


at_fork(before=_finish_imports, after_in_child=_tell)
