"""Real components for the suite: a Redis server, a Chroma folder, the MiniLM model, the language reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jarvisperf.bench.corpus import reference_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jarvisperf.cache import SmartCache


@pytest.fixture(scope="session")
def rag_texts() -> Sequence[str]:
    """Make `warmed_rag` contain the whole reference."""
    return reference_chunks()


@pytest.fixture(params=["memory", "redis", "disk"])
def tier(request: pytest.FixtureRequest) -> str:
    """Return one tier after the other."""
    return str(request.param)


@pytest.fixture
def cache(tier: str, tiered_cache_factory: Callable[..., SmartCache]) -> SmartCache:
    """Return a cache that has only this tier."""
    return tiered_cache_factory(tiers=(tier,))
