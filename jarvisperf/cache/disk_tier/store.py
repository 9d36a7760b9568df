"""The third tier: a folder, kept by diskcache, that stores and loads bytes only (see ``disk_database.py``)."""

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

# A folder that was removed or replaced is noticed this late: until then values go to a database that nobody finds.
CHECK_PLACE_SECONDS: Final = 1.0
# One value larger than that would push out too much of the rest; it is not kept.
LARGEST_SHARE: Final = 1 / 4


class DiskStore:
    """Bytes under the names of one namespace in one folder, which several processes may share.

    Args:
        folder: Created, for its owner only, if it does not exist.
        names: Of the namespace.
        most_bytes: How much may be stored, by a few percent more; the oldest goes first. A value of more than a
            quarter of it is not kept.
        clock: Monotonic seconds; paces the look at whether the folder is still the one that was opened.

    Attributes:
        refused: Values that were too large.
    """

    name = "disk"
    failures: tuple[type[Exception], ...] = (diskcache.Timeout, sqlite3.Error, OSError)

    def __init__(
        self, folder: Path, names: Names, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder.expanduser().absolute()
        self.place = str(self._folder)
        self.refused = 0
        self._names = names
        self._most_bytes = most_bytes
        self._clock = clock
        self._opened: Database | None = None
        self._evicted_before = 0
        self._file: tuple[int, int] | None = None
        self._checked_at = -math.inf

    @property
    def evictions(self) -> int:
        """Entries that this process removed to make room."""
        return self._evicted_before + (0 if self._opened is None else self._opened.evictions)

    def open(self) -> None:
        """Open the database, anew if it was open."""
        self.close()
        if os.path.expandvars(self.place) != self.place:
            raise OSError("diskcache would put the value of a variable into the folder's name: give one without $")
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
        try:
            with in_sqlite.lock:
                opened = Database(self.place, self._most_bytes)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # Settings inside the database that no diskcache wrote.
            raise OSError(f"not a cache database: {error}") from error
        self._evicted_before, self._opened = self.evictions, opened
        self._file, self._checked_at = self._file_now(), self._clock()

    def get(self, key: str) -> bytes | None:
        """Give what is held for a key."""
        database = self._opened
        if database is None or self._clock() - self._checked_at >= CHECK_PLACE_SECONDS:
            database = self._database
        with in_sqlite.lock:
            return database.read_one(self._names.name(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Give what is held for those of the keys that are; what is corrupt is left out."""
        keys_by_name = {self._names.name(key): key for key in keys}
        with in_sqlite.lock:
            found = self._database.read_many(list(keys_by_name))
        return {keys_by_name[name]: blob for name, blob in found.items()}

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Hold bytes; False: they are too many."""
        return self._write([self._row(key, blob, seconds, tags)]) == 1

    def put_many(self, writes: Sequence[Write]) -> int:
        """Hold several but for those that are too large; how many are held."""
        return self._write([self._row(*write) for write in writes])

    def swap(self, old: bytes, write: Write) -> bool:
        """Hold bytes in place of those, if they still are there; whether they were."""
        row = self._row(*write)
        with self._changing() as database, database.transact():
            if database.read_many([row.name]).get(row.name) != old:
                return False
            database.write([row])
        return True

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        with self._changing() as database:
            return bool(database.delete(self._names.name(key)))

    def delete_many(self, keys: Collection[str]) -> set[str]:
        """Remove keys; returns those that were there."""
        return self._delete([self._names.name(key) for key in keys])

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Give the keys that match and have not expired."""
        with in_sqlite.lock:
            return {key for keys in self._matching(pattern) for key in keys}

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match; returns those."""
        if pattern.is_literal:
            return {pattern.head} if self.delete(pattern.head) else set()
        gone: set[str] = set()
        with in_sqlite.lock:
            for keys in self._matching(pattern):
                gone |= self.delete_many(keys)
        return gone

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags; returns those."""
        with in_sqlite.lock:
            return self._delete(self._database.tagged_names([self._names.name(tag) for tag in tags]))

    def size(self) -> tuple[int, int]:
        """Count entries and bytes of the folder, whatever their namespace."""
        with in_sqlite.lock:
            return self._database.measure()

    def close(self) -> None:
        """Close this thread's connection; the others' close with their threads."""
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
        return Row(self._names.name(key), blob, expire_time, tuple(self._names.name(tag) for tag in tags))

    def _write(self, rows: list[Row]) -> int:
        too_large = [row for row in rows if len(row.blob) > self._most_bytes * LARGEST_SHARE]
        with self._changing() as database:
            if too_large:
                self.refused += len(too_large)
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
                # A commit that fails (a full disk) leaves the transaction and its lock; closing ends both.
                database.close()
                raise
