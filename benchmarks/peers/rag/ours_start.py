"""A fresh process of this package that answers a question from the cache on disk."""

from __future__ import annotations

import sys
import time

start = time.perf_counter()
from pathlib import Path  # noqa: E402 - the imports are what is measured

from benchmarks.peers.rag.work import report  # noqa: E402
from jarvisperf.cache import SmartCache  # noqa: E402
from jarvisperf.rag import OptimizedRAG  # noqa: E402

folder = Path(sys.argv[1])
rag = OptimizedRAG(folder / "chroma", SmartCache(redis_url=None, local_cache_dir=folder / "cache"), sys.argv[2])
assert rag.search_cached("What is a decorator?")
assert "torch" not in sys.modules
report({"start": time.perf_counter() - start})
