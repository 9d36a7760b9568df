"""What moves between the tiers: a value that was found, and how long one lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jarvisperf.cache.values.isolation import Held


class Found(NamedTuple):
    """A value and the tier that had it, as ``SmartCache.lookup`` returns it.

    Attributes:
        value: The caller's own copy.
        tier: ``memory``, ``redis`` or ``disk``.
    """

    value: Any
    tier: str


class CachedValue(NamedTuple):
    """A value that a tier had, with all that the engine knows of it.

    Attributes:
        value: The caller's own.
        tier: The name of the tier.
        seconds: Until it expires; 0 or less: it is stale.
        stale_seconds: Until it may not even be served stale.
        version: Of the write, if Redis had it; else 0.
        compute_seconds: How long it took to compute, if that is known.
        held: What others may have copies of; None: it has to be made of the value first.
    """

    value: object
    tier: str
    seconds: float
    stale_seconds: float
    version: int
    compute_seconds: float
    held: Held | None


class Life(NamedTuple):
    """How long a value lives, and what goes with it into the tiers.

    Attributes:
        seconds: Until it expires.
        stale_seconds: How long after that it may still be served stale.
        tags: By which it can be invalidated.
        compute_seconds: How long it took to compute.
    """

    seconds: float
    stale_seconds: float = 0.0
    tags: tuple[str, ...] = ()
    compute_seconds: float = 0.0
