"""The process's shared OptimizedRAG, configured by the settings."""

from __future__ import annotations

import threading

from jarvisperf.rag.optimized import OptimizedRAG

_lock = threading.Lock()
_shared: OptimizedRAG | None = None


def get_optimized_rag() -> OptimizedRAG:
    """Return the process's shared OptimizedRAG, created on the first call and again after it has been closed.

    Its documents are in ``chroma`` in the folder named by ``JARVISPERF_DATA_DIR``, its model is the one named by
    ``JARVISPERF_MODEL``, and its cache is the process's default cache.

    Raises:
        ValueError: An environment variable has an invalid value.
    """
    global _shared  # noqa: PLW0603 - a documented singleton
    with _lock:
        if _shared is None or _shared.closed:
            _shared = OptimizedRAG()
        return _shared
