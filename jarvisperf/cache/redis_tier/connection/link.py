"""Connections to one Redis server: one round trip per call, and a deadline for every call.

The client's own ``execute_command`` costs about as much as the server itself. Here a command is packed by hiredis, sent
through the client's connection and read by ``reply_reader.py``, with nothing in between.
"""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import redis
from hiredis import pack_command

from jarvisperf.cache.redis_tier.connection.pool import Connections
from jarvisperf.cache.redis_tier.connection.reply_reader import (
    SLOWEST_BYTES_PER_SECOND,
    Deadline,
    check_deadline,
    prolong,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Command = tuple[bytes, tuple[Any, ...]]

SCAN_BATCH = 1000
LARGE_BYTES = 2**18
"""Commands of this size are sent in pieces, with a deadline that grows with their size."""
_LOST = (redis.ConnectionError, OSError)


class Subscribed:
    """A connection that is subscribed to a channel.

    redis-py's PubSub takes a tenth of a millisecond per message, which every writer would pay, because it receives
    its own messages.

    Args:
        connection: A dedicated connection.
        channel: The channel.
        silence_seconds: Maximum wait of ``next``.
        close: Closes the connection.
    """

    def __init__(self, connection: Any, channel: bytes, silence_seconds: float, close: Callable[[Any], None]) -> None:
        self._connection = connection
        self._close = close
        self._send("SUBSCRIBE", channel)
        connection._sock.settimeout(silence_seconds)  # noqa: SLF001 - as below

    def next(self) -> tuple[bytes, bytes] | None:
        """Return the kind (``subscribe``, ``message`` or ``pong``) and the content; None if nothing arrived.

        Raises:
            RedisError: The connection is lost, or the server returned an error.
        """
        try:
            reply = self._connection._parser.reply()  # noqa: SLF001 - as below
        except redis.TimeoutError:
            return None
        if isinstance(reply, redis.ResponseError):
            raise reply
        kind, *_, payload = reply
        return kind, payload

    def has_more(self) -> bool:
        """Return whether ``next`` would return at once."""
        return bool(self._connection._parser.has_data())  # noqa: SLF001 - as below

    def ping(self) -> None:
        """Check that the connection is alive."""
        self._send("PING")

    def wake(self) -> None:
        """Make a ``next`` that waits in another thread raise at once; only ``close`` may follow."""
        sock = self._connection._sock  # noqa: SLF001 - as below
        if sock is not None:
            with contextlib.suppress(OSError):  # the connection is lost already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # that of a TLS socket would disturb its reader

    def close(self) -> None:
        """Close the connection."""
        self._close(self._connection)

    def _send(self, *command: Any) -> None:
        self._connection.send_packed_command((pack_command(command),), check_health=False)


class Link(Protocol):
    """Sends commands to any Redis deployment; the name decides which server receives a command.

    Attributes:
        database: The number of the database.
    """

    database: int

    def call(self, name: bytes, *args: Any) -> Any:
        """Run one command."""

    def begin(self, name: bytes, *args: Any) -> Callable[[], Any]:
        """Send one command if there is an idle connection; the returned function must be called for the reply."""

    def many(self, *phases: Sequence[Command]) -> list[Any]:
        """Run commands together and return the replies in order. The first error reply is raised.

        The commands of a phase may run in any order, after all commands of the previous phase.
        """

    def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of several names; None for those that are not strings."""

    def scan(self, glob: bytes) -> Iterator[list[bytes]]:
        """Yield the names that match, in batches; a name may occur twice."""

    def subscribe(self, channel: bytes, silence_seconds: float) -> Subscribed:
        """Subscribe on a dedicated connection."""

    def open(self) -> None:
        """Check that the server answers, with a new connection."""

    def close(self) -> None:
        """Close the connections."""


class ServerLink:
    """One server, or the master behind Sentinel.

    Args:
        pool: Creates the connections, and bounds their number; not used otherwise.
        call_seconds: The deadline of a call.

    Attributes:
        database: The number of the database.

    Raises:
        ValueError: The pool allows a single connection.
    """

    def __init__(self, pool: redis.ConnectionPool, call_seconds: float) -> None:
        self.database = int(pool.connection_kwargs.get("db") or 0)
        self._call_seconds = call_seconds
        self._connections = Connections(pool)

    def call(self, name: bytes, *args: Any) -> Any:  # noqa: ARG002 - one server has all names
        """Run one command."""
        with Deadline(self._call_seconds):
            return self._exchange(args, None)

    def begin(self, name: bytes, *args: Any) -> Callable[[], Any]:
        """Send one command on an idle connection; the returned function reads the reply."""
        connection = self._connections.idle()
        call = partial(self.call, name, *args)
        if connection is None:
            return call
        try:
            # The socket's timeout is limit enough for a small command; the deadline is for its reply.
            connection.send_packed_command((pack_command(args),), check_health=False)
        except (redis.RedisError, OSError):
            self._connections.lose(connection)
            return call
        except BaseException:
            self._connections.lose(connection)
            raise
        return lambda: self._reply_on(connection, call)

    def many(self, *phases: Sequence[Command]) -> list[Any]:
        """Run commands together."""
        commands = [args for phase in phases for _, args in phase]  # one server runs them in order
        if not commands:  # the server would not reply
            return []
        with Deadline(self._call_seconds):
            replies: list[Any] = self._exchange(None, commands)
        return replies

    def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of several names."""
        found: list[bytes | None] = self.call(b"", "MGET", *names)
        return found

    def scan(self, glob: bytes) -> Iterator[list[bytes]]:
        """Yield the names that match, in batches."""
        cursor: Any = 0
        while True:
            cursor, names = self.call(b"", "SCAN", cursor, "MATCH", glob, "COUNT", SCAN_BATCH)
            yield names
            if not int(cursor):
                return

    def subscribe(self, channel: bytes, silence_seconds: float) -> Subscribed:
        """Subscribe on a dedicated connection."""
        with Deadline(self._call_seconds):
            connection = self._connections.dedicated()
        try:
            return Subscribed(connection, channel, silence_seconds, self._connections.lose)
        except BaseException:
            self._connections.lose(connection)
            raise

    def open(self) -> None:
        """Check that the server answers, with a new connection."""
        self.close()
        self.call(b"", "PING")

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close_idle()

    def _exchange(self, one: tuple[Any, ...] | None, many: list[tuple[Any, ...]] | None) -> Any:
        connection = self._connections.idle()
        if connection is None:
            connection, is_new = self._connections.new_or_idle()
            if is_new:
                return self._use(connection, one, many)
        try:
            return self._use(connection, one, many)
        except redis.TimeoutError:
            raise
        except _LOST:
            # The server closed the idle connection or was restarted; only a new connection can tell.
            self.close()
            return self._use(self._connections.new_or_idle()[0], one, many)

    def _reply_on(self, connection: Any, again: Callable[[], Any]) -> Any:
        try:
            with Deadline(self._call_seconds):
                reply = connection._parser.reply()  # noqa: SLF001 - as in ``_use``
        except BaseException as error:
            self._connections.lose(connection)
            if isinstance(error, redis.TimeoutError) or not isinstance(error, _LOST):
                raise
            self.close()  # as in ``_exchange``
            return again()
        self._connections.give_back(connection)
        if isinstance(reply, redis.ResponseError):
            raise reply
        return reply

    def _use(self, connection: Any, one: tuple[Any, ...] | None, many: list[tuple[Any, ...]] | None) -> Any:
        try:
            packed = pack_command(one) if one is not None else b"".join(map(pack_command, many or ()))
            if len(packed) >= LARGE_BYTES:
                replies = _exchange_large(connection, packed, len(many or (one,)))
            else:
                connection.send_packed_command((packed,), check_health=False)
                read = connection._parser.reply  # noqa: SLF001 - the connection's own method adds overhead
                replies = [read() for _ in many or (one,)]
        except BaseException:
            # Unread replies would be mistaken for those of the next call.
            self._connections.lose(connection)
            raise
        self._connections.give_back(connection)
        for each in replies:
            if isinstance(each, redis.ResponseError):
                raise each
        return replies[0] if one is not None else replies


def _exchange_large(connection: Any, packed: bytes, count: int) -> list[Any]:
    """Send a large command in pieces, each within the socket's timeout, and read the replies.

    Raises:
        TimeoutError: A piece or a reply takes too long, or all of it is slower than ``SLOWEST_BYTES_PER_SECOND``.
    """
    extra_seconds = len(packed) / SLOWEST_BYTES_PER_SECOND
    prolong(extra_seconds)
    connection.send_packed_command(_pieces(packed), check_health=False)
    parser = connection._parser  # noqa: SLF001 - as above
    with parser.patience(extra_seconds):  # much of it may still be in buffers on the way
        return [parser.reply() for _ in range(count)]


def _pieces(packed: bytes) -> Iterator[memoryview]:
    whole = memoryview(packed)
    for start in range(0, len(packed), LARGE_BYTES):
        check_deadline()
        yield whole[start : start + LARGE_BYTES]
