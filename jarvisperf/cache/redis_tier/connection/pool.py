"""The connections to one server: reused when idle, and never more than the client's pool allows."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import redis

from jarvisperf.cache.redis_tier.connection.reply_reader import left_seconds

if TYPE_CHECKING:
    from redis import ConnectionPool

_MOST_IDLE: Final = 32
_FEWEST: Final = 2


class Connections:
    """Connections of one process; threads may share it.

    The pool itself takes a lock twice per call. Here an idle connection costs one ``pop`` and one ``append``.

    Args:
        pool: Creates the connections; its ``max_connections`` bounds them, the subscription included.

    Raises:
        ValueError: The bound is below 2.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        if pool.max_connections < _FEWEST:
            raise ValueError(
                f"max_connections is {pool.max_connections}: give 2 or more, because one listens for messages"
            )
        self._pool = pool
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[Any] = deque()
        self._opened = 0
        self._waiting = 0
        self._changed = threading.Condition()

    def idle(self) -> Any:
        """Return an idle connection; None if there is none."""
        if self._pid != os.getpid():  # after a fork, the sockets belong to the parent
            self._begin()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def new_or_idle(self) -> tuple[Any, bool]:
        """Return a connection, waiting for one if all are in use, and whether it is new.

        Raises:
            TimeoutError: None is free before the deadline of the call.
            RedisError: The server cannot be reached.
        """
        with self._changed:
            while self._opened >= self._pool.max_connections:
                self._waiting += 1  # before looking again: whoever gives one back looks at this after that
                try:
                    if (connection := self.idle()) is not None:
                        return connection, False
                    if not self._changed.wait(left_seconds()):
                        raise redis.TimeoutError(f"all {self._opened} connections are in use (max_connections)")
                finally:
                    self._waiting -= 1
            self._opened += 1
        return self._connected(), True

    def dedicated(self) -> Any:
        """Return a new connection that is never idle; raises as ``new_or_idle``."""
        connection, is_new = self.new_or_idle()
        if is_new:
            return connection
        self.lose(connection)  # all are open, and this one was idle
        return self.dedicated()

    def give_back(self, connection: Any) -> None:
        """Keep a connection for the next call."""
        if len(self._idle) >= _MOST_IDLE:
            self.lose(connection)
            return
        self._idle.append(connection)
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def lose(self, connection: Any) -> None:
        """Close a connection."""
        connection.disconnect()
        self._count_closed()

    def close_idle(self) -> None:
        """Close the connections that are not in use."""
        while (connection := self.idle()) is not None:
            self.lose(connection)

    def _connected(self) -> Any:
        try:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            connection.connect()  # explicitly: a Sentinel connection asks for the master here
        except BaseException:
            self._count_closed()
            raise
        return connection

    def _count_closed(self) -> None:
        with self._changed:
            self._opened -= 1
            self._changed.notify()
