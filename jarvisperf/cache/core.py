"""What all faces of the cache share: how values go down through the tiers and come up again."""

from __future__ import annotations

from jarvisperf.cache.computing import Computing
from jarvisperf.cache.hearing import Hearing
from jarvisperf.cache.reading import Reading
from jarvisperf.cache.removing import Removing
from jarvisperf.cache.touching import Touching
from jarvisperf.cache.writing import Writing


class Core(Reading, Writing, Touching, Removing, Computing, Hearing):
    """Memory, Redis and disk as one; see ``Tiers`` for its arguments."""
