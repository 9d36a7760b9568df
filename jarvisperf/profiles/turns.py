"""Lets two processes take turns, so that the machine affects both profiles equally."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


class Turns:
    """One end of the alternation; if the other process has ended, this one continues alone.

    Args:
        connection: The connection to the other process.
        leads: Whether this process takes the first turn.
    """

    def __init__(self, connection: socket.socket, *, leads: bool) -> None:
        self._connection = connection
        self._mine = leads
        self._alone = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn, and pass it on when the block ends."""
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
