"""The memory tier and its eviction policy."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["MemoryTier"]

if TYPE_CHECKING:
    from jarvisperf.cache.memory.tier import MemoryTier
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.cache.memory.tier"))
