"""The environment of the stateful test: a Redis that dies, caches in separate processes, a disk that fails."""

from __future__ import annotations

import contextlib
import pickle
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
from waiting import SOON_SECONDS, wait_until

from pytest_jarvisperf.redis_fixtures import server as redis_server

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILESYSTEM_BYTES = 8 * 2**20
_BLOCK_BYTES = 4096


class Server:
    """A Redis that can be killed, paused, emptied and restarted."""

    def __init__(self, executable: Path) -> None:
        self.folder = redis_server._short_private_folder()
        self.url = f"unix://{self.folder}/r.sock"
        self._command = [executable, "--unixsocket", self.folder / "r.sock", "--dir", self.folder]
        self.is_paused = False
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, *redis_server.SERVER_OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: redis_server._answers(Path(urlsplit(self.url).path)))

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self.is_paused = True
        self._process.send_signal(signal.SIGSTOP)

    def restart(self) -> None:
        """Kill it and restart it empty, before any client can notice."""
        self.kill()
        self.start()

    def flush(self) -> None:
        """Remove everything from it without closing any connection."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def heal(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self._process.send_signal(signal.SIGCONT)
        if not self.is_alive:
            self.start()


class Worker:
    """A process with a cache; see ``cache_worker``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "cache" / "faults" / "cache_worker.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def call(self, now: float, method: str, *args: object, **options: object) -> Any:
        """Make it do something at a time of the shared clock; its exceptions are raised here."""
        pickle.dump((now, method, args, options), self._process.stdin)
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], SOON_SECONDS)[0], f"{method}{args} does not end"
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


class Disk:
    """A folder that several workers share, and the faults that can happen to it.

    If a file system can be mounted, the folder is on a separate one that can be filled; otherwise, the length of files
    is limited instead.
    """

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="jarvis-stateful-"))
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={_FILESYSTEM_BYTES}", "none", str(self._root)]
        done = subprocess.run(mounting, capture_output=True, check=False) if shutil.which("mount") else None
        self._is_mounted = done is not None and done.returncode == 0
        self._number = 0
        self._lock: sqlite3.Connection | None = None
        self._limited: list[Worker] = []

    @property
    def folder(self) -> Path:
        return self._root / str(self._number)

    @property
    def database(self) -> Path:
        return self.folder / "cache.db"

    def begin(self) -> None:
        """Empty it; the caches of the old folder must have been closed."""
        self.heal()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._number += 1

    def fill(self, workers: Iterable[Worker]) -> None:
        """Fill it completely."""
        if not self._is_mounted:
            longest = max((path.stat().st_size for path in self.folder.glob("cache.db*")), default=0)
            self.limit(workers, longest)
            return
        with contextlib.suppress(OSError), (self._root / "filler").open("ab", buffering=0) as filler:
            while filler.write(bytes(_BLOCK_BYTES)):
                pass

    def limit(self, workers: Iterable[Worker], longest_bytes: int) -> None:
        """Limit the length of files written by some workers; at 0 they cannot write at all."""
        for worker in workers:
            worker.call(0.0, "limit_files", longest_bytes)
            self._limited.append(worker)

    def lock(self) -> None:
        """Keep all processes from writing to the database, if there is one."""
        with contextlib.suppress(sqlite3.Error):  # a writer was first, or the file is damaged
            self._lock = sqlite3.connect(f"{self.database.as_uri()}?mode=rw", uri=True, isolation_level=None)
            self._lock.execute("BEGIN IMMEDIATE")

    def spoil(self, position: int, dice: random.Random) -> None:
        """Overwrite a part of one of the files."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
        for path in dice.sample(files, min(1, len(files))):
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.seek(position % size if size else 0)
                file.write(dice.randbytes(64))

    def remove(self) -> None:
        """Follow the doctor's advice for a damaged database."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def heal(self) -> None:
        """Undo everything that can be undone."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        (self._root / "filler").unlink(missing_ok=True)
        for worker in self._limited:
            worker.call(0.0, "limit_files", None)
        self._limited = []

    def close(self) -> None:
        self.heal()
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", str(self._root)], check=True)
        shutil.rmtree(self._root, ignore_errors=True)
