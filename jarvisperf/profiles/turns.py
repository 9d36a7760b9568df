"""Two processes that take turns, so that what the machine does to one profile it does to the other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


class Turns:
    """One process's end; where the other has ended, this one goes on alone.

    Args:
        connection: To the other process.
        leads: Whether this one begins.
    """

    def __init__(self, connection: socket.socket, *, leads: bool) -> None:
        self._connection = connection
        self._mine = leads
        self._alone = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn; it is the other's when the block ends."""
        if not self._mine and not self._alone:
            try:
                self._alone = not self._connection.recv(1)
            except OSError:
                self._alone = True
        self._mine = False
        yield
        if not self._alone:
            try:
                self._connection.sendall(b".")
            except OSError:
                self._alone = True
