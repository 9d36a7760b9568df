"""The folder with what unfinished comparisons of a project have decided: one file each, replaced at every look."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.gate.unfinished.record import NotOursError, Unfinished, pack, unfinished_of, unpack
from jarvisperf.runs.backends import OWN_FOLDER, FolderPlace, RunStoreError

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.gate.lockstep.model import Decided
    from jarvisperf.gate.unfinished.conditions import Conditions

FOLDER = "unfinished"
SUFFIX = ".msgpack"
MOST_KEPT = 5
LARGEST_BYTES = 1 << 30


class FoundDecisions(NamedTuple):
    """What the folder has for a comparison.

    Attributes:
        unfinished: An earlier comparison under the same conditions; None: there is none.
        why_not: The reason why the newest comparison under other conditions cannot be continued; empty if there is
            none.
        ignored: A line about files that are not ours; empty if there are none.
    """

    unfinished: Unfinished | None
    why_not: str
    ignored: str


class UnfinishedRuns:
    """The unfinished comparisons of one project.

    Args:
        root: The project's folder.
        key: This user's secret, see `key.py`.
    """

    def __init__(self, root: Path, key: bytes) -> None:
        self._own = root / OWN_FOLDER
        self._had_folder = self._own.exists()
        self._place = FolderPlace(self._own)
        self._key = key
        self.shown = f"{OWN_FOLDER}/{FOLDER}"

    def find(self, conditions: Conditions) -> FoundDecisions:
        """Look for an earlier comparison that may be continued.

        Args:
            conditions: The conditions of this one.
        """
        readable: list[Unfinished] = []
        ignored = []
        for path in self._newest_first():
            try:
                readable.append(self._read(path))
            except FileNotFoundError:  # another run has just finished
                continue
            except (NotOursError, RunStoreError) as error:
                ignored.append(f"{OWN_FOLDER}/{path} is ignored: {error}")
        readable.sort(key=lambda one: one.created, reverse=True)
        same = next((one for one in readable if one.conditions == conditions.digests), None)
        why_not = "" if same or not readable else _why_not(readable[0], conditions)
        others = len(ignored) - 1
        more = f" ({others} more file{'' if others == 1 else 's'} like that)" if others > 0 else ""
        return FoundDecisions(same, why_not, f"{ignored[0]}{more}" if ignored else "")

    def keep(self, decided: Decided, created: str, conditions: Conditions) -> None:
        """Keep what a comparison has decided so far; of the others, only the newest stay.

        Args:
            decided: Its decisions.
            created: When it started, ISO 8601 in UTC.
            conditions: Its conditions.

        Raises:
            RunStoreError: The folder cannot be written.
        """
        self._place.write(_path(conditions), pack(unfinished_of(decided, created, conditions.digests), self._key))
        for path in self._newest_first()[MOST_KEPT:]:
            self._place.delete(path)

    def forget(self, conditions: Conditions) -> None:
        """Remove what was kept of a comparison, because it is finished; and what this object created for it.

        Raises:
            RunStoreError: It cannot be removed.
        """
        self._place.delete(_path(conditions))
        with contextlib.suppress(OSError):  # it holds others, or never existed
            (self._own / FOLDER).rmdir()
            if not self._had_folder and [one.name for one in self._own.iterdir()] == [".gitignore"]:
                (self._own / ".gitignore").unlink()
                self._own.rmdir()

    def _read(self, path: str) -> Unfinished:
        about = (self._own / path).lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST_BYTES:
            raise NotOursError("it is not a regular file, or too large")
        return unpack(self._place.read(path), self._key)

    def _newest_first(self) -> list[str]:
        written = {}
        with contextlib.suppress(RunStoreError):  # a folder that cannot be listed has nothing to continue
            for path in self._place.paths(FOLDER):
                if path.endswith(SUFFIX):
                    with contextlib.suppress(FileNotFoundError):  # another run has just finished
                        written[path] = (self._own / path).lstat().st_mtime_ns
        return sorted(written, key=lambda path: written[path], reverse=True)


def _path(conditions: Conditions) -> str:
    return f"{FOLDER}/{conditions.name}{SUFFIX}"


def _why_not(unfinished: Unfinished, conditions: Conditions) -> str:
    return (
        f"the interrupted run of {shown_time(unfinished.created)} cannot be continued, because these have changed "
        f"since: {conditions.differences(unfinished.conditions)}"
    )


def shown_time(created: str) -> str:
    """Return a time as readers see it: ``2026-11-30 13:05 UTC``."""
    return f"{created[:10]} {created[11:16]} UTC"
