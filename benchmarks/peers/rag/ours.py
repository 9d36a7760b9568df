"""This package's side: ingestion, again, one change, uncached and cached queries, survival, replay."""

from __future__ import annotations

import statistics
import sys
from functools import partial
from pathlib import Path

from benchmarks.peers.rag.work import questions, report, seconds, texts
from jarvisperf.bench.rag_replay import replay
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG


def main(folder: Path, model: str, count: int) -> None:
    documents = texts(count)
    cache = SmartCache(redis_url=None, local_cache_dir=folder / "cache")
    with cache, OptimizedRAG(folder / "chroma", cache, model) as rag:
        rag.batch_add_texts(["The first text loads the model and makes the collection."])
        first = seconds(lambda: rag.batch_add_texts(documents))
        again = seconds(lambda: rag.batch_add_texts(documents))
        changed = [*documents[:-1], documents[-1] + " Changed."]
        one_changed = seconds(lambda: rag.batch_add_texts(changed))
        asked = questions(min(count, 1000))
        uncached = [seconds(partial(rag.search_cached, question)) for question in asked]
        answers = {question: [hit.id for hit in rag.search_cached(question)] for question in asked}
        cached = [seconds(partial(rag.search_cached, question)) for question in asked]
        contexts_uncached = [seconds(partial(rag.generate_context_cached, question)) for question in asked[:100]]
        contexts = [seconds(partial(rag.generate_context_cached, question)) for question in asked[:100]]
        hits = rag.get_performance_stats()["cache_hits"]
        rag.batch_add_texts(["Sourdough needs flour, water, salt and a warm night."])
        after = {question: [hit.id for hit in rag.search_cached(question)] for question in asked}
        survived = (rag.get_performance_stats()["cache_hits"] - hits) / len(asked)
        sample = asked[:: max(1, len(asked) // 200)]
        wrong = sum(after[question] != [hit.id for hit in rag.search(question)] for question in sample)
        additions = (f"An addition, number {number}, about nothing in particular." for number in range(10_000))
        run = replay(rag, asked[:100], additions, min(count, 1000), write_every=20)
        rag.search_cached("What is a decorator?")
    report(
        {
            "first": first,
            "again": again,
            "one_changed": one_changed,
            "query_uncached": statistics.median(uncached),
            "query_repeated": statistics.median(cached),
            "context_uncached": statistics.median(contexts_uncached),
            "context_repeated": statistics.median(contexts),
            "survived": survived,
            "survivors_wrong_in_sample": wrong,
            "sample": len(sample),
            "changed_by_write": sum(answers[question] != after[question] for question in asked),
            "replay_queries": run.queries,
            "replay_writes": run.writes,
            "replay_wrong": run.wrong,
            "replay_hit_rate": run.hit_rate,
            "replay_ratio": run.uncached_seconds / run.cached_seconds,
        }
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
