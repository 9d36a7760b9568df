"""The disk tier: a folder kept by diskcache that stores bytes only."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["DiskStore"]

if TYPE_CHECKING:
    from jarvisperf.cache.disk_tier.store import DiskStore
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.cache.disk_tier.store"))
