"""One key's value in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.memory.eviction import Segment


LOOK_AGAIN_SECONDS: Final = 1.0
"""Of one key, a hit is timed that often at most."""


class Entry:
    """One key's value in memory.

    A hit is: ``entry.valid_until > now``, then ``entry.hits += 1`` and ``entry.used = now``, then ``entry.value`` where
    ``thaw`` is None, else ``entry.thaw(entry.value)``.

    Attributes:
        key: The key.
        value: What is held: the value itself, or what ``thaw`` makes the value of.
        thaw: Makes the reader's own copy; None: nobody can change the value, so it is shared.
        valid_until: Until then a hit needs no second look; at most ``deadline`` and ``check_at``, and not far away, so
            that now and then a hit is looked at closely and timed.
        check_at: From then on a hit needs a second look.
        deadline: When it expires, in seconds by the tier's clock.
        stale_until: Until then it may still be served in place of a failure; at least ``deadline``.
        hits: How often it was read.
        used: When it was last read or written, in seconds by the tier's clock.
        version: Of the write; 0: none.
        tags: What it can be invalidated by, beside its key.
        compute_seconds: How long it took to compute.
        size_bytes: About what it takes up in memory.
        held: Whether it still is in the memory.
        segment: Where the eviction policy has it; this and the rest are the policy's own.
        ranked: ``used`` when it was put in its place there.
        counted_hits: How many of the hits are in the policy's sketch.
        played_hits: How many of the hits the policy's duel has seen.
    """

    __slots__ = (
        "check_at", "compute_seconds", "counted_hits", "deadline", "held", "hits", "key", "played_hits", "ranked",
        "segment", "size_bytes", "stale_until", "tags", "thaw", "used", "valid_until", "value", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - it has that many fields
        self,
        key: str,
        value: object,
        thaw: Callable[[Any], object] | None,
        size_bytes: int,
        *,
        now: float,
        check_at: float,
        deadline: float,
        stale_until: float,
        version: int,
        tags: tuple[str, ...],
        compute_seconds: float,
    ) -> None:
        self.key = key
        self.value = value
        self.thaw = thaw
        self.size_bytes = size_bytes
        self.used = now
        self.check_at = check_at
        self.valid_until = min(deadline, check_at, now + LOOK_AGAIN_SECONDS)
        self.deadline = deadline
        self.stale_until = stale_until
        self.version = version
        self.tags = tags
        self.compute_seconds = compute_seconds
        self.hits = 0
        self.counted_hits = 0
        self.played_hits = 0
        self.held = True
        self.segment: Segment | None = None
        self.ranked = now
