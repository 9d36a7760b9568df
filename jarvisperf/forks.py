"""Tells objects that they are in a forked child now, before anything else runs there.

What another thread of the parent held when it forked stays locked in the child for ever. Connections, the name of a
writer and other libraries' threads are the parent's too. So an object with such things begins anew.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_to_tell: Final[weakref.WeakKeyDictionary[Any, Callable[[Any], None]]] = weakref.WeakKeyDictionary()


def tell_when_forked(one: T, begin_anew: Callable[[T], None]) -> None:
    """Call ``begin_anew(one)`` in every child that this process forks, and in theirs, for as long as the object lives.

    Args:
        one: The object; it is held weakly.
        begin_anew: A function of it, and not its bound method, which would keep it alive. There is one thread then.
    """
    _to_tell[one] = begin_anew


def _tell() -> None:
    for one, begin_anew in list(_to_tell.items()):
        begin_anew(one)


os.register_at_fork(after_in_child=_tell)
