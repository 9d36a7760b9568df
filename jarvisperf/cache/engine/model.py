"""Data exchanged between the tiers: the values found, and the time to live of values to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jarvisperf.cache.values.isolation import Held


class Found(NamedTuple):
    """A value and the tier that had it; the result of ``SmartCache.lookup``.

    Attributes:
        value: The caller's own copy.
        tier: ``memory``, ``redis``, ``disk``, or the name of your own tier.
    """

    value: Any
    tier: str


class CachedValue(NamedTuple):
    """A value that was found, with its metadata.

    Attributes:
        value: The caller's own copy.
        tier: The name of the tier that had it.
        seconds: Time until it expires; 0 or less when it is stale.
        stale_seconds: Time until it may no longer be served, even stale.
        version: Version of the write if Redis had it, otherwise 0.
        compute_seconds: How long it took to compute; 0 if unknown.
        held: The form that other callers copy; None if it must be derived from the value.
    """

    value: object
    tier: str
    seconds: float
    stale_seconds: float
    version: int
    compute_seconds: float
    held: Held | None


class Life(NamedTuple):
    """A value's time to live, and the metadata stored with it.

    Attributes:
        seconds: Time until it expires.
        stale_seconds: How long it may be served stale after that.
        tags: Tags by which it can be invalidated.
        compute_seconds: How long it took to compute.
    """

    seconds: float
    stale_seconds: float = 0.0
    tags: tuple[str, ...] = ()
    compute_seconds: float = 0.0
