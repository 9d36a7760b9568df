"""Keys: their names in Redis and on disk, and the keys of function calls."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["KeyMaker"]

if TYPE_CHECKING:
    from jarvisperf.cache.keys.calls import KeyMaker
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.cache.keys.calls"))
