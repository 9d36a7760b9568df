"""What all faces of the cache share: how values go down through the tiers and come up again."""

from __future__ import annotations

from jarvisperf.cache.engine.computing import Computing
from jarvisperf.cache.engine.hearing import Hearing
from jarvisperf.cache.engine.reading import Reading
from jarvisperf.cache.engine.removing import Removing
from jarvisperf.cache.engine.touching import Touching
from jarvisperf.cache.engine.writing import Writing


class Core(Reading, Writing, Touching, Removing, Computing, Hearing):
    """Memory, Redis and disk as one; see ``Tiers`` for its arguments."""
