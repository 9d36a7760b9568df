"""The protocol between coordinator and worker: one JSON object per line, over a socket.

The coordinator speaks first, and the worker answers each message with one message.

| coordinator says | worker answers |
| --- | --- |
| (nothing: the worker has collected) | `collected`: ids, and the files that could not be collected |
| `run`: id, next id | `ready`: metric, fixed iterations; or `done`, if the test ended without measuring anything |
| `sample`: iterations | `values`: one value, and those of the metrics measured with it |
| `turns`: iterations, blocks, leads, number, clock, samples, together | `values`: one value per block |
| (either of these two) | `done`, if the target raised |
| `stop` | `ready` for the next metric, or `done`: outcome, message, modules from elsewhere |
| `fork` | `forked`, from a copy of the process, which takes over the conversation |
| `quit` | a copy exits and its original answers `ended`; an original exits without an answer |

In `turns`, the two workers pass one byte back and forth over a dedicated socket while the coordinator sleeps: in each
block, the leading worker takes its slice first, and the lead alternates: A B, B A, A B, … If calls are long, slices run
concurrently: the byte starts each block on both sides, and the scheduler, with one CPU for both, lets them take turns
within the calls. The byte identifies its `turns`, so that one left over from earlier turns is ignored. It also says
whether the target raised, so that the other worker returns what it has instead of waiting forever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    import socket

VERSION = 9


Clock = Literal["wall", "cpu"]


class RunTest(msgspec.Struct, tag="run", frozen=True):
    """Run a test; `next` is the following test, so that shared fixtures can stay."""

    id: str
    next: str | None = None


class Sample(msgspec.Struct, tag="sample", frozen=True):
    """Take one value."""

    iterations: int = 1


class TakeTurns(msgspec.Struct, tag="turns", frozen=True):
    """Take one value per block, the median of some samples, in turns with the other worker or together with it."""

    iterations: int
    blocks: int
    leads: bool
    number: int = 0
    clock: Clock = "wall"
    samples: int = 1
    together: bool = False


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """No more values of this metric are needed: let the test continue."""


class Fork(msgspec.Struct, tag="fork", frozen=True):
    """Continue in a forked copy of this process until it receives `quit`."""


class Quit(msgspec.Struct, tag="quit", frozen=True):
    """Exit."""


class Collected(msgspec.Struct, tag="collected", frozen=True):
    """The worker's collected tests.

    Attributes:
        version: The protocol's version.
        ids: The benchmark tests.
        problems: One line for each file that it could not collect.
        foreign: Modules of the project that came from elsewhere, with their files.
        forkable: Whether it can continue in a fork: there are no other Python threads, which a fork would lose.
        process: The worker's process id.
    """

    version: int
    ids: list[str]
    problems: dict[str, str]
    foreign: dict[str, str] = {}
    forkable: bool = True
    process: int = 0


class Forked(msgspec.Struct, tag="forked", frozen=True):
    """The copy has taken over.

    Attributes:
        process: The copy's process id.
    """

    process: int = 0


class Ended(msgspec.Struct, tag="ended", frozen=True):
    """The copy has exited, and the original continues.

    Attributes:
        process: The original's process id.
    """

    process: int = 0


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """A test has a target to measure.

    Attributes:
        metric: The metric to measure.
        fixed_iterations: The number of calls per sample that the test specifies.
        most_samples: The maximum number of samples that the test specifies.
        own_clock: Whether the test specifies the clock.
        methods: The methods that measure the metric and those measured with it.
        drawn: A digest of its random generators' state, equal if both arms drew the same numbers.
        system_draws: Number of requests for random bytes from the system, which cannot be made equal.
    """

    metric: str
    fixed_iterations: int | None = None
    most_samples: int | None = None
    own_clock: bool = False
    methods: tuple[str, ...] = ()
    drawn: str = ""
    system_draws: int = 0


class Values(msgspec.Struct, tag="values", frozen=True):
    """Measured values.

    Attributes:
        values: For `time`, seconds per sample (all its iterations together); for another metric, its value and those
            of the metrics measured with it.
        waiting: The share of wall time that the process spent off the CPU after yielding it voluntarily: for I/O, a
            lock, a timer, or another thread. In `turns`, the lower quartile over the slices in which it did; 0 if these
            are few or ran concurrently.
    """

    values: list[float]
    waiting: float = 0.0


class Done(msgspec.Struct, tag="done", frozen=True):
    """A test has ended.

    Attributes:
        outcome: pytest's name for the outcome.
        message: The error in one line, or why it was skipped.
        traceback: The failure as pytest shows it.
        xfail: The reason why it was expected to fail; None if it was not.
        lacks: Whether it failed because a module, or a name in a module, does not exist.
        foreign: Modules of the project that came from elsewhere, with their files.
        group: The group that the test named at run time.
        extra_info: The author's notes.
        notes: Notes for readers of the figures.
        raised: The target's exception in one line, even if the test caught it; None if it did not raise.
    """

    outcome: Literal["passed", "failed", "skipped"]
    message: str = ""
    traceback: str = ""
    xfail: str | None = None
    lacks: bool = False
    foreign: dict[str, str] = {}
    group: str | None = None
    extra_info: dict[str, str] = {}
    notes: list[str] = []
    raised: str | None = None


FromCoordinator = RunTest | Sample | TakeTurns | Stop | Fork | Quit
FromWorker = Collected | Forked | Ended | Ready | Values | Done


class ChannelClosedError(ConnectionError):
    """The other side is gone."""


class ChannelTimeoutError(TimeoutError):
    """The other side did not answer in time."""


class Channel:
    """One end of the conversation.

    What it calls is bound when it is created: in a worker, before any code of the project is loaded.

    Args:
        connection: A connected stream socket.
        incoming: The union of message types to receive.
    """

    def __init__(self, connection: socket.socket, incoming: Any) -> None:
        self._close = connection.close
        self._set_timeout = connection.settimeout
        self._receive = connection.recv
        self._send = connection.sendall
        self._decode = msgspec.json.Decoder(incoming).decode
        self._encode = msgspec.json.Encoder().encode
        self._buffer = bytearray()

    def send(self, message: msgspec.Struct) -> None:
        """Send a message.

        Raises:
            ChannelClosedError: The other side is gone.
        """
        try:
            self._send(self._encode(message) + b"\n")
        except OSError as error:
            raise ChannelClosedError(str(error)) from error

    def receive(self, seconds: float | None = None) -> Any:
        """Wait for a message.

        Args:
            seconds: Maximum wait for each part of it; None: forever.

        Raises:
            ChannelClosedError: The other side is gone, or it does not speak this protocol.
            ChannelTimeoutError: Nothing arrived within that time.
        """
        self._set_timeout(seconds)
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                part = self._receive(1 << 16)
            except TimeoutError:
                raise ChannelTimeoutError(f"no answer within {seconds:g} s") from None
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            if not part:
                raise ChannelClosedError("the other side closed the connection")
            self._buffer += part
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            return self._decode(line)
        except msgspec.DecodeError as error:
            raise ChannelClosedError(f"the other side speaks another protocol: {error}") from error

    def close(self) -> None:
        """Close this end."""
        self._close()
