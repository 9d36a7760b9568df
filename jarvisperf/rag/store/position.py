"""How far Chroma's own log of a collection in a folder has come, which shows writes by any program.

Chroma numbers the records of its log and keeps, in ``chroma.sqlite3``, the number that each segment has reached (table
``max_seq_id``). So a number that differs from the one after our last write means that something else wrote in between:
``chroma run`` on the same folder, another Chroma client, or a restored copy. The database is read only if its file has
changed since, because each opening of the folder rewrites it without changing the number.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

_WAIT_SECONDS: Final = 2.0
# A second write within the file system's time step would leave the same time; no file system here has coarser steps.
_TIME_STEP_NANOSECONDS: Final = 50_000_000
_POSITION: Final = (
    "SELECT max(seq_id) FROM max_seq_id WHERE segment_id IN (SELECT id FROM segments WHERE collection = ?)"
)


class _Seen(NamedTuple):
    inode: int
    modified_nanoseconds: int
    size_bytes: int
    collection: str
    position: int


class ChromaLog:
    """Reads the position of a collection's log.

    Args:
        folder: The folder that Chroma keeps its files in, an absolute path.
    """

    def __init__(self, folder: Path) -> None:
        self._file = str(folder / "chroma.sqlite3")
        self._seen: _Seen | None = None

    def position(self, collection_id: str) -> int:
        """Return the number of the latest record; 0 before the first one, -1 if it cannot be read.

        Args:
            collection_id: The id that Chroma assigned to the collection.
        """
        try:
            found = os.stat(self._file)  # noqa: PTH116 - read for every cached query
        except OSError:
            return -1
        seen = self._seen
        if (
            seen is not None
            and seen.modified_nanoseconds == found.st_mtime_ns
            and seen.inode == found.st_ino
            and seen.size_bytes == found.st_size
            and seen.collection == collection_id
        ):
            return seen.position
        position = self._read(collection_id)
        is_settled = time.time_ns() - found.st_mtime_ns > _TIME_STEP_NANOSECONDS
        known = is_settled and position >= 0
        self._seen = _Seen(found.st_ino, found.st_mtime_ns, found.st_size, collection_id, position) if known else None
        return position

    def _read(self, collection_id: str) -> int:
        import sqlite3

        try:
            connection = sqlite3.connect(f"{Path(self._file).as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)
            try:
                ((position,),) = connection.execute(_POSITION, (collection_id,))
            finally:
                connection.close()
        except sqlite3.Error:
            return -1
        return 0 if position is None else int(position)
