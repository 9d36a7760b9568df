"""A second process for tests: reads calls of an OptimizedRAG as JSON lines, and replies with their results."""

from __future__ import annotations

import json
import sys

from hash_embedder import HashEmbedder

from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG


def main():
    settings = json.loads(sys.argv[1])
    cache = SmartCache(
        settings["redis"], None, namespace=settings["namespace"], redis_connect_seconds=10, redis_reply_seconds=10
    )
    with cache, OptimizedRAG(**settings["rag"], cache=cache, model=HashEmbedder()) as rag:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            method, arguments = json.loads(line)
            found = getattr(rag, method)(**arguments)
            ids = [result.id for result in found] if isinstance(found, list) else None
            sys.stdout.write(json.dumps({"ids": ids, "hits": rag.get_performance_stats()["cache_hits"]}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
