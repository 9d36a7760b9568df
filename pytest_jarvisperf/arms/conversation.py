"""A worker's end of its connections: to the coordinator, and to the other worker.

See `jarvisperf/gate/processes/protocol.py` for what is said.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jarvisperf.gate.processes import protocol

if TYPE_CHECKING:
    import socket


class Conversation:
    """The worker's end of both connections: to the coordinator, and to the other worker."""

    def __init__(self, connection: socket.socket, turns: socket.socket) -> None:
        self._channel = protocol.Channel(connection, protocol.FromCoordinator)
        self._turns = turns

    def send(self, message: protocol.FromWorker) -> None:
        """Send a message to the coordinator."""
        self._channel.send(message)

    def receive(self) -> Any:
        """Wait for the coordinator; when it is gone, end this process at once."""
        try:
            return self._channel.receive()
        except protocol.ChannelClosedError:
            os._exit(0)

    def give_turn(self, number: int) -> None:
        """Let the other worker take its slices."""
        self._turns.send(bytes([2 * number]))

    def leave_turns(self, number: int) -> None:
        """Tell the other worker that there are no more slices here: the target raised."""
        self._turns.send(bytes([2 * number + 1]))

    def wait_turn(self, number: int) -> bool:
        """Wait until the other worker has taken its slices; when it is gone, end this process at once.

        Returns:
            False where there are no more slices on the other side.
        """
        while got := self._turns.recv(1):
            if got[0] // 2 == number:
                return got[0] % 2 == 0
        os._exit(0)
