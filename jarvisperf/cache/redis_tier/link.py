"""Connections to one Redis server: commands in one round trip each, and an end to every call.

The client's own ``execute_command`` costs about as much again as the server; here a command is packed by hiredis, sent
by the client's connection and read by ``redis_parser.py``, and nothing is around it.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import redis
from hiredis import pack_command

from jarvisperf.cache.redis_tier.reply_reader import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Command = tuple[bytes, tuple[Any, ...]]

SCAN_BATCH = 1000
_MOST_IDLE_CONNECTIONS = 32
_LOST = (redis.ConnectionError, OSError)


class Subscribed:
    """A connection on which a channel is heard.

    redis-py's object for subscriptions takes a tenth of a millisecond for a message, and every writer would pay for
    that: it hears its own.

    Args:
        connection: It is used for nothing else.
        channel: The channel.
        silence_seconds: ``next`` waits no longer than that.
    """

    def __init__(self, connection: Any, channel: bytes, silence_seconds: float) -> None:
        self._connection = connection
        self._send("SUBSCRIBE", channel)
        connection._sock.settimeout(silence_seconds)  # noqa: SLF001 - as below

    def next(self) -> tuple[bytes, bytes] | None:
        """Give the kind (``subscribe``, ``message`` or ``pong``) and what it says; None: nothing has come.

        Raises:
            RedisError: The connection is lost, or the server refuses.
        """
        try:
            reply = self._connection._parser.reply()  # noqa: SLF001 - as below
        except redis.TimeoutError:
            return None
        if isinstance(reply, redis.ResponseError):
            raise reply
        kind, *_, said = reply
        return kind, said

    def has_more(self) -> bool:
        """Whether something has come that ``next`` would give at once."""
        return bool(self._connection._parser.has_data())  # noqa: SLF001 - as below

    def ping(self) -> None:
        """Ask whether the connection is alive."""
        self._send("PING")

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()

    def _send(self, *command: Any) -> None:
        self._connection.send_packed_command((pack_command(command),), check_health=False)


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

    def subscribe(self, channel: bytes, silence_seconds: float) -> Subscribed:
        """Subscribe, on a connection of its own."""

    def open(self) -> None:
        """Find out whether the server answers, with a new connection."""

    def close(self) -> None:
        """Close the connections."""


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
        commands = [args for phase in phases for _, args in phase]  # one server runs them in their order
        if not commands:  # to which the server would say nothing
            return []
        with Deadline(self._call_seconds):
            replies: list[Any] = self._exchange(None, commands)
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

    def subscribe(self, channel: bytes, silence_seconds: float) -> Subscribed:
        """Subscribe, on a connection of its own."""
        return Subscribed(self._new(), channel, silence_seconds)

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
            packed = pack_command(one) if one is not None else b"".join(map(pack_command, many or ()))
            connection.send_packed_command((packed,), check_health=False)
            read = connection._parser.reply  # noqa: SLF001 - around it the connection does what only others need
            replies = [read() for _ in many or (one,)]
        except BaseException:
            # Unread replies would be taken for those of the next call.
            connection.disconnect()
            raise
        self._idle.append(connection)
        for each in replies:
            if isinstance(each, redis.ResponseError):
                raise each
        return replies[0] if one is not None else replies
