"""The Redis tier: connections, scripts, cluster, and publish/subscribe."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["RedisStore"]

if TYPE_CHECKING:
    from jarvisperf.cache.redis_tier.store import RedisStore
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.cache.redis_tier.store"))
