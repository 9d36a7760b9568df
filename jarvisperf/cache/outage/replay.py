"""Changes made while a store was unreachable, which are replayed before it is used again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jarvisperf.cache.values.envelope import version_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.outage.store import Write

MOST_KEYS: Final = 10_000
MOST_BYTES: Final = 2**26
_MOST_INVALIDATIONS: Final = 100
_FEW_KEYS: Final = 500


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of one key.

    Attributes:
        version: The version of the change.
        noted: When it was recorded, in monotonic seconds.
        write: The value written; None if the key was deleted.
    """

    version: int
    noted: float
    write: Write | None = None


@dataclass(slots=True)
class Snapshot:
    """The pending changes at one moment.

    Attributes:
        everything: Above 0 if too much changed to list, so that every key counts as changed; the number distinguishes
            one such event from the next.
        changes: Changes by key.
        patterns: Invalidated patterns.
        tags: Invalidated tags.
    """

    everything: int = 0
    changes: dict[str, Change] = field(default_factory=dict)
    patterns: list[KeyPattern] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)

    def versions(self) -> dict[str, int]:
        """Return, for each changed key, the newest version that the change supersedes."""
        return {
            key: change.version if change.write is None else max(0, version_of(change.write.blob) - 1)
            for key, change in self.changes.items()
        }

    def __bool__(self) -> bool:
        return bool(self.everything or self.changes or self.patterns or self.tags)


class Pending:
    """A bounded list of changes in memory; not thread-safe.

    Args:
        most_keys: Beyond this number of changed keys, every key counts as changed.
        most_bytes: Beyond this, written values are dropped and their keys are only deleted.
    """

    def __init__(self, most_keys: int = MOST_KEYS, most_bytes: int = MOST_BYTES) -> None:
        self._most_keys = most_keys
        self._most_bytes = most_bytes
        self._held = Snapshot()
        self._bytes = 0
        self._times = 0

    def note(self, key: str, change: Change) -> None:
        """Record the latest change of a key.

        Deletions are recorded even if every key counts as changed: a value written in between may be in transit.
        """
        self._forget_key(key)
        size_bytes = 0 if change.write is None else len(change.write.blob)
        if self._bytes + size_bytes > self._most_bytes:
            change = Change(change.version, change.noted)
        else:
            self._bytes += size_bytes
        self._held.changes[key] = change
        if len(self._held.changes) > self._most_keys:
            self.note_everything()

    def note_unless_known(self, key: str, change: Change) -> None:
        """Record a change of a key unless a change is already recorded, which is then the later one."""
        if key not in self._held.changes:
            self.note(key, change)

    def note_pattern(self, pattern: KeyPattern, version: int, now: float) -> None:
        """Record the invalidation of a pattern; earlier writes that match are only deleted."""
        self._void(lambda write: pattern.matches(write.key), version, now)
        self._held.patterns.append(pattern)
        self._bound_invalidations()

    def note_tags(self, tags: set[str], version: int, now: float) -> None:
        """Record an invalidation of tags."""
        self._void(lambda write: not tags.isdisjoint(write.tags), version, now)
        self._held.tags |= tags
        self._bound_invalidations()

    def note_everything(self) -> None:
        """Record that every key may have changed."""
        self._times += 1
        self._held = Snapshot(everything=self._times)
        self._bytes = 0

    def snapshot(self) -> Snapshot:
        """Return a copy of the pending changes."""
        held = self._held
        return Snapshot(held.everything, dict(held.changes), list(held.patterns), set(held.tags))

    def is_soon_told(self) -> bool:
        """Return whether the replay is quick: a few keys, and nothing that requires a search."""
        held = self._held
        return not (held.everything or held.patterns or held.tags) and len(held.changes) <= _FEW_KEYS

    def forget(self, done: Snapshot) -> None:
        """Drop what has been replayed; keep changes recorded since then."""
        if done.everything == self._held.everything:
            self._held.everything = 0
        for key, change in done.changes.items():
            if self._held.changes.get(key) is change:
                self._forget_key(key)
        del self._held.patterns[: len(done.patterns)]
        self._held.tags -= done.tags

    def __len__(self) -> int:
        held = self._held
        return bool(held.everything) + len(held.changes) + len(held.patterns) + len(held.tags)

    def __bool__(self) -> bool:
        return bool(self._held)

    def _forget_key(self, key: str) -> None:
        known = self._held.changes.pop(key, None)
        if known is not None and known.write is not None:
            self._bytes -= len(known.write.blob)

    def _void(self, concerns: Callable[[Write], bool], version: int, now: float) -> None:
        found = [key for key, change in list(self._held.changes.items()) if change.write and concerns(change.write)]
        for key in found:
            self.note(key, Change(version, now))

    def _bound_invalidations(self) -> None:
        if len(self._held.patterns) + len(self._held.tags) > _MOST_INVALIDATIONS:
            self.note_everything()
