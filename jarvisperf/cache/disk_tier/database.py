"""diskcache's database, restricted to bytes, bounded in size, and without long waits.

diskcache unpickles whatever its database says, so anyone who can write to the folder can run code in every process
that reads it (CVE-2025-69872; its JSONDisk does so, too). ``BytesDisk`` rejects every row that it did not write.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import diskcache
from diskcache.core import METADATA, MODE_BINARY, MODE_RAW, UNKNOWN

from jarvisperf.cache.outage.store import CorruptEntryError
from jarvisperf.forks import tell_when_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# How long a call waits while another process writes. A longer wait counts as a failure, because a failure costs one
# recomputation, while waiting would delay every caller.
BUSY_SECONDS: Final = 0.25
BATCH: Final = 500

_LEAST_FILE_BYTES: Final = 2**15
# Set explicitly: otherwise a database written by someone else could choose them.
SETTINGS: Final = {
    "statistics": 0,  # otherwise every read would be a write
    "tag_index": 0,
    "eviction_policy": "least-recently-stored",  # the only one that does not write on reads
    "cull_limit": 10,
    "disk_min_file_size": _LEAST_FILE_BYTES,
    "disk_pickle_protocol": 0,
    "sqlite_auto_vacuum": 1,
    "sqlite_journal_mode": "wal",
    "sqlite_synchronous": 1,
}

# The file names that diskcache uses; any other name could lead to a file that it did not write.
_FILE_NAME: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
# The size is checked after writing this share of the limit or this many rows, so it exceeds the limit by a few percent
# at most.
_LOOK_AFTER_SHARE: Final = 1 / 64
_LOOK_AFTER_WRITES: Final = 16
_ROWS_PER_ROUND: Final = 64
_MOST_ROUNDS: Final = 32

# One column to save time: the value if it is in the row, the file name if it is in a file, otherwise 0.
_GET: Final = (
    "SELECT CASE"  # noqa: S608 - constants
    f" WHEN mode = {MODE_RAW} AND filename IS NULL AND typeof(value) = 'blob' THEN value"
    f" WHEN mode = {MODE_BINARY} AND typeof(filename) = 'text' THEN filename"
    " ELSE 0 END FROM Cache WHERE key = ? AND raw = 1 AND (expire_time IS NULL OR expire_time > ?)"
)
# Values in files are replaced differently, because the file must be removed.
_REPLACE: Final = (
    "UPDATE Cache SET store_time = ?, expire_time = ?, access_time = ?, access_count = 0, tag = NULL, size = 0,"
    " mode = ?, value = ? WHERE key = ? AND raw = 1 AND filename IS NULL"
)


class Row(NamedTuple):
    """A row to be written."""

    name: bytes
    blob: bytes
    expire_time: float | None
    tags: tuple[bytes, ...]


class BytesDisk(diskcache.Disk):  # type: ignore[misc] # diskcache has no types
    """Stores and loads bytes; anything else is a corrupt entry."""

    def put(self, key: object) -> tuple[memoryview, bool]:
        """Convert a key (bytes) to the columns ``key`` and ``raw``."""
        if type(key) is not bytes:
            raise TypeError(f"a key on disk must be bytes, not {type(key).__name__}")
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        """Convert the columns to a key; a row that diskcache would unpickle is corrupt."""
        if not raw or type(key) is not bytes:
            raise CorruptEntryError("a key on disk that is not bytes")
        return key

    def store(self, value: object, read: bool, key: object = UNKNOWN) -> tuple[int, int, str | None, object]:
        """Convert a value (bytes) to the columns ``size``, ``mode``, ``filename`` and ``value``."""
        if type(value) is not bytes or read:
            raise TypeError(f"a value on disk must be bytes, not {type(value).__name__}")
        columns: tuple[int, int, str | None, object] = super().store(value, read, key=key)
        return columns

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:  # noqa: ARG002 - diskcache's signature
        """Convert the columns to the value."""
        if mode == MODE_RAW and filename is None:
            found = value
        elif mode == MODE_BINARY and _is_own_file(filename):
            found = _read(f"{self._directory}/{filename}")
        else:
            raise CorruptEntryError(f"a row of mode {mode!r} and file {filename!r}")
        if type(found) is not bytes:
            raise CorruptEntryError(f"a value of type {type(found).__name__}")
        return found

    def remove(self, file_path: object) -> None:
        """Remove a value's file; a path that leads out of the folder is ignored."""
        if _is_own_file(file_path):
            super().remove(file_path)


class Database(diskcache.Cache):  # type: ignore[misc] # diskcache has no types
    """diskcache's cache with short waits, tags, and access to ranges of keys.

    Attributes:
        evictions: The number of entries that this object removed to make room.
    """

    def __init__(self, place: str, most_bytes: int) -> None:
        super().__init__(place, timeout=BUSY_SECONDS, disk=BytesDisk, size_limit=most_bytes, **SETTINGS)
        self.evictions = 0
        self._cursors = threading.local()  # going through ``_con`` is slower: it checks the process id
        tell_when_forked(self, Database._forget_cursors)
        self._most_bytes = most_bytes
        self._written_bytes = 0
        self._writes = _LOOK_AFTER_WRITES - 1  # the first write checks, because some processes write only once
        self._tagged = bool(self._sql("SELECT 1 FROM sqlite_master WHERE name = 'CacheTag'").fetchall())

    @property
    def _sql_retry(self) -> Callable[..., Any]:
        """Retry a statement while the database is locked, but not for a minute as diskcache does."""
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
        """Apply a known setting; any other is rejected, because it could replace a method of this class."""
        if key not in diskcache.DEFAULT_SETTINGS and key not in METADATA:
            raise OSError(f"not a cache database: unknown setting {key!r}")
        return super().reset(key, *args, **kwargs)

    def close(self) -> None:
        """Close this thread's connection."""
        self._cursors = threading.local()
        super().close()

    def read_one(self, name: bytes) -> bytes | None:
        """Return the bytes of a name.

        Raises:
            CorruptEntryError: The row was not written by this class.
        """
        # There is at most one row, so no lock remains.
        row = self._cursor().execute(_GET, (name, time.time())).fetchone()
        if row is None:
            return None
        (content,) = row
        if type(content) is bytes:
            return content
        try:
            found: bytes = self._disk.fetch(MODE_BINARY, content, None, False)
        except OSError:  # the file was removed after the row was read
            return None
        return found

    def read_many(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the bytes of those names that exist; corrupt rows are left out."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            marks = ",".join("?" * len(batch))
            rows = self._sql(
                f"SELECT key, mode, filename, value FROM Cache WHERE raw = 1 AND key IN ({marks})"  # noqa: S608 - question marks
                " AND (expire_time IS NULL OR expire_time > ?)",
                (*batch, time.time()),
            ).fetchall()
            for name, mode, filename, value in rows:
                try:
                    found[name] = self._disk.fetch(mode, filename, value, False)
                except (OSError, CorruptEntryError):
                    continue
        return found

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in one transaction and make room for them."""
        if len(rows) == 1 and self._has_replaced(rows[0]):
            return
        stored = [self._disk.store(row.blob, False, key=row.name) for row in rows]
        try:
            with self._transact() as (sql, cleanup):
                for row, columns in zip(rows, stored, strict=True):
                    self._write_row(sql, cleanup, row, columns)
                self._written_bytes += sum(len(row.blob) for row in rows)
                self._writes += len(rows)
                if self._is_room_due(self._writes, self._written_bytes):
                    self._writes = self._written_bytes = 0
                    self._make_room(sql, cleanup)
        except BaseException:
            for _, _, filename, _ in stored:
                self._disk.remove(filename)
            raise

    def delete_names(self, names: Sequence[bytes]) -> set[bytes]:
        """Remove names; return those that existed and had not expired."""
        gone: set[bytes] = set()
        for start in range(0, len(names), BATCH):
            with self.transact():
                gone.update(name for name in names[start : start + BATCH] if self.delete(name))
        return gone

    def names_from(self, start: bytes, end: bytes) -> Iterator[list[bytes]]:
        """Yield the unexpired names of a range, in batches, using the index."""
        while True:
            rows = self._sql(
                "SELECT key FROM Cache WHERE raw = 1 AND key >= ? AND key < ? AND typeof(key) = 'blob'"
                " AND (expire_time IS NULL OR expire_time > ?) ORDER BY key LIMIT ?",
                (start, end, time.time(), BATCH),
            ).fetchall()
            yield [name for (name,) in rows]
            if len(rows) < BATCH:
                return
            start = rows[-1][0] + b"\0"

    def tagged_names(self, tags: Sequence[bytes]) -> list[bytes]:
        """Return the names that have one of the tags."""
        if not self._has_tags():
            return []
        found: dict[bytes, None] = {}
        for tag in tags:
            for (name,) in self._sql("SELECT key FROM CacheTag WHERE tag = ?", (tag,)).fetchall():
                if type(name) is bytes:
                    found[name] = None
        return list(found)

    def measure(self) -> tuple[int, int]:
        """Return the number of rows and bytes of the whole folder, as counted by diskcache."""
        (count,) = self._sql("SELECT count(*) FROM Cache").fetchone()
        return int(count), self._used_bytes(self._sql)

    def _cursor(self) -> sqlite3.Cursor:
        try:
            cursor: sqlite3.Cursor = self._cursors.one
        except AttributeError:
            cursor = self._cursors.one = self._con.cursor()
        return cursor

    def _forget_cursors(self) -> None:
        self._cursors = threading.local()

    def _has_replaced(self, row: Row) -> bool:
        """Replace a row in one statement if nothing else is needed; return whether that was done."""
        if (
            self._tagged
            or row.tags
            or len(row.blob) >= _LEAST_FILE_BYTES
            or self._txn_id is not None
            or self._is_room_due(self._writes + 1, self._written_bytes + len(row.blob))
        ):
            return False
        now = time.time()
        replacing = self._cursor().execute(_REPLACE, (now, row.expire_time, now, MODE_RAW, row.blob, row.name))
        if not replacing.rowcount:
            return False
        self._writes += 1
        self._written_bytes += len(row.blob)
        return True

    def _is_room_due(self, writes: int, written_bytes: int) -> bool:
        return writes >= _LOOK_AFTER_WRITES or written_bytes >= self._most_bytes * _LOOK_AFTER_SHARE

    def _write_row(
        self, sql: Any, cleanup: Callable[[object], None], row: Row, columns: tuple[int, int, str | None, object]
    ) -> None:
        now = time.time()
        found = sql("SELECT rowid, filename FROM Cache WHERE key = ? AND raw = 1", (row.name,)).fetchall()
        if found:
            ((rowid, old_file),) = found
            cleanup(old_file)
            self._row_update(rowid, now, (row.expire_time, None, *columns))
        else:
            self._row_insert(sqlite3.Binary(row.name), True, now, (row.expire_time, None, *columns))
        if row.tags:
            self._make_tag_table(sql)
        if self._tagged:
            sql("DELETE FROM CacheTag WHERE key = ?", (row.name,))
            for tag in row.tags:
                sql("INSERT OR IGNORE INTO CacheTag VALUES (?, ?)", (tag, row.name))

    def _has_tags(self) -> bool:
        # Another process may have created the table.
        if not self._tagged:
            self._tagged = bool(self._sql("SELECT 1 FROM sqlite_master WHERE name = 'CacheTag'").fetchall())
        return self._tagged

    def _make_tag_table(self, sql: Any) -> None:
        if not self._tagged:
            sql("CREATE TABLE IF NOT EXISTS CacheTag (tag BLOB, key BLOB, PRIMARY KEY (tag, key)) WITHOUT ROWID")
            sql("CREATE INDEX IF NOT EXISTS CacheTag_key ON CacheTag (key)")
            sql(
                "CREATE TRIGGER IF NOT EXISTS CacheTag_delete AFTER DELETE ON Cache FOR EACH ROW"
                " BEGIN DELETE FROM CacheTag WHERE key = OLD.key; END"
            )
            self._tagged = True

    def _make_room(self, sql: Any, cleanup: Callable[[object], None]) -> None:
        """Remove expired rows, then the oldest, until the size is within the limit."""
        expired = sql(
            "SELECT rowid, filename FROM Cache WHERE expire_time IS NOT NULL AND expire_time < ? LIMIT ?",
            (time.time(), _ROWS_PER_ROUND),
        ).fetchall()
        for rowid, filename in expired:
            _remove_row(sql, cleanup, rowid, filename)
        for _ in range(_MOST_ROUNDS):
            excess = self._used_bytes(sql) - self._most_bytes
            oldest = sql(
                "SELECT rowid, filename, size + coalesce(length(value), 0) FROM Cache ORDER BY store_time LIMIT ?",
                (_ROWS_PER_ROUND,),
            ).fetchall()
            if excess <= 0 or not oldest:
                return
            for rowid, filename, size in oldest:
                _remove_row(sql, cleanup, rowid, filename)
                self.evictions += 1
                excess -= size
                if excess <= 0:
                    break

    def _used_bytes(self, sql: Any) -> int:
        ((pages,),) = sql("PRAGMA page_count").fetchall()
        ((free,),) = sql("PRAGMA freelist_count").fetchall()  # released when the transaction ends
        ((in_files,),) = sql("SELECT value FROM Settings WHERE key = 'size'").fetchall()
        return (int(pages) - int(free)) * int(self._page_size) + int(in_files)


def _remove_row(sql: Any, cleanup: Callable[[object], None], rowid: int, filename: object) -> None:
    sql("DELETE FROM Cache WHERE rowid = ?", (rowid,))
    cleanup(filename)


def _is_own_file(path: object) -> bool:
    return isinstance(path, str) and _FILE_NAME.fullmatch(path) is not None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)  # five times as fast as fstat
        data = os.pread(descriptor, size, 0)
        while len(data) < size:  # a read may be partial
            more = os.pread(descriptor, size - len(data), len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)
