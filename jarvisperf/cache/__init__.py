"""A tiered cache: memory, then Redis, then the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["AsyncSmartCache", "Found", "SmartCache", "cached", "get_smart_cache", "reset_smart_cache"]

if TYPE_CHECKING:
    from jarvisperf.cache.async_smart import AsyncSmartCache
    from jarvisperf.cache.decorator import cached
    from jarvisperf.cache.default import get_smart_cache, reset_smart_cache
    from jarvisperf.cache.engine.model import Found
    from jarvisperf.cache.smart import SmartCache
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "AsyncSmartCache": "jarvisperf.cache.async_smart",
            "Found": "jarvisperf.cache.engine.model",
            "SmartCache": "jarvisperf.cache.smart",
            "cached": "jarvisperf.cache.decorator",
            "get_smart_cache": "jarvisperf.cache.default",
            "reset_smart_cache": "jarvisperf.cache.default",
        },
    )
