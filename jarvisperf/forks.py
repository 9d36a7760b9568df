"""Tells objects that they are in a forked child now, before anything else runs there.

A lock that another thread of the parent held at the fork stays locked in the child for ever. Connections, a writer's
name and other libraries' threads also belong to the parent. So an object that has any of these starts afresh.
"""

from __future__ import annotations

import importlib
import os
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_late: Final[set[str]] = set()
_to_tell: Final[weakref.WeakKeyDictionary[Any, Callable[[Any], None]]] = weakref.WeakKeyDictionary()


def tell_when_forked(one: T, begin_anew: Callable[[T], None]) -> None:
    """Call ``begin_anew(one)`` in every child that this process forks, and in theirs, for as long as the object lives.

    Args:
        one: The object; it is held weakly.
        begin_anew: A function of it, and not its bound method, which would keep it alive. There is one thread then.
    """
    _to_tell[one] = begin_anew


def finish_import_before_forks(module: str) -> None:
    """Import a module before every fork from now on, for one that is imported when it is first needed.

    A module that another thread is importing also stays locked in the child for ever: its next import would hang.
    """
    _late.add(module)


def _finish_imports() -> None:
    for module in _late:
        importlib.import_module(module)


def _tell() -> None:
    for one, begin_anew in list(_to_tell.items()):
        begin_anew(one)


os.register_at_fork(before=_finish_imports, after_in_child=_tell)
