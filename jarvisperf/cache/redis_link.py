"""Connections to one Redis server: commands in one round trip each, and an end to every call.

The client's own ``execute_command`` costs about as much again as the server; here a command is packed, sent and read
by the client's connection and nothing is around it. Timeouts of sockets bound one read, not a call: a server that
sends a byte now and then could keep a caller for ever, so a call has a deadline that its reads share.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import redis
from redis._parsers import _HiredisParser  # the only place where a deadline can be kept
from redis.utils import SENTINEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Command = tuple[bytes, tuple[Any, ...]]

SCAN_BATCH = 1000
_MOST_IDLE_CONNECTIONS = 32
_LOST = (redis.ConnectionError, OSError)


class Link(Protocol):
    """Commands to a Redis of whatever deployment; what is named first decides which server gets it."""

    def call(self, name: bytes, *args: Any) -> Any:
        """Run one command."""

    def many(self, *phases: Sequence[Command]) -> list[Any]:
        """Run commands together; the replies come in their order. The first error reply is raised.

        The commands of a phase may run in any order, and none runs before all of the phase before it have run.
        """

    def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Get several; what is no string is None."""

    def scan(self, glob: bytes) -> Iterator[list[bytes]]:
        """Give the names that match, in batches; a name may come twice."""

    def pubsub(self) -> Any:
        """Give redis-py's object for subscriptions, on a connection of its own."""

    def open(self) -> None:
        """Find out whether the server answers, with a new connection."""

    def close(self) -> None:
        """Close the connections."""


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


def _left_seconds() -> float:
    # Where this thread had to wait for its turn, the reply may be there already: that is still worth a look.
    return max(_call.deadline - time.monotonic(), 0.001)


class DeadlineParser(_HiredisParser):
    """Reads replies, but not beyond the deadline of the call."""

    def read_from_socket(self, timeout: Any = SENTINEL, raise_on_timeout: bool = True) -> Any:
        """Read what has come, waiting no longer than the socket's timeout or what is left of the call."""
        if _call.deadline:
            left = _left_seconds()
            of_socket = self._socket_timeout
            timeout = min(left, of_socket) if of_socket else left
        return super().read_from_socket(timeout, raise_on_timeout)  # type: ignore[no-untyped-call] # private


class ServerLink:
    """One server, or the master that Sentinel names.

    Args:
        pool: Makes the connections; it is used for nothing else.
        call_seconds: How long a call may take altogether.
    """

    def __init__(self, pool: redis.ConnectionPool, call_seconds: float) -> None:
        self._pool = pool
        self._call_seconds = call_seconds
        self._idle: deque[Any] = deque(maxlen=_MOST_IDLE_CONNECTIONS)
        self._pid = os.getpid()

    def call(self, name: bytes, *args: Any) -> Any:  # noqa: ARG002 - one server has all names
        """Run one command."""
        with Deadline(self._call_seconds):
            return self._exchange(args, None)

    def many(self, *phases: Sequence[Command]) -> list[Any]:
        """Run commands together."""
        with Deadline(self._call_seconds):  # one server runs them in their order, whatever the phases
            replies: list[Any] = self._exchange(None, [args for commands in phases for _, args in commands])
        return replies

    def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Get several."""
        found: list[bytes | None] = self.call(b"", "MGET", *names)
        return found

    def scan(self, glob: bytes) -> Iterator[list[bytes]]:
        """Give the names that match, in batches."""
        cursor: Any = 0
        while True:
            cursor, names = self.call(b"", "SCAN", cursor, "MATCH", glob, "COUNT", SCAN_BATCH)
            yield names
            if not int(cursor):
                return

    def pubsub(self) -> Any:
        """Give redis-py's object for subscriptions."""
        return redis.Redis(connection_pool=self._pool).pubsub(ignore_subscribe_messages=False)

    def open(self) -> None:
        """Find out whether the server answers, with a new connection."""
        self.close()
        self.call(b"", "PING")

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last
                return
            if self._pid == os.getpid():  # the parent's socket is not this process's to shut down
                connection.disconnect()

    def _exchange(self, one: tuple[Any, ...] | None, many: list[tuple[Any, ...]] | None) -> Any:
        if self._pid != os.getpid():
            self._idle = deque(maxlen=_MOST_IDLE_CONNECTIONS)
            self._pid = os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._use(self._new(), one, many)
        try:
            return self._use(connection, one, many)
        except redis.TimeoutError:
            raise
        except _LOST:
            # The server closed it while it was idle, or was restarted; only a new connection can tell.
            self.close()
            return self._use(self._new(), one, many)

    def _new(self) -> Any:
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()  # as a matter of its own, for one of Sentinel's asks there who the master is
        return connection

    def _use(self, connection: Any, one: tuple[Any, ...] | None, many: list[tuple[Any, ...]] | None) -> Any:
        try:
            if one is not None:
                connection.send_packed_command(connection.pack_command(*one), check_health=False)
                reply = connection.read_response(disable_decoding=True)
            elif many is not None:
                connection.send_packed_command(connection.pack_commands(many), check_health=False)
                reply = [_reply(connection) for _ in many]
        except redis.ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:
            # Unread replies would be taken for those of the next call.
            connection.disconnect()
            raise
        self._idle.append(connection)
        if many is not None:
            for each in reply:
                if isinstance(each, redis.ResponseError):
                    raise each
        return reply


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except redis.ResponseError as error:
        return error
