"""A tiered cache: memory, then Redis, then the disk, then your own tiers."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = [
    "AsyncSmartCache", "Found", "SmartCache", "Tier", "Write", "cached", "cached_many", "caching_disabled",
    "get_smart_cache", "register_codec", "reset_smart_cache",
]  # fmt: skip

if TYPE_CHECKING:
    from jarvisperf.cache.async_smart import AsyncSmartCache
    from jarvisperf.cache.bypass import caching_disabled
    from jarvisperf.cache.custom_tier import Tier
    from jarvisperf.cache.default import get_smart_cache, reset_smart_cache
    from jarvisperf.cache.engine.model import Found
    from jarvisperf.cache.functions.decorator import cached
    from jarvisperf.cache.functions.many import cached_many
    from jarvisperf.cache.outage.store import Write
    from jarvisperf.cache.smart import SmartCache
    from jarvisperf.cache.values.classes.declared import register_codec
else:
    _homes = ["async_smart", "engine.model", "smart", "custom_tier", "outage.store", "functions.decorator"]
    _homes += ["functions.many", "bypass", "default", "values.classes.declared", "default"]
    _of_names = {name: f"{__name__}.{home}" for name, home in zip(__all__, _homes, strict=True)}
    __getattr__, __dir__ = attach(__name__, _of_names, dict.fromkeys(__all__, "cache"))
