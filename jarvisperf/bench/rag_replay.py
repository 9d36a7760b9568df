"""A retrieval service in miniature: popular questions recur, and documents are added in between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.rag import OptimizedRAG


class Replay(msgspec.Struct, frozen=True):
    """The result of a replay.

    Attributes:
        queries: Number of queries.
        writes: Number of documents added.
        wrong: Cached answers whose ids differ from an uncached search at the same moment.
        hit_rate: Share of the queries that the cache answered.
        uncached_seconds: Total time of the uncached searches.
        cached_seconds: Total time of the cached searches.
    """

    queries: int
    writes: int
    wrong: int
    hit_rate: float
    uncached_seconds: float
    cached_seconds: float


def zipf(questions: Sequence[str], count: int, random_seed: int) -> Iterator[str]:
    """Draw questions by Zipf's law: the frequency of the one at rank r is proportional to 1 / r."""
    weights = [1 / rank for rank in range(1, len(questions) + 1)]
    yield from random.Random(random_seed).choices(questions, weights, k=count)  # noqa: S311 - no secret


def replay(
    rag: OptimizedRAG,
    questions: Sequence[str],
    additions: Iterator[str],
    count: int,
    write_every: int = 100,
    clock: Callable[[], float] = REAL.wall,
) -> Replay:
    """Ask each question cached and uncached, compare the answers, and add a document at intervals.

    Args:
        rag: The RAG with the documents.
        questions: The questions, the most popular one first.
        additions: Documents to add; once exhausted, there are no more writes.
        count: Number of queries.
        write_every: Number of queries between two writes.
        clock: Returns seconds; monotonic.
    """
    seconds: dict[str, float] = {"cached": 0.0, "uncached": 0.0}
    hits_before = rag.get_performance_stats()["cache_hits"]
    wrong = writes = 0

    def timed(kind: str, search: Callable[[str], Any], question: str) -> list[str]:
        start = clock()
        found = search(question)
        seconds[kind] += clock() - start
        return [result.id for result in found]

    for number, question in enumerate(zipf(questions, count, random_seed=1), 1):
        cached = timed("cached", rag.search_cached, question)
        wrong += cached != timed("uncached", rag.search, question)
        if number % write_every == 0:
            addition = next(additions, None)
            if addition is not None:
                rag.batch_add_texts([addition])
                writes += 1
    hits = rag.get_performance_stats()["cache_hits"] - hits_before
    return Replay(count, writes, wrong, hits / count, seconds["uncached"], seconds["cached"])
