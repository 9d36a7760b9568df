"""Changes made while a store was unreachable, which are replayed before it is used again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from jarvisperf.cache.values.envelopes.envelope import version_of

if TYPE_CHECKING:
    from collections.abc import Collection

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


class Invalidation(NamedTuple):
    """The last invalidation of one pattern.

    Attributes:
        pattern: The pattern.
        version: The version of the invalidation.
    """

    pattern: KeyPattern
    version: int


@dataclass(slots=True)
class Snapshot:
    """The pending changes at one moment.

    Attributes:
        everything: Above 0 if too much changed to list, so that every key counts as changed; the number distinguishes
            one such event from the next.
        changes: Changes by key; they may include writes that a later invalidation concerns.
        patterns: Invalidations of patterns, by the text of the pattern.
        tags: Versions of the invalidations, by tag.
    """

    everything: int = 0
    changes: dict[str, Change] = field(default_factory=dict)
    patterns: dict[str, Invalidation] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)

    def outcome(self) -> dict[str, Change]:
        """Return the changes that are left: a write is a deletion if its key was invalidated later."""
        invalidations = sorted(self.patterns.values(), key=lambda invalidation: -invalidation.version)
        return {key: self._outcome_of(change, invalidations) for key, change in self.changes.items()}

    def versions(self) -> dict[str, int]:
        """Return, for each changed key, the newest version that the change supersedes."""
        return {
            key: change.version if change.write is None else max(0, version_of(change.write.blob) - 1)
            for key, change in self.outcome().items()
        }

    def _outcome_of(self, change: Change, invalidations: list[Invalidation]) -> Change:
        write = change.write
        if write is None:
            return change
        latest = max((self.tags.get(tag, 0) for tag in write.tags), default=0)
        for pattern, version in invalidations:  # the latest first
            if version <= max(latest, change.version):
                break
            if pattern.matches(write.key):
                latest = version
        return Change(latest, change.noted) if latest > change.version else change

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

    def note_pattern(self, pattern: KeyPattern, version: int) -> None:
        """Record the invalidation of a pattern; earlier writes that match are only deleted."""
        # Not sought now: a search on every invalidation would make callers wait for each other.
        self._held.patterns[pattern.text] = Invalidation(pattern, version)
        self._bound_invalidations()

    def note_tags(self, tags: Collection[str], version: int) -> None:
        """Record an invalidation of tags; earlier writes that have one are only deleted."""
        self._held.tags.update(dict.fromkeys(tags, version))
        self._bound_invalidations()

    def note_everything(self) -> None:
        """Record that every key may have changed."""
        self._times += 1
        self._held = Snapshot(everything=self._times)
        self._bytes = 0

    def snapshot(self) -> Snapshot:
        """Return a copy of the pending changes."""
        held = self._held
        return Snapshot(held.everything, dict(held.changes), dict(held.patterns), dict(held.tags))

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
        for text, invalidation in done.patterns.items():
            if self._held.patterns.get(text) is invalidation:
                del self._held.patterns[text]
        for tag, version in done.tags.items():
            if self._held.tags.get(tag) == version:
                del self._held.tags[tag]

    @property
    def has_everything(self) -> bool:
        """Whether every key counts as changed."""
        return self._held.everything > 0

    def __len__(self) -> int:
        held = self._held
        return bool(held.everything) + len(held.changes) + len(held.patterns) + len(held.tags)

    def __bool__(self) -> bool:
        return bool(self._held)

    def _forget_key(self, key: str) -> None:
        known = self._held.changes.pop(key, None)
        if known is not None and known.write is not None:
            self._bytes -= len(known.write.blob)

    def _bound_invalidations(self) -> None:
        if len(self._held.patterns) + len(self._held.tags) > _MOST_INVALIDATIONS:
            self.note_everything()
