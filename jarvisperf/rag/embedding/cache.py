"""Caches vectors by content in an SQLite file, so that no text is embedded twice.

The key is a digest of the model's identity (which includes the weights' fingerprint, backend, dtype, prompts and
dimension), the role and the text; the value is the vector as packed float32. Each batch is one transaction, so its
vectors survive a later interruption. An unusable file only costs speed, and is logged once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.disk_tier.fork_guard import in_sqlite
from jarvisperf.forks import renew_lock_when_forked
from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MAX_BYTES: Final = 2**30
_KEY_BYTES: Final = 16
_KEYS_PER_QUERY: Final = 500  # every SQLite accepts 999 parameters
_WAIT_SECONDS: Final = 10.0
_CHECK_SIZE_EVERY: Final = 64
_PAGES_PER_CHECKPOINT: Final = 4000  # 16 MB; the default of 4 MB waits for the disk more often
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS vectors (key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"

_log = logging.getLogger(__name__)


def vector_key(model: str, role: str, text: str) -> bytes:
    """Return the key of a vector: BLAKE2b (RFC 7693) of everything that it depends on."""
    return hashlib.blake2b(framed(model, role, text), digest_size=_KEY_BYTES).digest()


class EmbeddingCache:
    """Caches packed vectors; threads and processes may share the file.

    Args:
        file: The SQLite file; created, with its folder, when the first vectors are stored.
        max_bytes: Approximate maximum size; the oldest vectors are removed first.
    """

    def __init__(self, file: Path, max_bytes: int = MAX_BYTES) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        renew_lock_when_forked(self)
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._broken = False
        self._writes = 0

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the known vectors by key."""
        found: dict[bytes, bytes] = {}
        with self._lock, in_sqlite.lock:
            connection = self._opened(create=False)
            if connection is None:
                return found
            try:
                for start in range(0, len(keys), _KEYS_PER_QUERY):
                    part = keys[start : start + _KEYS_PER_QUERY]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608 - question marks only
                    found.update(connection.execute(query, part))
            except sqlite3.Error as error:
                self._give_up(error)
        return found

    def put(self, vectors: Mapping[bytes, bytes]) -> None:
        """Store vectors in one transaction."""
        with self._lock, in_sqlite.lock:
            connection = self._opened(create=True)
            if connection is None or not vectors:
                return
            try:
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", vectors.items())
                    if self._writes % _CHECK_SIZE_EVERY == 0:
                        self._trim(connection, vectors.values())
                    self._writes += 1
            except sqlite3.Error as error:
                self._give_up(error)

    def remove(self, keys: Iterable[bytes]) -> None:
        """Remove vectors in one transaction."""
        with self._lock, in_sqlite.lock:
            connection = self._opened(create=False)
            if connection is None:
                return
            try:
                with connection:
                    connection.executemany("DELETE FROM vectors WHERE key = ?", [(key,) for key in keys])
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file; it is opened again on next use."""
        with self._lock, in_sqlite.lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _opened(self, *, create: bool) -> sqlite3.Connection | None:
        if self._process != os.getpid():  # SQLite connections must not cross a fork
            self._connection, self._process = None, os.getpid()
        if self._connection is None and not self._broken and (create or self._file.exists()):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self._file, timeout=_WAIT_SECONDS, check_same_thread=False)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")  # a power failure may lose the last batches
                connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES_PER_CHECKPOINT}")
                connection.execute(_SCHEMA)
                self._connection = connection
            except (OSError, sqlite3.Error) as error:
                self._give_up(error)
        return self._connection

    def _trim(self, connection: sqlite3.Connection, sample: Iterable[bytes]) -> None:
        each = _KEY_BYTES + len(next(iter(sample)))
        connection.execute(
            "DELETE FROM vectors WHERE rowid <= (SELECT max(rowid) FROM vectors) - ?", (self._max_bytes // each,)
        )

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        _log.warning("embedding cache %s unusable; texts will be embedded again: %s", self._file, error)
