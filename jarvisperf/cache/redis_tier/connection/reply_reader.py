"""Reads replies from Redis within the deadline of the call, and large replies without copying them.

Socket timeouts limit one read, not a call: a server that sends a byte now and then could keep a caller waiting forever.
Therefore a call has a deadline, shared by its reads.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import redis
from redis._parsers import _HiredisParser  # the only place where a deadline can be enforced
from redis._parsers.hiredis import (  # type: ignore[attr-defined]  # redis.utils lacks SENTINEL before redis-py 8
    NOT_ENOUGH_DATA,
    SENTINEL,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Longer strings are received in place; hiredis would copy them twice.
_LARGE_BYTES: Final = 2**17
# Memory is allocated before the data arrives, so the claimed length has a limit.
_LARGEST_BYTES: Final = 2**26
_LINE_END: Final = b"\r\n"
_LONGEST_HEAD_BYTES: Final = 32


# A transfer that is slower than this, or silent for longer than the socket's timeout, has failed.
SLOWEST_BYTES_PER_SECOND: Final = 2_000_000
_NOTABLE_BYTES: Final = 4096
INTERRUPTED_BYTES: Final = 2**15


class SlowReplyError(redis.TimeoutError):
    """A large reply had begun to arrive, but was too slow."""


class LostReplyError(redis.ConnectionError):
    """A large reply had begun to arrive when the connection was lost."""


INTERRUPTED: Final = (SlowReplyError, LostReplyError)


class _Call(threading.local):
    """The current call of this thread."""

    deadline = 0.0


_call = _Call()


class Deadline:
    """The deadline of a call, reads and retries included; nested deadlines have no effect.

    Args:
        seconds: The time allowed, from now.
    """

    __slots__ = ("_is_outermost", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._is_outermost = not _call.deadline
        if self._is_outermost:
            _call.deadline = time.monotonic() + self._seconds

    def __exit__(self, *_: object) -> None:
        if self._is_outermost:
            _call.deadline = 0.0


def prolong(seconds: float) -> None:
    """Move the deadline of this thread's current call."""
    if _call.deadline:
        _call.deadline += seconds


def check_deadline() -> None:
    """Raise TimeoutError if this thread's current call is past its deadline."""
    if _call.deadline and time.monotonic() > _call.deadline:
        raise redis.TimeoutError("Timeout writing to socket")


class DeadlineParser(_HiredisParser):
    """hiredis with a deadline, which moves with the amount of data received."""

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Allow the server to be silent for longer, because a large command is still on its way to it."""
        sock, before = self._sock, self._socket_timeout
        if sock is None or before is None:
            yield
            return
        self._socket_timeout = before + seconds
        sock.settimeout(before + seconds)
        try:
            yield
        finally:
            self._socket_timeout = before
            if self._sock is sock:
                sock.settimeout(before)

    def reply(self) -> Any:
        """Read one reply; an error reply is returned, not raised.

        Raises:
            ConnectionError: The connection is lost, or the server cannot serve; ``LostReplyError`` amid a large reply.
            TimeoutError: The reply does not arrive in time; ``SlowReplyError`` amid a large reply.
        """
        self._arrived_bytes = 0
        try:
            return self._reply()
        except redis.TimeoutError as error:
            if self._arrived_bytes < INTERRUPTED_BYTES:
                raise
            raise SlowReplyError(f"{self._arrived_bytes:,} bytes of a reply arrived, and no more in time") from error
        except redis.ConnectionError as error:
            if self._arrived_bytes < INTERRUPTED_BYTES:
                raise
            raise LostReplyError(f"{self._arrived_bytes:,} bytes of a reply arrived: {error}") from error

    def _reply(self) -> Any:
        reader = self._reader
        if reader is None:
            raise redis.ConnectionError("the connection is closed")
        is_between_replies = not reader.has_data()
        found = reader.gets(False)
        while found is NOT_ENOUGH_DATA:
            received = self._receive(self._buffer)
            if is_between_replies:
                is_between_replies = False
                large = self._large_string(received)
                if large is not None:
                    return large
            reader.feed(self._buffer, 0, received)  # type: ignore[arg-type] # its stub lacks bytearray
            found = reader.gets(False)
        if isinstance(found, redis.ConnectionError):
            raise found
        if isinstance(found, redis.ReadOnlyError):
            raise redis.ConnectionError(f"no longer the master: {found}")
        return found

    def has_data(self) -> bool:
        """Return whether received data has not been read yet."""
        # None once the connection is closed; the stub lacks that.
        return self._reader is not None and self._reader.has_data()  # type: ignore[redundant-expr]

    def read_from_socket(self, timeout: Any = SENTINEL, raise_on_timeout: bool = True) -> Any:
        """Read available data, waiting for the socket's timeout or the rest of the call, whichever is shorter."""
        if _call.deadline:
            left = left_seconds()
            of_socket = self._socket_timeout
            timeout = min(left, of_socket) if of_socket else left
        return super().read_from_socket(timeout, raise_on_timeout)  # type: ignore[no-untyped-call] # private

    def _large_string(self, received: int) -> bytearray | None:
        """Receive the rest of a large string whose start is in the buffer; None if the buffer holds something else."""
        start: bytearray = self._buffer
        if not start.startswith(b"$"):
            return None
        end = start.find(_LINE_END, 0, min(received, _LONGEST_HEAD_BYTES))
        digits = start[1:end]
        if end < 0 or not digits.isdigit():
            return None
        length = int(digits)
        if not _LARGE_BYTES <= length <= _LARGEST_BYTES:
            return None
        end += len(_LINE_END)
        found = bytearray(length + len(_LINE_END))
        have = received - end
        with memoryview(found) as whole:
            whole[:have] = memoryview(start)[end:received]
            while have < len(found):
                with whole[have:] as rest:
                    have += self._receive(rest)
        if not found.endswith(_LINE_END):
            raise redis.InvalidResponse("a string longer than announced by the server")
        del found[length:]
        return found

    def _receive(self, buffer: Any) -> int:
        """Receive available data and return the number of bytes."""
        sock = self._sock
        if sock is None:
            raise redis.ConnectionError("the connection is closed")
        of_socket = self._socket_timeout
        left = left_seconds() if _call.deadline else None
        is_short = left is not None and (of_socket is None or left < of_socket)
        try:
            if is_short:  # changing a socket's timeout is a system call
                sock.settimeout(left)
            try:
                received: int = sock.recv_into(buffer)
            finally:
                if is_short:
                    sock.settimeout(of_socket)
        except TimeoutError:
            raise redis.TimeoutError("Timeout reading from socket") from None
        except OSError as error:
            raise redis.ConnectionError(f"Error while reading from socket: {error}") from error
        if not received:
            raise redis.ConnectionError("Connection closed by server.")
        self._arrived_bytes += received
        if received >= _NOTABLE_BYTES:
            prolong(received / SLOWEST_BYTES_PER_SECOND)
        return received


def left_seconds() -> float:
    """Return how long the current call of this thread may still take."""
    # Not 0: if this thread had to wait for the processor, the reply may have arrived already.
    return max(_call.deadline - time.monotonic(), 0.001)
