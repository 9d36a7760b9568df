"""A proxy in front of a Redis server that can delay, hold back, swallow and cut off data, to test such faults."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Final, Literal, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

Fault = Literal["none", "delay", "blackhole", "stall", "reset", "half", "drip", "limit"]

_CHUNK_BYTES: Final = 65536
_POLL_SECONDS: Final = 0.05
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s: close sends RST


class RedisFaults:
    """A Redis behind a proxy; also a context manager.

    Every fault takes effect at once on open and new connections, until ``heal``.

    Args:
        url: The server's URL: ``redis://host:port[/db]`` or ``unix:///path``.

    Attributes:
        url: The proxy's URL; pass it to the cache under test.
        connections: The number of connections made to the proxy.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target: str | tuple[str, int] = (
            parts.path if parts.scheme == "unix" else (parts.hostname or "localhost", parts.port or 6379)
        )
        database = "" if parts.scheme == "unix" else parts.path
        credentials, at, _ = parts.netloc.rpartition("@")
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._server.settimeout(_POLL_SECONDS)
        self.url = f"redis://{credentials}{at}127.0.0.1:{self._server.getsockname()[1]}{database}"
        self.connections = 0
        self._fault: Fault = "none"
        self._seconds = 0.0
        self._bytes = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._flows = threading.Event()
        self._flows.set()
        threading.Thread(target=self._accept, name="redis-faults", daemon=True).start()

    def delay(self, seconds: float) -> None:
        """Delay every reply by this long."""
        self._set("delay", seconds=seconds)

    def blackhole(self) -> None:
        """Accept whatever is sent, and never answer."""
        self._set("blackhole")

    def stall(self) -> None:
        """Hold back whatever is sent; ``heal`` forwards it, even if the sender gave up long ago."""
        self._set("stall")

    def reset(self) -> None:
        """Reset every connection (RST), and new ones as soon as they send something."""
        self._set("reset")
        self._close_all(_RESET)

    def half_reply(self, after_bytes: int = 1) -> None:
        """Forward the first bytes of a reply, then end the connection.

        Args:
            after_bytes: The number of bytes to forward.
        """
        self._set("half", after_bytes=after_bytes)

    def drip(self, seconds: float = 0.1) -> None:
        """Forward replies one byte at a time, with a pause before each."""
        self._set("drip", seconds=seconds)

    def limit(self, bytes_per_second: float) -> None:
        """Forward in both directions at most this much, as a slow network does."""
        self._set("limit", seconds=1 / bytes_per_second)

    def heal(self) -> None:
        """Forward everything again."""
        self._set("none")

    def close(self) -> None:
        """Stop the proxy."""
        self._stopped.set()
        self._flows.set()
        self._server.close()
        self._close_all(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(self, fault: Fault, *, seconds: float = 0.0, after_bytes: int = 0) -> None:
        with self._lock:
            self._fault, self._seconds, self._bytes = fault, seconds, after_bytes
            if fault == "stall":
                self._flows.clear()
            else:
                self._flows.set()

    def _close_all(self, linger: bytes | None) -> None:
        with self._lock:
            sockets, self._open = self._open, set()
        for each in sockets:
            _end(each, linger)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            try:
                server = self._connect()
            except OSError:  # no server: the client sees what a dead server looks like
                _end(client, _RESET)
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink, pump in ((client, server, self._requests), (server, client, self._replies)):
                threading.Thread(target=pump, args=(source, sink), name="redis-faults-pump", daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target, timeout=5)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        return server

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other pump or a fault ended the connection
            client.settimeout(None)
            while data := client.recv(_CHUNK_BYTES):
                self._flows.wait()
                if self._fault == "reset":
                    self._drop(client, server, _RESET)
                    return
                if self._fault != "blackhole":
                    self._slow_down(len(data))
                    server.sendall(data)
        self._drop(client, server, None)

    def _replies(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other pump or a fault ended the connection
            server.settimeout(None)
            while data := server.recv(_CHUNK_BYTES):
                self._flows.wait()
                if not self._pass_on(client, data):
                    break
        self._drop(client, server, None)

    def _pass_on(self, client: socket.socket, data: bytes) -> bool:
        fault, seconds, after_bytes = self._fault, self._seconds, self._bytes
        if fault == "blackhole":
            return True
        if fault == "half":
            client.sendall(data[:after_bytes])
            return False
        if fault == "drip":
            for position in range(len(data)):
                if self._fault != "drip" or self._stopped.wait(seconds):
                    client.sendall(data[position:])
                    return True
                client.sendall(data[position : position + 1])
            return True
        if fault == "delay":
            time.sleep(seconds)
        self._slow_down(len(data))
        client.sendall(data)
        return True

    def _slow_down(self, size_bytes: int) -> None:
        if self._fault == "limit":
            self._stopped.wait(size_bytes * self._seconds)

    def _drop(self, client: socket.socket, server: socket.socket, linger: bytes | None) -> None:
        with self._lock:
            self._open -= {client, server}
        _end(client, linger)
        _end(server, None)


def _end(each: socket.socket, linger: bytes | None) -> None:
    with contextlib.suppress(OSError):  # already closed
        if linger is not None and each.family == socket.AF_INET:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            each.shutdown(
                socket.SHUT_RD
            )  # a reading pump keeps the socket open; this wakes it without a proper shutdown
        else:
            each.shutdown(socket.SHUT_RDWR)
    each.close()
