"""Vectors by content, in one SQLite file: what was embedded once is not embedded again.

The key is a digest of the model's identity (which has the weights' fingerprint, backend, dtype, prompts and
dimension), the role and the text; the value is the vector as packed float32. Each batch is one transaction, so what
was embedded before an interruption is there after it. A file that cannot be used costs speed only: it is logged once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MOST_BYTES: Final = 2**30
_KEY_BYTES: Final = 16
_KEYS_PER_QUERY: Final = 500  # SQLite takes 999 parameters at least
_WAIT_SECONDS: Final = 10.0
_CHECK_SIZE_EVERY: Final = 64
_PAGES_PER_CHECKPOINT: Final = 4000  # 16 MB; a checkpoint waits for the disk, by default after each 4 MB
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS vectors (key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"

_log = logging.getLogger(__name__)


def vector_key(model: str, role: str, text: str) -> bytes:
    """The key of a vector: BLAKE2b (RFC 7693) of all that it depends on, each part after its length."""
    return hashlib.blake2b(framed(model, role, text), digest_size=_KEY_BYTES).digest()


class EmbeddingCache:
    """Keeps packed vectors; threads and processes may share it.

    Args:
        file: The SQLite file; made, with its folder, when the first vectors are kept.
        most_bytes: About how much it may hold; the oldest go first.
    """

    def __init__(self, file: Path, most_bytes: int = MOST_BYTES) -> None:
        self._file = file
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._broken = False
        self._writes = 0

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The vectors that are there, by key."""
        found: dict[bytes, bytes] = {}
        with self._lock:
            connection = self._opened(make=False)
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
        """Keep vectors, in one transaction."""
        with self._lock:
            connection = self._opened(make=True)
            if connection is None or not vectors:
                return
            try:
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", vectors.items())
                    if self._writes % _CHECK_SIZE_EVERY == 0:
                        self._shorten(connection, vectors.values())
                    self._writes += 1
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file; it opens again when it is used again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _opened(self, *, make: bool) -> sqlite3.Connection | None:
        if self._process != os.getpid():  # SQLite's connections must not cross a fork
            self._connection, self._process = None, os.getpid()
        if self._connection is None and not self._broken and (make or self._file.exists()):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self._file, timeout=_WAIT_SECONDS, check_same_thread=False)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")  # a loss of power may cost the last batches
                connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES_PER_CHECKPOINT}")
                connection.execute(_SCHEMA)
                self._connection = connection
            except (OSError, sqlite3.Error) as error:
                self._give_up(error)
        return self._connection

    def _shorten(self, connection: sqlite3.Connection, sample: Iterable[bytes]) -> None:
        each = _KEY_BYTES + len(next(iter(sample)))
        connection.execute(
            "DELETE FROM vectors WHERE rowid <= (SELECT max(rowid) FROM vectors) - ?", (self._most_bytes // each,)
        )

    def _give_up(self, error: Exception) -> None:
        self._broken = True
        _log.warning("the embedding cache %s cannot be used, so texts are embedded again: %s", self._file, error)
