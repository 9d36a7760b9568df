"""Exceptions of a function that are cached like results.

An exception is stored as the name of its class, its arguments and its attributes, never as code. Only the classes that
the function names, and their subclasses, are ever rebuilt. What the exception was raised from and its traceback stay
behind.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from jarvisperf.cache.values.classes.declared import declare
from jarvisperf.cache.values.classes.objects import form_for
from jarvisperf.cache.values.codec import decode, encode
from jarvisperf.cache.values.object_identity import lasting_name
from jarvisperf.cache.values.scalars import UnencodableError
from jarvisperf.checks import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta

    from jarvisperf.cache.engine.loads.lifetime import Keeping
    from jarvisperf.cache.engine.model import Life

logger = logging.getLogger(__name__)

_HINT: Final = "give a dict of exception classes and their times to live, such as {LookupError: 30}"


class StoredError(NamedTuple):
    """An exception as the tiers hold it.

    Attributes:
        name: The lasting name of its class.
        args: The arguments of its constructor.
        state: Its attributes, or None.
        seconds: Its time to live.
    """

    name: str
    args: tuple[Any, ...]
    state: Any
    seconds: float


class StoredErrors:
    """Which exceptions of a function are cached, and for how long.

    Args:
        times: Times to live by exception class, in seconds or as a timedelta; the closest base class counts.

    Attributes:
        kinds: The classes.

    Raises:
        TypeError: It is not such a mapping.
        ValueError: A time is not above 0.
    """

    def __init__(self, times: Mapping[type[Exception], float | timedelta]) -> None:
        if not hasattr(times, "items"):
            raise TypeError(f"cache_errors is {times!r}: {_HINT}")
        self._seconds: dict[type, float] = {}
        for kind, time in times.items():
            given: object = kind
            if not (isinstance(given, type) and issubclass(given, Exception)):
                raise TypeError(f"cache_errors contains {kind!r}: {_HINT}")
            self._seconds[kind] = seconds(f"cache_errors[{kind.__name__}]", time, zero=False)
        self.kinds: tuple[type[Exception], ...] = tuple(times)
        self._reasons: set[str] = set()
        if self.kinds:
            declare(StoredError, form_for(StoredError))

    def stored(self, error: Exception, source: str) -> StoredError | None:
        """Return the form of an exception for the tiers; None if it would not come back as it is.

        Args:
            error: The exception, of one of the kinds.
            source: The function that raised it; the reason is logged once for each class.
        """
        kind = type(error)
        lives = next(self._seconds[base] for base in kind.__mro__ if base in self._seconds)
        try:
            seen = _seen(error)
            stored = StoredError(lasting_name(kind), seen.args, seen.state, lives)
            if seen.kind is kind and self._comes_back(stored, seen):
                return stored
        except Exception as failure:  # noqa: BLE001 - its own methods may raise anything, and it must reach the caller
            why = f"{type(failure).__name__} in its own code"
        else:
            why = f"it cannot be rebuilt from its arguments {seen.args!r} and attributes {seen.state!r}"
        if lasting_name(kind) not in self._reasons:
            self._reasons.add(lasting_name(kind))
            logger.warning("%s raised by %s is not cached: %s", kind.__qualname__, source, why)
        return None

    def rebuilt(self, stored: StoredError) -> Exception | None:
        """Return a new exception; None if this program has no such class among the kinds and their subclasses."""
        kinds = {kind for kind in self._family(stored.name) if lasting_name(kind) == stored.name}
        if len(kinds) != 1:
            return None
        (kind,) = kinds
        return _rebuilt(_constructed, kind, stored) or _rebuilt(_without_constructor, kind, stored)

    def keeping(self, of_results: Keeping | None) -> Keeping | None:
        """Return what decides how long a result or a stored exception lives.

        Args:
            of_results: The same for results; None if all live equally long.
        """
        if not self.kinds:
            return of_results

        def life_of(usual: Life, value: Any) -> Life:
            if type(value) is StoredError:
                return usual._replace(seconds=value.seconds, stale_seconds=0.0)
            return usual if of_results is None else of_results(usual, value)

        return life_of

    def _comes_back(self, stored: StoredError, seen: _SeenOfError) -> bool:
        try:
            args, state = cast("tuple[Any, Any]", decode(encode((stored.args, stored.state))))
        except UnencodableError:
            return False
        twin = self.rebuilt(stored._replace(args=args, state=state))
        return twin is not None and _is_same(_seen(twin), seen)

    def _family(self, name: str) -> Iterator[type[Exception]]:
        """Yield the kinds and their subclasses that may have a lasting name."""
        waiting = list(self.kinds)
        while waiting:
            kind = waiting.pop()
            waiting += kind.__subclasses__()
            if name.endswith(kind.__qualname__):
                yield kind


class _SeenOfError(NamedTuple):
    """What one sees of an exception, besides its traceback."""

    kind: object
    args: tuple[Any, ...]
    state: Any
    text: str


def _seen(error: Exception) -> _SeenOfError:
    kind, args, *state = cast("tuple[Any, ...]", error.__reduce__())
    return _SeenOfError(kind, args, state[0] if state and state[0] else None, str(error))


def _is_same(one: _SeenOfError, other: _SeenOfError) -> bool:
    """Return whether two exceptions are alike; by bytes, because parts such as arrays and NaN cannot be compared."""
    same = (one.kind, one.text) == (other.kind, other.text)
    return same and encode((one.args, one.state)) == encode((other.args, other.state))


def _rebuilt(
    make: Callable[[type[Exception], tuple[Any, ...]], Exception], kind: type[Exception], stored: StoredError
) -> Exception | None:
    try:
        made = make(kind, stored.args)
        if stored.state is not None:
            made.__setstate__(stored.state)
        seen = _seen(made)
        is_same = encode((seen.args, seen.state)) == encode((stored.args, stored.state))
    except Exception:  # noqa: BLE001 - a class's own code may raise anything
        return None
    return made if type(made) is kind and is_same else None


def _constructed(kind: type[Exception], args: tuple[Any, ...]) -> Exception:
    return kind(*args)


def _without_constructor(kind: type[Exception], args: tuple[Any, ...]) -> Exception:
    """Create an exception whose constructor takes other arguments than it passes on."""
    return kind.__new__(kind, *args)
