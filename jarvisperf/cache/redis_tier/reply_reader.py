"""Reads Redis's replies, never beyond the deadline of the call, and a large one without copying it.

Timeouts of sockets bound one read, not a call: a server that sends a byte now and then could keep a caller for ever,
so a call has a deadline that its reads share.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import redis
from redis._parsers import _HiredisParser  # the only place where a deadline can be kept
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.utils import SENTINEL

# A longer string is received where it stays; hiredis would copy it twice.
_LARGE_BYTES: Final = 2**17
# Memory for it is taken before it is there, so not for whatever length is claimed.
_LARGEST_BYTES: Final = 2**26
_LINE_END: Final = b"\r\n"
_LONGEST_HEAD_BYTES: Final = 32


class _Call(threading.local):
    """The call that this thread is in."""

    deadline = 0.0


_call = _Call()


class Deadline:
    """The time that a call may take, reads and retries included; the outermost counts.

    Args:
        seconds: From now.
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


class DeadlineParser(_HiredisParser):
    """hiredis, but with a deadline."""

    def reply(self) -> Any:
        """Read one reply; an error that the server gives is returned.

        Raises:
            ConnectionError: The connection is lost, or the server says that it cannot serve.
            TimeoutError: The reply does not come in time.
        """
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
            raise redis.ConnectionError(f"not the master any more: {found}")
        return found

    def has_data(self) -> bool:
        """Whether something was received that is not read yet."""
        # None once the connection is closed, which its stub does not say.
        return self._reader is not None and self._reader.has_data()  # type: ignore[redundant-expr]

    def read_from_socket(self, timeout: Any = SENTINEL, raise_on_timeout: bool = True) -> Any:
        """Read what has come, waiting no longer than the socket's timeout or what is left of the call."""
        if _call.deadline:
            left = _left_seconds()
            of_socket = self._socket_timeout
            timeout = min(left, of_socket) if of_socket else left
        return super().read_from_socket(timeout, raise_on_timeout)  # type: ignore[no-untyped-call] # private

    def _large_string(self, received: int) -> bytearray | None:
        """Receive the rest of a large string of which the buffer has the start; None: it has something else."""
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
            raise redis.InvalidResponse("a string that is longer than the server said")
        del found[length:]
        return found

    def _receive(self, buffer: Any) -> int:
        """Receive what has come; how many bytes."""
        sock = self._sock
        if sock is None:
            raise redis.ConnectionError("the connection is closed")
        of_socket = self._socket_timeout
        left = _left_seconds() if _call.deadline else None
        is_short = left is not None and (of_socket is None or left < of_socket)
        try:
            if is_short:  # each change of a socket's timeout is a call of the system
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
        return received


def _left_seconds() -> float:
    # Where this thread had to wait for its turn, the reply may be there already: that is still worth a look.
    return max(_call.deadline - time.monotonic(), 0.001)
