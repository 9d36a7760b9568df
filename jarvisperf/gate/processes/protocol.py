"""What coordinator and worker say to each other: one JSON object a line, over a socket.

The coordinator speaks first, the worker answers each message with one of its own.

| coordinator says | worker answers |
| --- | --- |
| (nothing: the worker has collected) | `collected`: ids, and the files that could not be collected |
| `run`: id, next id | `ready`: metric, fixed iterations; or `done`, if the test ended without handing over a target |
| `sample`: iterations | `values`: one value |
| `turns`: iterations, blocks, leads, number, clock, samples, together | `values`: one value per block |
| (any of these two) | `done`, where the target raised |
| `stop` | `ready` for the next metric, or `done`: outcome, message, modules from elsewhere |
| `fork` | `forked`, from a copy of the process: the copy carries the conversation on |
| `quit` | a copy ends, and its original answers `ended`; an original ends and answers nothing |

In `turns` the two workers pass one byte to and fro over a socket of their own, so that the coordinator sleeps while
they measure: block by block, the one that leads takes its slice first, and the lead alternates: A B, B A, A B, …
Where calls are long they take their slices together: the byte starts each block on both sides, and the system, which
has one processor for the two, has them take turns within the calls. The byte says for which `turns` it is, so that one
that was left over from others is passed over; and whether the target has raised, so that the other worker, which would
wait for ever, gives what it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    import socket

VERSION = 8


Clock = Literal["wall", "cpu"]


class Run(msgspec.Struct, tag="run", frozen=True):
    """Run a test; `next` is the one after it, so that its fixtures may stay."""

    id: str
    next: str | None = None


class Sample(msgspec.Struct, tag="sample", frozen=True):
    """Take one value."""

    iterations: int = 1


class Turns(msgspec.Struct, tag="turns", frozen=True):
    """Take one value per block, the median of some samples, in turns with the other worker or together with it."""

    iterations: int
    blocks: int
    leads: bool
    number: int = 0
    clock: Clock = "wall"
    samples: int = 1
    together: bool = False


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """No more values of this metric are wanted: let the test go on."""


class Fork(msgspec.Struct, tag="fork", frozen=True):
    """Go on in a copy of this process, until that is told to quit."""


class Quit(msgspec.Struct, tag="quit", frozen=True):
    """End."""


class Collected(msgspec.Struct, tag="collected", frozen=True):
    """What the worker found.

    Attributes:
        version: The protocol that it speaks.
        ids: The benchmark tests.
        problems: A line for each file that it could not collect.
        foreign: Modules of the project that came from elsewhere, with their files.
        forkable: Whether it may go on in a copy: there are no other Python threads, which a copy would be without.
    """

    version: int
    ids: list[str]
    problems: dict[str, str]
    foreign: dict[str, str] = {}
    forkable: bool = True


class Forked(msgspec.Struct, tag="forked", frozen=True):
    """The copy is here."""


class Ended(msgspec.Struct, tag="ended", frozen=True):
    """The copy has ended and the original listens again."""


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """A test handed over a target.

    Attributes:
        metric: What it measures.
        fixed_iterations: How many calls its author wants in a sample.
        most_samples: How many samples its author wants at most.
        own_clock: Its author chose the clock, which then stays.
        method: How it measures, where that may differ.
        drawn: How far its random generators are: equal where both arms drew the same numbers.
        system_draws: How often it asked the system for random bytes, which nobody can make equal.
    """

    metric: Literal["time", "memory", "startup"]
    fixed_iterations: int | None = None
    most_samples: int | None = None
    own_clock: bool = False
    method: str = ""
    drawn: str = ""
    system_draws: int = 0


class Values(msgspec.Struct, tag="values", frozen=True):
    """What was measured.

    Attributes:
        values: Seconds per sample (all its iterations together), or bytes.
        peaks: Peak memory beside `startup`'s seconds.
        waiting: The share of the wall time that the process spent off the processor, where it gave that up of its own
            accord: for input or output, a lock, a timer, another thread. In `turns` the lower quartile of the slices
            in which it did, and 0 where those are few or were taken together.
    """

    values: list[float]
    peaks: list[float] = []
    waiting: float = 0.0


class Done(msgspec.Struct, tag="done", frozen=True):
    """A test has ended.

    Attributes:
        outcome: As pytest names it.
        message: The error in one line, or why it was skipped.
        traceback: The failure as pytest shows it.
        xfail: Why it was expected to fail; None: it was not.
        lacks: The failure is that a module, or a name in a module, does not exist.
        foreign: Modules of the project that came from elsewhere, with their files.
        group: The group that the test named while it ran.
        extra_info: The author's notes.
        notes: What the reader of the figures should know.
        raised: What the target raised, in one line, whatever the test made of that; None: nothing.
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


FromCoordinator = Run | Sample | Turns | Stop | Fork | Quit
FromWorker = Collected | Forked | Ended | Ready | Values | Done


class ChannelClosedError(ConnectionError):
    """The other side is gone."""


class ChannelTimeoutError(TimeoutError):
    """The other side said nothing for too long."""


class Channel:
    """One end of the conversation.

    Args:
        connection: A connected stream socket.
        incoming: The union of message types that the other side sends.
    """

    def __init__(self, connection: socket.socket, incoming: Any) -> None:
        self._connection = connection
        self._decoder = msgspec.json.Decoder(incoming)
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()

    def send(self, message: msgspec.Struct) -> None:
        """Send a message.

        Raises:
            ChannelClosedError: The other side is gone.
        """
        try:
            self._connection.sendall(self._encoder.encode(message) + b"\n")
        except OSError as error:
            raise ChannelClosedError(str(error)) from error

    def receive(self, seconds: float | None = None) -> Any:
        """Wait for a message.

        Args:
            seconds: How long to wait for each part of it; None: for ever.

        Raises:
            ChannelClosedError: The other side is gone, or it does not speak this protocol.
            ChannelTimeoutError: It said nothing for so long.
        """
        self._connection.settimeout(seconds)
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                part = self._connection.recv(1 << 16)
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
            return self._decoder.decode(line)
        except msgspec.DecodeError as error:
            raise ChannelClosedError(f"the other side speaks another protocol: {error}") from error

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
