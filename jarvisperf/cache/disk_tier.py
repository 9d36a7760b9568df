"""The third tier: a folder, kept by diskcache, that stores and loads bytes only.

diskcache unpickles what its database tells it to, so that whoever can write to the folder can run code in every
process that reads it (CVE-2025-69872; its JSONDisk does so too). ``BytesDisk`` refuses whatever it did not write.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import diskcache
from diskcache.core import DBNAME, METADATA, MODE_BINARY, MODE_RAW, UNKNOWN

from jarvisperf.cache.tier import CorruptEntryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jarvisperf.cache.names import Names
    from jarvisperf.cache.pattern import KeyPattern

# How long a call may wait while another process writes. A writer that needs longer is a failure: it costs a
# recomputation, where waiting would cost every caller.
BUSY_SECONDS: Final = 0.25
# A folder that was removed or replaced is noticed this late: until then values go to a database that nobody finds.
CHECK_PLACE_SECONDS: Final = 1.0
_BATCH: Final = 500

# All that a database left by somebody else could otherwise choose.
_SETTINGS: Final = {
    "statistics": 0,  # with them every read would be a write
    "tag_index": 0,
    "eviction_policy": "least-recently-stored",  # the only one that does not write on reads
    "cull_limit": 10,
    "disk_min_file_size": 2**15,
    "disk_pickle_protocol": 0,
    "sqlite_journal_mode": "wal",
    "sqlite_synchronous": 1,
}


class BytesDisk(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
    """Bytes in, bytes out; anything else is a corrupt entry."""

    def put(self, key: object) -> tuple[memoryview, bool]:
        """Turn a key, which is bytes, into the columns ``key`` and ``raw``."""
        if type(key) is not bytes:
            raise TypeError(f"a key on disk is bytes, not {type(key).__name__}")
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        """Turn the columns into a key; a row that diskcache would unpickle is corrupt."""
        if not raw or type(key) is not bytes:
            raise CorruptEntryError("a key on disk that is not bytes")
        return key

    def store(self, value: object, read: bool, key: object = UNKNOWN) -> tuple[int, int, str | None, object]:
        """Turn a value, which is bytes, into the columns ``size``, ``mode``, ``filename`` and ``value``."""
        if type(value) is not bytes or read:
            raise TypeError(f"a value on disk is bytes, not {type(value).__name__}")
        columns: tuple[int, int, str | None, object] = super().store(value, read, key=key)
        return columns

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        """Turn the columns into the value."""
        if mode == MODE_RAW and filename is None:
            found = value
        elif mode == MODE_BINARY and self._is_inside(filename):
            found = super().fetch(mode, filename, value, read)
        else:
            raise CorruptEntryError(f"a row of mode {mode!r} and file {filename!r}")
        if type(found) is not bytes:
            raise CorruptEntryError(f"a value of type {type(found).__name__}")
        return found

    def remove(self, file_path: object) -> None:
        """Remove a value's file; a path that leads out of the folder is left alone."""
        if self._is_inside(file_path):
            super().remove(file_path)

    def _is_inside(self, file_path: object) -> bool:
        if not isinstance(file_path, str):
            return False
        folder = Path(self._directory).resolve()
        return (folder / file_path).resolve().is_relative_to(folder)


class _Database(diskcache.Cache):  # type: ignore[misc] # diskcache has no types
    """diskcache's cache with a bound on waiting, and with access to a range of keys."""

    @property
    def _sql_retry(self) -> Callable[..., Any]:
        """Retry a statement while the database is locked; diskcache's own does so for a minute."""
        sql = self._sql

        def execute(statement: str, *args: object) -> object:
            deadline = time.monotonic() + BUSY_SECONDS
            while True:
                try:
                    return sql(statement, *args)
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                time.sleep(0.001)

        return execute

    def reset(self, key: str, *args: object, **kwargs: object) -> object:
        """Take one setting over; a database can hold settings that would replace a method of this class."""
        if key not in diskcache.DEFAULT_SETTINGS and key not in METADATA:
            raise OSError(f"not a cache database: it has a setting {key!r}")
        return super().reset(key, *args, **kwargs)

    def keys_from(self, start: bytes, end: bytes) -> Iterator[list[bytes]]:
        """Give the keys of a range that have not expired, in batches; the bounds use the index."""
        while True:
            rows = self._sql(
                "SELECT key FROM Cache WHERE raw = 1 AND key >= ? AND key < ? AND typeof(key) = 'blob'"
                " AND (expire_time IS NULL OR expire_time > ?) ORDER BY key LIMIT ?",
                (start, end, time.time(), _BATCH),
            ).fetchall()
            yield [key for (key,) in rows]
            if len(rows) < _BATCH:
                return
            start = rows[-1][0] + b"\0"


class DiskStore:
    """Bytes under the names of one namespace in one folder, which several processes may share.

    Args:
        folder: Created, for its owner only, if it does not exist.
        names: Of the namespace.
        most_bytes: About how much may be stored; the oldest goes first.
        clock: Monotonic seconds; paces the look at whether the folder is still the one that was opened.
    """

    name = "disk"
    failures: tuple[type[Exception], ...] = (diskcache.Timeout, sqlite3.Error, OSError)

    def __init__(
        self, folder: Path, names: Names, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder.expanduser().absolute()
        self.place = str(self._folder)
        self._names = names
        self._most_bytes = most_bytes
        self._clock = clock
        self._opened: _Database | None = None
        self._file: tuple[int, int] | None = None
        self._checked_at = -math.inf

    def open(self) -> None:
        """Open the database, anew if it was open."""
        self.close()
        if os.path.expandvars(self.place) != self.place:
            raise OSError("diskcache would put the value of a variable into the folder's name: give one without $")
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
        try:
            self._opened = _Database(
                self.place, timeout=BUSY_SECONDS, disk=BytesDisk, size_limit=self._most_bytes, **_SETTINGS
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # Settings inside the database that no diskcache wrote.
            raise OSError(f"not a cache database: {error}") from error
        self._file, self._checked_at = self._file_now(), self._clock()

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key."""
        found: bytes | None = self._database.get(self._names.name(key))
        return found

    def put(self, key: str, blob: bytes, seconds: float) -> None:
        """Hold bytes."""
        with self._changing() as database:
            database.set(self._names.name(key), blob, expire=None if seconds == math.inf else seconds)

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        with self._changing() as database:
            return bool(database.delete(self._names.name(key)))

    def delete_many(self, keys: set[str]) -> None:
        """Remove keys."""
        self._delete([self._names.name(key) for key in keys])

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""
        if pattern.is_literal:
            return {pattern.head} if self.delete(pattern.head) else set()
        keys: set[str] = set()
        start = self._names.name(pattern.head)
        end = start[:-1] + bytes([start[-1] + 1])  # UTF-8 has no byte 255
        for names in self._database.keys_from(start, end):
            found = {key for name in names if (key := self._names.key(name)) and pattern.matches(key)}
            self.delete_many(found)
            keys |= found
        return keys

    def close(self) -> None:
        """Close this thread's connection; the others' close with their threads."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _database(self) -> _Database:
        if self._opened is None:
            raise OSError("the cache database is not open")
        now = self._clock()
        if now - self._checked_at >= CHECK_PLACE_SECONDS:
            if self._file_now() != self._file:
                raise OSError("the folder was removed or replaced while it was open")
            self._checked_at = now
        return self._opened

    def _file_now(self) -> tuple[int, int] | None:
        try:
            found = (self._folder / DBNAME).stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _delete(self, names: list[bytes]) -> None:
        for start in range(0, len(names), _BATCH):
            with self._changing() as database, database.transact():
                for name in names[start : start + _BATCH]:
                    database.delete(name)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Database]:
        database = self._database
        try:
            yield database
        except self.failures:
            # A commit that fails (a full disk) leaves the transaction open, and with it the lock; closing ends both.
            database.close()
            raise
