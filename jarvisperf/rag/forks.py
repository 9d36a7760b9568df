"""Tells objects that they are in a forked child now, before anything else runs there.

What another thread of the parent held when it forked stays locked in the child for ever. Connections, the name of a
writer and Chroma's threads are the parent's too. So an object with such things begins anew.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """What can begin anew in a forked child."""

    def begin_anew(self) -> None:
        """Called in the child, which has one thread then."""
        ...


_to_tell: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def tell_when_forked(one: ForkAware) -> None:
    """Call ``one.begin_anew()`` in every child that this process forks, and in theirs."""
    _to_tell.add(one)


def _tell() -> None:
    for one in list(_to_tell):
        one.begin_anew()


os.register_at_fork(after_in_child=_tell)
