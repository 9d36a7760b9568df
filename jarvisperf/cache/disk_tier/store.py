"""The disk store: a folder managed by diskcache that stores bytes only (see ``database.py``)."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

import diskcache
from diskcache.core import DBNAME

from jarvisperf.cache.disk_tier.database import Database, Row
from jarvisperf.cache.disk_tier.fork_guard import in_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from jarvisperf.cache.keys.names import Names
    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.outage.store import Write

# How often to check whether the folder was removed or replaced; until then, values go to an orphaned database.
CHECK_PLACE_SECONDS: Final = 1.0
# A larger value would evict too many others, so it is not stored.
LARGEST_SHARE: Final = 1 / 4


class DiskStore:
    """Stores bytes under the names of one namespace in a folder, which several processes may share.

    Args:
        folder: The folder; if it does not exist, it is created with access for its owner only.
        names: The names of the namespace.
        most_bytes: The size limit, exceeded by a few percent at most; the oldest entries are evicted first. A value
            larger than a quarter of it is not stored.
        clock: Monotonic clock in seconds; schedules the checks that the folder has not been removed or replaced.
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
        self._opened: Database | None = None
        self._evicted_before = 0
        self._file: tuple[int, int] | None = None
        self._checked_at = -math.inf

    @property
    def evictions(self) -> int:
        """The number of entries that this process removed to make room."""
        return self._evicted_before + (0 if self._opened is None else self._opened.evictions)

    def open(self) -> None:
        """Open or reopen the database."""
        self.close()
        if os.path.expandvars(self.place) != self.place:
            raise OSError(f"diskcache would expand the variable in {self.place!r}: give a path without $")
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
        try:
            with in_sqlite.lock:
                opened = Database(self.place, self._most_bytes)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # The database has settings that diskcache never writes.
            raise OSError(f"not a cache database: {error}") from error
        self._evicted_before, self._opened = self.evictions, opened
        self._file, self._checked_at = self._file_now(), self._clock()

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a key; None if it does not exist."""
        database = self._opened
        if database is None or self._clock() - self._checked_at >= CHECK_PLACE_SECONDS:
            database = self._database
        with in_sqlite.lock:
            return database.read_one(self._names.name(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those keys that have any; corrupt entries are left out."""
        keys_by_name = {self._names.name(key): key for key in keys}
        with in_sqlite.lock:
            found = self._database.read_many(list(keys_by_name))
        return {keys_by_name[name]: blob for name, blob in found.items()}

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Store bytes; return False if they are too large."""
        row = self._row(key, blob, seconds, tags)
        if len(blob) > self._most_bytes * LARGEST_SHARE:
            return self._write([row]) == 1
        database = self._database
        with in_sqlite.lock:
            try:
                database.write([row])
            except self.failures:
                database.close()  # as in ``_changing``, which takes longer than all the rest of a small write
                raise
        return True

    def put_many(self, writes: Sequence[Write]) -> int:
        """Store several values, except those that are too large; return how many were stored."""
        return self._write([self._row(*write) for write in writes])

    def swap(self, old: bytes, write: Write) -> bool:
        """Replace the old bytes if they are still stored; return whether they were."""
        row = self._row(*write)
        with self._changing() as database, database.transact():
            if database.read_many([row.name]).get(row.name) != old:
                return False
            database.write([row])
        return True

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it existed."""
        with self._changing() as database:
            return bool(database.delete(self._names.name(key)))

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; return those that existed."""
        return self._delete([self._names.name(key) for key in keys])

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys that match and have not expired."""
        with in_sqlite.lock:
            return {key for keys in self._matching(pattern) for key in keys}

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match and return them."""
        if pattern.is_literal:
            return {pattern.head} if self.delete(pattern.head) else set()
        gone: set[str] = set()
        with in_sqlite.lock:
            for keys in self._matching(pattern):
                gone |= self.delete_many(keys)
        return gone

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags and return them."""
        with in_sqlite.lock:
            return self._delete(self._database.tagged_names([self._names.name(tag) for tag in tags]))

    def size(self) -> tuple[int, int]:
        """Return the number of entries and bytes in the folder, in all namespaces."""
        with in_sqlite.lock:
            return self._database.measure()

    def close(self) -> None:
        """Close this thread's connection; those of other threads close when the threads end."""
        if self._opened is not None:
            with in_sqlite.lock:
                self._opened.close()

    @property
    def _database(self) -> Database:
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

    def _row(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...]) -> Row:
        expire_time = None if seconds == math.inf else time.time() + seconds
        return Row(self._names.name(key), blob, expire_time, tuple(map(self._names.name, tags)))

    def _write(self, rows: list[Row]) -> int:
        too_large = [row for row in rows if len(row.blob) > self._most_bytes * LARGEST_SHARE]
        with self._changing() as database:
            if too_large:
                database.delete_names([row.name for row in too_large])
                rows = [row for row in rows if row not in too_large]
            if rows:
                database.write(rows)
        return len(rows)

    def _matching(self, pattern: KeyPattern) -> Iterator[set[str]]:
        start = self._names.name(pattern.head)
        end = start[:-1] + bytes([start[-1] + 1])  # UTF-8 has no byte 255
        for names in self._database.names_from(start, end):
            yield {key for name in names if (key := self._names.key(name)) and pattern.matches(key)}

    def _delete(self, names: Sequence[bytes]) -> set[str]:
        with self._changing() as database:
            gone = database.delete_names(names)
        return {key for name in gone if (key := self._names.key(name)) is not None}

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Database]:
        database = self._database
        with in_sqlite.lock:
            try:
                yield database
            except self.failures:
                # A failed commit (full disk) leaves the transaction and its lock open; closing ends both.
                database.close()
                raise
