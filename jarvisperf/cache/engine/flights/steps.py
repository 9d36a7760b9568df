"""What a load asks its driver to do: the generators yield these steps and perform none of them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from concurrent.futures import Future

    from jarvisperf.cache.engine.flights.flight import Flight


class Invoke(NamedTuple):
    """Call a function that may wait for Redis or a disk. The answer is its result."""

    function: Callable[[], Any]


class Compute(NamedTuple):
    """Call the factory for these flights, which the caller may need. The answer is its result; its errors propagate."""

    flights: tuple[Flight, ...]
    for_caller: bool = True


class Wait(NamedTuple):
    """Wait for a flight to end, for at most ``seconds``. The answer is whether it has ended."""

    future: Future[None]
    seconds: float


class Pause(NamedTuple):
    """Sleep for a number of seconds."""

    seconds: float


class Spawn(NamedTuple):
    """Run these steps in the background. The answer is a function that cancels them, or None for a thread."""

    steps: Steps


Step = Invoke | Compute | Wait | Pause | Spawn
Steps = Generator[Step, Any, Any]


class FactoryStopError(Exception):
    """A factory raised StopIteration, which has another meaning inside a generator.

    Args:
        stop: The exception.
    """

    def __init__(self, stop: StopIteration) -> None:
        super().__init__(repr(stop))
        self.stop = stop
