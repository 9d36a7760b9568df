"""A day of a retrieval service in short: popular questions come again and again, and documents keep coming too."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.rag import OptimizedRAG


class Replay(msgspec.Struct, frozen=True):
    """What a replay found.

    Attributes:
        queries: How many were asked.
        writes: How many documents were added meanwhile.
        wrong: Cached answers with other ids than an uncached search at the same moment.
        hit_rate: The part of the queries that the cache answered.
        uncached_seconds: Of all uncached searches together.
        cached_seconds: Of all cached searches together.
    """

    queries: int
    writes: int
    wrong: int
    hit_rate: float
    uncached_seconds: float
    cached_seconds: float


def zipf(questions: Sequence[str], count: int, random_seed: int) -> Iterator[str]:
    """Questions by Zipf's law: the one at rank r comes with a frequency of 1 / r."""
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
    """Ask each question cached and uncached, compare, and add a document now and then.

    Args:
        rag: Holds the documents.
        questions: The most popular one first.
        additions: Documents to add; where there are no more, none are.
        count: How many queries.
        write_every: After so many queries comes a write.
        clock: Seconds that only grow.
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
