"""Coroutine twins of methods, without a second body: the method itself runs in a thread."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
T = TypeVar("T")


def async_twin(method: Callable[P, T]) -> Callable[P, Coroutine[object, object, T]]:
    """The method as a coroutine function, which leaves the event loop free while it works."""

    @functools.wraps(method)
    async def twin(*args: P.args, **kwargs: P.kwargs) -> T:
        import asyncio  # here, for it is a fifth of what a fresh process loads for a cached answer

        return await asyncio.to_thread(method, *args, **kwargs)

    twin.__name__ = f"a{method.__name__}"
    twin.__qualname__ = f"{method.__qualname__.rpartition('.')[0]}.{twin.__name__}"
    twin.__doc__ = f"Like :meth:`{method.__name__}`, in a thread of the event loop's pool."
    return twin
