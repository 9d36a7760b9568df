"""The last changes that Redis has acknowledged, because a failover may undo them.

Redis replicates after it has answered. A master that dies may take its last changes with it, and the replica that
replaces it then holds older values, or values that were deleted.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.values.envelopes.envelope import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jarvisperf.cache.outage.store import Write

_MOST_CHANGES: Final = 2_000  # hundreds of milliseconds of a busy process; replicas are usually a few behind


class Acknowledged:
    """The last changes by this process; safe to use from several threads."""

    def __init__(self) -> None:
        self._changes: deque[tuple[str, int]] = deque(maxlen=_MOST_CHANGES)

    def note_written(self, writes: Iterable[Write]) -> None:
        """Note that values were stored: every version before theirs is outdated."""
        self._changes.extend((write.key, version_of(write.blob) - 1) for write in writes)

    def note_deleted(self, keys: Iterable[str], version: int) -> None:
        """Note that keys were deleted: this version of them and all earlier ones are outdated."""
        self._changes.extend((key, version) for key in keys)

    def outdated(self) -> dict[str, int]:
        """Return the newest outdated version of each key that was changed."""
        return dict(self._changes.copy())  # the last change of a key counts
