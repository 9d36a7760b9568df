"""Test helpers: the contract of a tier, a clock, a faulty Redis, and seams of a cache."""

from jarvisperf.cache.testing.clock import Clock
from jarvisperf.cache.testing.contract import TierContract
from jarvisperf.cache.testing.redis_faults import RedisFaults
from jarvisperf.cache.testing.seams import core_of, forget_memory, stop_listening, store_of, tier_of

__all__ = [
    "Clock", "RedisFaults", "TierContract", "core_of", "forget_memory", "stop_listening", "store_of", "tier_of"
]  # fmt: skip
