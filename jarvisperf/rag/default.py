"""The one OptimizedRAG of the process, configured by the settings."""

from __future__ import annotations

import threading

from jarvisperf.rag.optimized import OptimizedRAG

_lock = threading.Lock()
_shared: OptimizedRAG | None = None


def get_optimized_rag() -> OptimizedRAG:
    """The process's own OptimizedRAG, made at the first call, and again after it has been closed.

    Its documents are in ``chroma`` in the folder that ``JARVISPERF_DATA_DIR`` names, its model is that of
    ``JARVISPERF_MODEL``, and its cache the process's own.

    Raises:
        ValueError: An environment variable has a value that it cannot have.
    """
    global _shared  # noqa: PLW0603 - a documented singleton
    with _lock:
        if _shared is None or _shared.closed:
            _shared = OptimizedRAG()
        return _shared
