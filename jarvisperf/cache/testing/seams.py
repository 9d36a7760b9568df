"""Seams of a cache: internals that tests need besides the public methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvisperf.cache.engine.core import Core
    from jarvisperf.cache.outage.guarded import GuardedTier
    from jarvisperf.cache.outage.store import Store
    from jarvisperf.cache.smart import SmartCache


def forget_memory(cache: SmartCache) -> None:
    """Empty the memory tier of a cache, so that the next read asks the tiers below."""
    core_of(cache).memory.clear()


def stop_listening(cache: SmartCache) -> None:
    """Stop a cache from receiving messages about changes by other processes."""
    if cache._coherence is not None:  # noqa: SLF001 - this module is the seam
        cache._coherence.stop()  # noqa: SLF001 - as above


def store_of(cache: SmartCache, tier: str) -> Store:
    """Return the store of a tier below memory, for example to make one of its methods fail.

    Raises:
        KeyError: The cache has no such tier.
    """
    return tier_of(cache, tier)._store  # noqa: SLF001 - this module is the seam


def tier_of(cache: SmartCache, tier: str) -> GuardedTier:
    """Return a tier below memory, with the breaker that guards its store.

    Raises:
        KeyError: The cache has no such tier.
    """
    return {each.name: each for each in core_of(cache).lower}[tier]


def core_of(cache: SmartCache) -> Core:
    """Return the engine of a cache."""
    return cache._core  # noqa: SLF001 - as above
