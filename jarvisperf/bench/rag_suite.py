"""Benchmarks of the RAG on real text: how much caching and batching gain, and whether the answers stay the same."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from jarvisperf.bench.corpus import QUERIES, reference_chunks
from jarvisperf.bench.rag_replay import replay
from jarvisperf.bench.rag_startup import cached_processes, eager_process
from jarvisperf.bench.timings import Timings
from jarvisperf.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.bench.results import BenchmarkResult
    from jarvisperf.rag import OptimizedRAG

CORPUS_TEXTS = 200
INGESTED_TEXTS = 60
SEARCHES = 30
REPLAYED_QUERIES = 200

T = TypeVar("T")


class RAGBenchmarks:
    """Benchmarks of an :class:`jarvisperf.rag.OptimizedRAG` in temporary folders; the user's data is not touched.

    Args:
        system: Times functions and keeps the results, such as a `BenchmarkSystem`; None: a new one.
        model: The embedding model, as `OptimizedRAG` takes it.
        texts: The documents; None: chunks of Python's language reference.
        queries: The questions; None: sixty about that reference, in English and Portuguese.

    Raises:
        ValueError: `texts` or `queries` is empty.
    """

    def __init__(
        self,
        system: Timings | None = None,
        model: Any = None,
        texts: Sequence[str] | None = None,
        queries: Sequence[str] | None = None,
    ) -> None:
        self.system = Timings() if system is None else system
        self._model = model
        self._texts = list(reference_chunks()[:CORPUS_TEXTS] if texts is None else texts)
        self._queries = list(QUERIES if queries is None else queries)
        self._shared_embedder: Any = None  # so that the model is loaded only once
        self._folders: list[Path] = []  # one per RAG created so far, latest last
        for name, given in (("texts", self._texts), ("queries", self._queries)):
            if not given:
                raise ValueError(f"{name} is empty: give at least one")

    def run_full_benchmark_suite(self) -> dict[str, dict[str, Any]]:
        """Run every benchmark.

        Returns:
            For each part, the effect of caching or batching: ``before`` and ``after`` in ``unit``, ``ratio`` (before /
            after), ``interval``: its 95% interval if both were measured in turns, otherwise None, ``how`` they were
            measured, and ``same_answer``: whether both gave the same answer, None if there is none to compare. Some
            parts have further keys.
        """
        parts = {
            "embedding": self.compare_embedding(),
            "ingestion": self.compare_ingestion(),
            "ingestion again": self.compare_ingestion_again(),
            **self.compare_searches(),
            "warm-up": self.compare_warm_up(),
            "replay": self.compare_replay(),
            "recall": self.compare_recall(),
        }
        return parts | self.compare_processes()

    def run_embedding_benchmark(
        self, texts: Sequence[str] | None = None, iterations: int = 10
    ) -> dict[str, BenchmarkResult]:
        """Time the embedding of texts, one at a time and all in one batch.

        Args:
            texts: The texts to embed; None: the first 32 documents.
            iterations: Samples of each.

        Returns:
            ``embedding_single`` and ``embedding_batch``, each in seconds for all texts together.

        Raises:
            ValueError: `texts` is empty.
        """
        chosen = self._texts[:32] if texts is None else list(texts)
        if not chosen:
            raise ValueError("texts is empty: give at least one")
        embedder = self._embedder()
        return self.system.benchmark_multiple(
            {
                "embedding_single": lambda: [embedder.embed_documents([text]) for text in chosen],
                "embedding_batch": lambda: embedder.embed_documents(chosen),
            },
            iterations,
        )

    def run_search_benchmark(self, iterations: int = SEARCHES) -> dict[str, BenchmarkResult]:
        """Time search and context, uncached and cached, cycling through the queries.

        Args:
            iterations: Samples of each.

        Returns:
            ``rag_search_uncached``, ``rag_search_cached``, ``rag_context_uncached`` and ``rag_context_cached``.
        """
        with self._filled_rag() as rag:
            return self._time_searches(rag, iterations)

    def _time_searches(self, rag: OptimizedRAG, iterations: int) -> dict[str, BenchmarkResult]:
        def asking(ask: Callable[[str], object]) -> Callable[[], object]:
            queries = cycle(self._queries)
            return lambda: ask(next(queries))

        for query in self._queries:
            rag.search_cached(query)
            rag.generate_context_cached(query)
        return self.system.benchmark_multiple(
            {
                "rag_search_uncached": asking(rag.search),
                "rag_search_cached": asking(rag.search_cached),
                "rag_context_uncached": asking(rag.generate_context),
                "rag_context_cached": asking(rag.generate_context_cached),
            },
            iterations,
        )

    def compare_searches(self) -> dict[str, dict[str, Any]]:
        """Compare uncached search and context with each tier of the cache.

        Returns:
            ``search``, ``context``, ``search from disk``, and if ``JARVISPERF_REDIS_URL`` names a Redis, ``search from
            redis``.
        """
        with self._filled_rag() as rag:
            results = self._time_searches(rag, SEARCHES)
            same = {
                "search": all(rag.search(query) == rag.search_cached(query) for query in self._queries),
                "context": all(
                    rag.generate_context(query) == rag.generate_context_cached(query) for query in self._queries
                ),
            }
            parts = {
                part: self._in_turns(f"rag_{part}_uncached", f"rag_{part}_cached", same_answer=same[part])
                for part in ("search", "context")
            }
        tiers: dict[str, dict[str, Any]] = {"disk": {}}
        redis_url = read_settings().redis_url
        if redis_url is not None:
            tiers["redis"] = {"redis_url": redis_url}
        uncached = results["rag_search_uncached"].median
        return parts | {f"search from {tier}": self._compare_tier(tier, uncached, **how) for tier, how in tiers.items()}

    def compare_embedding(self) -> dict[str, Any]:
        """Compare embedding texts one at a time with embedding them in one batch, per text."""
        import numpy as np

        texts = self._texts[:32]
        self.run_embedding_benchmark(texts, iterations=5)
        embedder = self._embedder()
        single = np.concatenate([embedder.embed_documents([text]) for text in texts])
        # The other texts of a batch change a vector: by rounding in float32, to a cosine of 0.996 in bfloat16.
        same = bool((single * embedder.embed_documents(texts)).sum(axis=1).min() > 0.99)
        return self._in_turns("embedding_single", "embedding_batch", same_answer=same, count=len(texts))

    def compare_ingestion(self) -> dict[str, Any]:
        """Compare adding texts one at a time with adding them in one call, per text."""
        texts = self._texts[:INGESTED_TEXTS]
        with self._empty_rag() as one_by_one, self._empty_rag() as batched:
            for rag in (one_by_one, batched):  # the first text loads the model and creates the collection
                rag.batch_add_texts(texts[:1])
            before, _ = _seconds(lambda: [one_by_one.batch_add_texts([text]) for text in texts])
            after, _ = _seconds(lambda: batched.batch_add_texts(texts))
            best = [[result.id for result in rag.search(self._queries[0], 1)] for rag in (one_by_one, batched)]
        return _change(before / len(texts), after / len(texts), same_answer=best[0] == best[1])

    def compare_ingestion_again(self) -> dict[str, Any]:
        """Compare adding texts for the first time with adding them again, per text."""
        with self._empty_rag() as rag:
            rag.batch_add_texts(["The first text loads the model and creates the collection."])
            before, first = _seconds(lambda: rag.batch_add_texts(self._texts))
            after, again = _seconds(lambda: rag.batch_add_texts(self._texts))
        same = again.unchanged == len(self._texts) and again.embedded == 0 and first.added > 0
        return _change(before / len(self._texts), after / len(self._texts), same_answer=same)

    def compare_warm_up(self) -> dict[str, Any]:
        """Compare a first search, which loads the model and Chroma's index, with one after ``warm_up``."""
        from jarvisperf.rag import embedder_for

        with self._filled_rag() as filled:
            expected = [result.id for result in filled.search(self._queries[0])]
            folder = self._folders[-1]
            filled.close()
            models = [embedder_for(self._model) for _ in range(2)]  # none of them loaded yet
            with self._rag_in(folder, model=models[0]) as cold, self._rag_in(folder, model=models[1]) as warm:
                before, first = _seconds(lambda: cold.search(self._queries[0]))
                warm.warm_up()
                after, second = _seconds(lambda: warm.search(self._queries[0]))
        same = [result.id for result in first] == [result.id for result in second] == expected
        return _change(before, after, same_answer=same)

    def compare_replay(self, queries: int = REPLAYED_QUERIES, write_every: int = 20) -> dict[str, Any]:
        """Compare uncached with cached searches, per query, for Zipf-distributed questions with writes in between.

        Args:
            queries: Number of queries.
            write_every: Number of queries between two writes.

        Returns:
            The change, with ``wrong`` (cached answers whose ids differ from uncached ones), ``hit_rate``, ``queries``
            and ``writes``.
        """
        kept = max(1, len(self._texts) * 3 // 4)
        with self._empty_rag() as rag:
            rag.batch_add_texts(self._texts[:kept])
            found = replay(rag, self._queries, iter(self._texts[kept:]), queries, write_every)
        change = _change(found.uncached_seconds / queries, found.cached_seconds / queries, same_answer=found.wrong == 0)
        extra = {"wrong": found.wrong, "hit_rate": found.hit_rate, "queries": queries, "writes": found.writes}
        return change | extra

    def compare_recall(self, n_results: int = 10) -> dict[str, Any]:
        """Compare exact search with Chroma's index, per search; the change includes the index's ``recall``."""
        with self._filled_rag() as rag:
            folder = self._folders[-1]
            with self._rag_in(folder, exact=True) as exact:
                exact.search(self._queries[0])
                before, truth = _seconds(lambda: [exact.search(query, n_results) for query in self._queries])
                after, found = _seconds(lambda: [rag.search(query, n_results) for query in self._queries])
        ids = [({hit.id for hit in one}, {hit.id for hit in other}) for one, other in zip(truth, found, strict=True)]
        recall = sum(len(right & got) for right, got in ids) / sum(len(right) for right, _ in ids)
        change = _change(before / len(self._queries), after / len(self._queries), same_answer=None)
        return change | {"recall": recall}

    def compare_processes(self, seconds: float = 2.0) -> dict[str, dict[str, Any]]:
        """Compare processes that load everything with ones that find the answer on disk: ``startup``, ``memory``.

        The result is empty if the model is an object of the caller, which other processes cannot access.

        Args:
            seconds: Time for the processes that find the answer on disk; at least three are measured.
        """
        if not isinstance(self._model, str | os.PathLike | None):
            return {}
        model = "" if self._model is None else os.fspath(self._model)
        with self._filled_rag(disk=True) as rag:
            question = self._queries[0]
            rag.search_cached(question)
            folder = self._folders[-1]
            rag.close()
            cached = cached_processes(folder / "chroma", folder / "cache", model, question, seconds)
            eager = eager_process(folder / "chroma", folder / "cache", model, question)
        return {
            "startup": _change(
                eager.seconds,
                median(sample.seconds for sample in cached),
                same_answer=None,
            ),
            "memory": _change(
                eager.peak_rss_bytes,
                median(sample.peak_rss_bytes for sample in cached),
                same_answer=None,
                unit="B",
            ),
        }

    def _compare_tier(self, tier: str, uncached: float, **how: Any) -> dict[str, Any]:
        from jarvisperf.cache import SmartCache

        with self._filled_rag(disk=tier == "disk", **how) as rag:
            for query in self._queries:
                rag.search_cached(query)
            folder = self._folders[-1]
            rag.close()
            name = _namespace(folder, how.get("redis_url"))
            disk = folder / "cache" if tier == "disk" else None
            with (
                SmartCache(how.get("redis_url"), disk, namespace=name, memory_items=0) as lower,
                self._rag_in(folder, cache=lower) as reader,
            ):
                timed = [_seconds(partial(reader.search_cached, query)) for query in self._queries]
                same = all(
                    [hit.id for hit in cached] == [hit.id for hit in reader.search(query)]
                    for query, (_, cached) in zip(self._queries, timed, strict=True)
                )
                found = reader.get_performance_stats()["cache_hits"] == len(self._queries)
                lower.clear()
        return _change(uncached, median(seconds for seconds, _ in timed), same_answer=same and found)

    def _in_turns(self, before: str, after: str, *, same_answer: bool | None, count: int = 1) -> dict[str, Any]:
        """Return the change between two results of one `benchmark_multiple`, per item if a call handles several."""
        compared = self.system.compare_benchmarks([before, after])
        medians = compared["medians"]
        change = _change(medians[before] / count, medians[after] / count, same_answer=same_answer)
        interval = compared["intervals"][before if compared["fastest"] == after else after]
        if interval is not None and compared["fastest"] == before:
            interval = (1 / interval[1], 1 / interval[0])
        return change | {"interval": interval, "how": compared["how"]}

    def _embedder(self) -> Any:
        from jarvisperf.rag import embedder_for

        if self._shared_embedder is None:
            self._shared_embedder = embedder_for(self._model)
        return self._shared_embedder

    def _rag_in(self, folder: Path, cache: Any = None, model: Any = None, **how: Any) -> OptimizedRAG:
        from jarvisperf.cache import SmartCache
        from jarvisperf.rag import OptimizedRAG

        own = SmartCache(redis_url=None, local_cache_dir=None) if cache is None else cache
        embedder = self._embedder() if model is None else model
        return OptimizedRAG(folder / "chroma", own, embedder, embed_in_background=False, **how)

    @contextmanager
    def _empty_rag(self, *, disk: bool = False, redis_url: str | None = None) -> Iterator[OptimizedRAG]:
        from jarvisperf.cache import SmartCache

        with tempfile.TemporaryDirectory(prefix="jarvisperf-rag-") as name:
            folder = Path(name)
            with (
                SmartCache(
                    redis_url, folder / "cache" if disk else None, namespace=_namespace(folder, redis_url)
                ) as cache,
                self._rag_in(folder, cache=cache) as rag,
            ):
                self._folders.append(folder)
                yield rag

    @contextmanager
    def _filled_rag(self, **how: Any) -> Iterator[OptimizedRAG]:
        with self._empty_rag(**how) as rag:
            rag.batch_add_texts(self._texts)
            yield rag


def _namespace(folder: Path, redis_url: str | None) -> str:
    return "jarvisperf" if redis_url is None else f"bench-{folder.name}"  # a Redis may be shared


def _change(before: float, after: float, *, same_answer: bool | None, unit: str = "s") -> dict[str, Any]:
    """Return a change between figures that were measured one after the other."""
    ratio = {"ratio": before / after, "interval": None, "how": "one after the other"}
    return {"before": before, "after": after, **ratio, "unit": unit, "same_answer": same_answer}


def _seconds(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
