"""Start-up time of a fresh process that answers one question, from the disk cache or by loading everything."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jarvisperf.measure.startup import Launcher, measure_startup

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.measure.startup import ProcessSample

_CACHED = """
import sys
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
folder, cache, model, question = sys.argv[1:]
rag = OptimizedRAG(folder, SmartCache(redis_url=None, local_cache_dir=cache), model or None)
assert rag.search_cached(question) and "torch" not in sys.modules and "chromadb" not in sys.modules
"""
_EAGER = """
import sys
import chromadb
import sentence_transformers
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
folder, cache, model, question = sys.argv[1:]
rag = OptimizedRAG(folder, SmartCache(redis_url=None, local_cache_dir=None), model or None)
assert rag.search(question)
"""


def cached_processes(folder: Path, cache: Path, model: str, question: str, seconds: float) -> list[ProcessSample]:
    """Measure processes that find the answer on disk; they fail if they load torch or chromadb.

    Args:
        folder: The folder of the documents.
        cache: The folder of a cache that contains the answer.
        model: A folder or hub name; empty: the default model.
        question: The question.
        seconds: Time for all processes together; at least three are measured.
    """
    return measure_startup([sys.executable, "-c", _CACHED, str(folder), str(cache), model, question], seconds)


def eager_process(folder: Path, cache: Path, model: str, question: str) -> ProcessSample:
    """Measure one process that loads everything and computes the answer; arguments as in :func:`cached_processes`.

    One is enough: it takes seconds, which is much more than the noise.
    """
    with Launcher() as launcher:
        return launcher.run([sys.executable, "-c", _EAGER, str(folder), str(cache), model, question])
