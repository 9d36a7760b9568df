"""Benchmarks of the RAG on real text: what the cache and the batches change, and whether the answers stay the same."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.bench.corpus import QUERIES, reference_chunks
from jarvisperf.bench.system import BenchmarkSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.bench.results import BenchmarkResult
    from jarvisperf.rag import OptimizedRAG

CORPUS_TEXTS = 200
INGESTED_TEXTS = 60
SEARCHES = 30


class RAGBenchmarks:
    """Benchmarks of an :class:`jarvisperf.rag.OptimizedRAG` in temporary folders; nothing of the user's is touched.

    Args:
        system: Where results are kept; None: one of its own.
        model: The embedding model, as `OptimizedRAG` takes it.
        texts: The documents; None: chunks of Python's language reference.
        queries: The questions; None: sixty about that reference, in English and Portuguese.

    Raises:
        ValueError: `texts` or `queries` is empty.
    """

    def __init__(
        self,
        system: BenchmarkSystem | None = None,
        model: Any = None,
        texts: Sequence[str] | None = None,
        queries: Sequence[str] | None = None,
    ) -> None:
        self.system = BenchmarkSystem() if system is None else system
        self._model = model
        self._texts = list(reference_chunks()[:CORPUS_TEXTS] if texts is None else texts)
        self._queries = list(QUERIES if queries is None else queries)
        for name, given in (("texts", self._texts), ("queries", self._queries)):
            if not given:
                raise ValueError(f"{name} is empty: give at least one")

    def run_full_benchmark_suite(self) -> dict[str, dict[str, Any]]:
        """Run every benchmark.

        Returns:
            For each part (``embedding``, ``ingestion``, ``search``, ``context``) what the cache or the batch changed:
            ``before`` and ``after`` in seconds per text or call, ``ratio`` (before / after), and ``same_answer``:
            whether both ways gave the same.
        """
        parts = {"embedding": self._embedding_part(), "ingestion": self._ingestion_part()}
        return parts | self._cached_parts()

    def run_embedding_benchmark(
        self, texts: Sequence[str] | None = None, iterations: int = 10
    ) -> dict[str, BenchmarkResult]:
        """Time the embedding of texts, one at a time and all in one batch.

        Args:
            texts: What to embed; None: the first 32 documents.
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
        """Time search and context, uncached and cached, query after query.

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

    def _cached_parts(self) -> dict[str, dict[str, Any]]:
        with self._filled_rag() as rag:
            results = self._time_searches(rag, SEARCHES)
            same = {
                "search": all(rag.search(query) == rag.search_cached(query) for query in self._queries),
                "context": all(
                    rag.generate_context(query) == rag.generate_context_cached(query) for query in self._queries
                ),
            }
        return {
            part: _change(
                results[f"rag_{part}_uncached"].median, results[f"rag_{part}_cached"].median, same_answer=same[part]
            )
            for part in ("search", "context")
        }

    def _embedding_part(self) -> dict[str, Any]:
        import numpy as np

        texts = self._texts[:32]
        results = self.run_embedding_benchmark(texts, iterations=5)
        embedder = self._embedder()
        single = np.concatenate([embedder.embed_documents([text]) for text in texts])
        # The composition of a batch shifts floats a little (padding), so equal means equal within float32's noise.
        same = bool(np.allclose(single, embedder.embed_documents(texts), atol=1e-5))
        return _change(
            results["embedding_single"].median / len(texts),
            results["embedding_batch"].median / len(texts),
            same_answer=same,
        )

    def _ingestion_part(self) -> dict[str, Any]:
        texts = self._texts[:INGESTED_TEXTS]
        with self._empty_rag() as one_by_one, self._empty_rag() as batched:
            for rag in (one_by_one, batched):  # the first text loads the model and makes the collection
                rag.batch_add_texts(texts[:1])
            start = time.perf_counter()
            for text in texts:
                one_by_one.batch_add_texts([text])
            middle = time.perf_counter()
            batched.batch_add_texts(texts)
            end = time.perf_counter()
            same = [[result.id for result in rag.search(self._queries[0])] for rag in (one_by_one, batched)]
        return _change((middle - start) / len(texts), (end - middle) / len(texts), same_answer=same[0] == same[1])

    def _embedder(self) -> Any:
        from jarvisperf.rag import embedder_for

        return embedder_for(self._model)

    @contextmanager
    def _empty_rag(self) -> Iterator[OptimizedRAG]:
        from jarvisperf.cache import SmartCache
        from jarvisperf.rag import OptimizedRAG

        with (
            tempfile.TemporaryDirectory(prefix="jarvisperf-rag-") as folder,
            SmartCache(redis_url=None, local_cache_dir=None) as cache,
            OptimizedRAG(path=Path(folder), cache=cache, model=self._model) as rag,
        ):
            yield rag

    @contextmanager
    def _filled_rag(self) -> Iterator[OptimizedRAG]:
        with self._empty_rag() as rag:
            rag.batch_add_texts(self._texts)
            yield rag


def _change(before: float, after: float, *, same_answer: bool) -> dict[str, Any]:
    return {"before": before, "after": after, "ratio": before / after, "same_answer": same_answer}
