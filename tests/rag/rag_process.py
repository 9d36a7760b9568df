"""A second process for tests: reads calls of an OptimizedRAG as JSON lines, and replies with their results.

A call is ``[method, arguments, in_child]``; with ``in_child`` a forked child makes it, as a worker of a preloaded
server does. The method ``reopen`` closes the RAG and opens it again.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys

from hash_embedder import HashEmbedder
from most_wait import embed_some, let_most_wait

from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG, StoreError

HANGS_AFTER_SECONDS = 120


def main():
    settings = json.loads(sys.argv[1])
    if settings["most_wait"]:
        let_most_wait()
    cache = SmartCache(
        settings["redis"], None, namespace=settings["namespace"], redis_connect_seconds=10, redis_reply_seconds=10
    )

    def opened():
        return OptimizedRAG(**settings["rag"], cache=cache, model=HashEmbedder())

    with cache:
        rag = opened()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            method, arguments, in_child = json.loads(line)
            if method == "reopen":
                rag.close(wait=False)
                rag = opened()
                answer = {"ids": None, "hits": 0}
            else:
                answer = answer_of_child(rag, method, arguments) if in_child else called(rag, method, arguments)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        rag.close()


def called(rag, method, arguments):
    before = rag.get_performance_stats()["cache_hits"]
    found = embed_some(rag) if method == "embed_some" else getattr(rag, method)(**arguments)
    ids = [result.id for result in found] if isinstance(found, list) else None
    return {"ids": ids, "hits": rag.get_performance_stats()["cache_hits"] - before}


def answer_of_child(rag, method, arguments):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = called(rag, method, arguments)
        except StoreError as error:
            answer = {"error": str(error)}
        except BaseException as error:  # noqa: BLE001 - the parent reports it
            answer = {"failed": repr(error)}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    if not select.select([reading], [], [], HANGS_AFTER_SECONDS)[0]:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer or b'{"failed": "the child hangs"}')


if __name__ == "__main__":
    main()
