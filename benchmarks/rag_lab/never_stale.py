"""How often a cached answer differs from a search of the same moment, with the real model, while passages change.

    python -m benchmarks.rag_lab.never_stale --dtype float32 --out FILE.json

Two RAGs in the default configuration share a folder and a cache. Each round, one of them adds, updates or deletes
passages of Python's reference; then cached searches are compared with uncached ones, whole results, scores included.
The questions repeat as in practice: the r-th most popular is asked in proportion to 1/r.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.bench.corpus import QUERIES, reference_chunks
from jarvisperf.cache import SmartCache
from jarvisperf.rag import ModelOptions, OptimizedRAG
from jarvisperf.runs.machine import machine_facts, read_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKS_PER_ROUND = 10
FIRST_PASSAGES = 400
PASSAGES = range(300, 800)  # the collection stays within these numbers
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"n_results": 1},
    {"n_results": 10},
    {"where": {"part": "a"}},
    {"where": {"part": {"$ne": "a"}}, "n_results": 3},
    {"min_score": 0.4},
    {"diversity": 0.3},
)


def main() -> None:
    """Compare, print the result, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=10_000, help="number of comparisons (10,000)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), required=True)
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    start = time.perf_counter()
    found: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine_facts(read_machine())}
    found |= compare(words.dtype, words.checks) | {"seconds": round(time.perf_counter() - start)}
    print(json.dumps(found, indent=1))  # noqa: T201
    words.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def compare(dtype: str, checks: int) -> dict[str, Any]:
    """Return how many of the cached answers differed, and how many of them came from the cache."""
    choice = random.Random(18)  # noqa: S311 - not for secrets
    model = ModelOptions(dtype=dtype)
    differing = asked = writes = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=Path(folder) / "cache") as cache,
        OptimizedRAG(Path(folder) / "chroma", cache, model_options=model) as first,
        OptimizedRAG(Path(folder) / "chroma", cache, model_options=model) as second,
    ):
        collection = Passages(choice)
        rags = (first, second)
        collection.add(first, FIRST_PASSAGES)
        first.wait()
        questions = _weighted_questions(choice)
        while asked < checks:
            collection.change(choice.choice(rags))
            writes += 1
            for question, options in choice.choices(*questions, k=CHECKS_PER_ROUND):
                rag = choice.choice(rags)
                differing += rag.search_cached(question, **options) != rag.search(question, **options)
                asked += 1
        hits = sum(rag.get_performance_stats()["cache_hits"] for rag in rags)
    return {"dtype": dtype, "checks": asked, "differing": differing, "from the cache": hits, "writes": writes}


class Passages:
    """The passages of the collection, and those that can still be added.

    Args:
        choice: Chooses what changes.
    """

    def __init__(self, choice: random.Random) -> None:
        self._choice = choice
        self._left = list(reference_chunks())
        choice.shuffle(self._left)
        self._ids: list[str] = []
        self._count = 0

    def add(self, rag: OptimizedRAG, count: int) -> None:
        """Add passages under new ids."""
        ids = [f"passage {self._count + number}" for number in range(count)]
        self._count += count
        self._store(rag, ids)
        self._ids += ids

    def change(self, rag: OptimizedRAG) -> None:
        """Add, update or delete up to three passages."""
        count = self._choice.randint(1, 3)
        some = self._choice.sample(self._ids, count)
        what = self._choice.choice(("add", "update", "delete"))
        if (what == "add" and len(self._ids) < PASSAGES.stop) or len(self._ids) <= PASSAGES.start:
            self.add(rag, count)
        elif what == "update":
            self._store(rag, some)
        else:
            rag.delete(ids=some)
            self._ids = [key for key in self._ids if key not in some]

    def _store(self, rag: OptimizedRAG, ids: Sequence[str]) -> None:
        texts = [self._left.pop(0) for _ in ids]
        self._left += texts  # each comes back after all others
        parts = [{"part": self._choice.choice("abc")} for _ in ids]
        rag.batch_add_texts(texts, ids=ids, metadatas=parts, show_progress=False)


def _weighted_questions(choice: random.Random) -> tuple[list[tuple[str, dict[str, Any]]], list[float]]:
    """Return questions with options, and how often each is asked."""
    asked = [(question, options) for question in QUERIES for options in OPTIONS]
    choice.shuffle(asked)
    return asked, [1 / rank for rank in range(1, len(asked) + 1)]


if __name__ == "__main__":
    main()
