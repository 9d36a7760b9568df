"""This package's side: first ingestion, the same again, one changed text, uncached and cached queries."""

from __future__ import annotations

import statistics
import sys
from functools import partial
from pathlib import Path

from benchmarks.peers.rag.work import questions, report, seconds, texts
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
from jarvisperf.rag.embedding.options import has_bfloat16


def main(folder: Path, model: str, count: int) -> None:
    documents = texts(count)
    cache = SmartCache(redis_url=None, local_cache_dir=folder / "cache")
    with cache, OptimizedRAG(folder / "chroma", cache, model, embed_in_background=False) as rag:
        rag.batch_add_texts(["The first text loads the model and creates the collection."])
        first = seconds(lambda: rag.batch_add_texts(documents))
        again = seconds(lambda: rag.batch_add_texts(documents))
        changed = [*documents[:-1], documents[-1] + " Changed."]
        one_changed = seconds(lambda: rag.batch_add_texts(changed))
        asked = questions(count)
        uncached = [seconds(partial(rag.search_cached, question)) for question in asked]
        cached = [seconds(partial(rag.search_cached, question)) for question in asked]
        contexts_uncached = [seconds(partial(rag.generate_context_cached, question)) for question in asked]
        contexts = [seconds(partial(rag.generate_context_cached, question)) for question in asked]
        rag.search_cached("What is a decorator?")
    report(
        {
            "bfloat16": has_bfloat16(),
            "first": first,
            "again": again,
            "one_changed": one_changed,
            "query_uncached": statistics.median(uncached),
            "query_repeated": statistics.median(cached),
            "context_uncached": statistics.median(contexts_uncached),
            "context_repeated": statistics.median(contexts),
        }
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
