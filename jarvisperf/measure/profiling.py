"""`profile_function`, a decorator that logs how long each call took, and `collect_calls`, which collects them."""

from __future__ import annotations

import functools
import inspect
import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, overload

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Token

logger = logging.getLogger("jarvisperf.profile")

P = ParamSpec("P")
R = TypeVar("R")

# Per task or thread, so that concurrent ones do not collect each other's calls.
_collecting: ContextVar[list[Call] | None] = ContextVar("jarvisperf_collecting", default=None)
_names: ContextVar[tuple[str, ...]] = ContextVar("jarvisperf_profiled_names", default=())


class Call(NamedTuple):
    """One call of a decorated function.

    Attributes:
        names: Names of the decorated functions on the stack, from the outermost to this one.
        seconds: Duration of the call, including everything it called.
    """

    names: tuple[str, ...]
    seconds: float


@contextmanager
def collect_calls(into: list[Call] | None = None) -> Iterator[list[Call]]:
    """Collect the calls of all functions decorated with `profile_function` until the block ends.

    Args:
        into: The list to append calls to; None: a new one.

    Yields:
        The list; each call is appended when it ends.
    """
    calls = [] if into is None else into
    token = _collecting.set(calls)
    try:
        yield calls
    finally:
        _collecting.reset(token)


@overload
def profile_function(name: Callable[P, R]) -> Callable[P, R]: ...


@overload
def profile_function(name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def profile_function(name: Any = None) -> Any:
    """Log the time of each call of a function, like ``⏱️ process_data: 25.34ms``, at level INFO.

    Works on plain and coroutine functions, with or without parentheses. Exceptions propagate and are mentioned in the
    log line.

    Args:
        name: The name to log; None: the function's own.

    Raises:
        TypeError: `name` is neither a string nor a function.
    """
    if callable(name):
        return _profiled(name, None)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"profile_function takes a name as text, got {name!r}")
    return lambda function: _profiled(function, name)


def _profiled(function: Callable[..., Any], name: str | None) -> Callable[..., Any]:
    label: str = name or getattr(function, "__name__", None) or repr(function)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def timed_coroutine(*args: Any, **kwargs: Any) -> Any:
            with _Stopwatch(label):
                return await function(*args, **kwargs)

        return timed_coroutine

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with _Stopwatch(label):
            return function(*args, **kwargs)

    return timed


class _Stopwatch:
    __slots__ = ("_label", "_start", "_token")

    def __init__(self, label: str) -> None:
        self._label = label

    def __enter__(self) -> None:
        self._token: Token[tuple[str, ...]] = _names.set((*_names.get(), self._label))
        self._start = REAL.wall()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = REAL.wall() - self._start
        calls = _collecting.get()
        if calls is not None:
            calls.append(Call(_names.get(), seconds))
        _names.reset(self._token)
        if kind is None:
            logger.info("⏱️ %s: %.2fms", self._label, seconds * 1e3)
        else:
            logger.info("⏱️ %s: %.2fms (raised %s)", self._label, seconds * 1e3, kind.__name__)
