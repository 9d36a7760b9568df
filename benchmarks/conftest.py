"""Gives the suite real tiers: memory, a Redis server and a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache import SmartCache


@pytest.fixture(params=["memory", "redis", "disk"])
def tier(request: pytest.FixtureRequest) -> str:
    """Name one tier after the other."""
    return str(request.param)


@pytest.fixture
def cache(tier: str, tiered_cache_factory: Callable[..., SmartCache]) -> SmartCache:
    """Return a cache that has only this tier."""
    return tiered_cache_factory(tiers=(tier,))
