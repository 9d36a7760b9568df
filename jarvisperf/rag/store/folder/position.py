"""How far Chroma's own log of a collection in a folder has come, which shows writes by any program.

Chroma numbers the records of its log and keeps, in ``chroma.sqlite3``, the number that each segment has reached (table
``max_seq_id``). So a number that differs from the one after our last write means that something else wrote in between:
``chroma run`` on the same folder, another Chroma client, or a restored copy. The database is read only if its file has
changed since, because each opening of the folder rewrites it without changing the number.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jarvisperf.rag.store.waiting import name_of

if TYPE_CHECKING:
    import os

UNKNOWN: Final = -1

_WAIT_SECONDS: Final = 2.0
# A second write within the file system's time step would leave the same time. Steps are those of the kernel's clock, a
# few milliseconds, except on file systems that count in seconds.
_TIME_STEP_NANOSECONDS: Final = 50_000_000
_COARSE_STEP_NANOSECONDS: Final = 3_000_000_000
_MILLISECOND: Final = 1_000_000
_POSITION: Final = (
    "SELECT max(seq_id) FROM max_seq_id WHERE segment_id IN (SELECT id FROM segments WHERE collection IN"
    " (SELECT id FROM collections WHERE id = ? OR name = ?))"
)


class Position(NamedTuple):
    """The position of a collection's log.

    Attributes:
        number: Of the latest record; 0 before the first one, ``UNKNOWN`` if it cannot be read.
        shows_in_file: Whether every write changes the database's file, so that an unchanged file means an unchanged
            number.
    """

    number: int
    shows_in_file: bool


def database_of(folder: Path) -> str:
    """Return the path of Chroma's database in a folder."""
    return str(folder / "chroma.sqlite3")


def position(database: str, collection_id: str) -> Position:
    """Read the position of the log of a collection and of the passages that wait for their vectors.

    Args:
        database: The path of Chroma's database.
        collection_id: The id that Chroma assigned to the collection.
    """
    try:
        address = f"{Path(database).as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as connection:
            ((number,),) = connection.execute(_POSITION, (collection_id, name_of(collection_id)))
            ((journal,),) = connection.execute("PRAGMA journal_mode")
    except sqlite3.Error:
        return Position(UNKNOWN, shows_in_file=False)
    return Position(0 if number is None else int(number), shows_in_file=journal != "wal")


def is_settled(found: os.stat_result) -> bool:
    """Return whether another write to a file would change its time of modification."""
    step = _TIME_STEP_NANOSECONDS if found.st_mtime_ns % _MILLISECOND else _COARSE_STEP_NANOSECONDS
    return time.time_ns() - found.st_mtime_ns > step
