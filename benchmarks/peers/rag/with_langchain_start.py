"""A fresh process of langchain's side that answers a question that was asked before."""

from __future__ import annotations

import sys
import time

start = time.perf_counter()
from benchmarks.peers.rag.with_langchain import store_in  # noqa: E402 - the imports are what is measured
from benchmarks.peers.rag.work import report  # noqa: E402

assert store_in(*sys.argv[1:3]).similarity_search("What is a decorator?", k=5)
report({"start": time.perf_counter() - start})
