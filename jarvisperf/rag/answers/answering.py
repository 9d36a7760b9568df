"""Answers requests: from the cache where it has an answer that is still true, else computed and cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jarvisperf.rag.answers.query_cache import Answer, Computed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.answers.paraphrases import SemanticTier
    from jarvisperf.rag.answers.query_cache import AnswerForm, PlainCall, QueryCache
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.search.request import SearchRequest
    from jarvisperf.rag.search.retriever import Results, Retriever
    from jarvisperf.rag.stats import QueryStats
    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.generation import Home

T = TypeVar("T")


class Product(Generic[T]):
    """What is made of the passages that were found.

    Args:
        kind: ``search`` or ``context``.
        form: How it is kept in the cache.
        make: Makes it.
        limits: What it depends on beside the passages, as part of the cache key.
    """

    __slots__ = ("form", "kind", "limits", "make")

    def __init__(
        self, kind: str, form: AnswerForm[T], make: Callable[[Results], T], limits: tuple[str, ...] = ()
    ) -> None:
        self.kind = kind
        self.form = form
        self.make = make
        self.limits = limits


class Answering:
    """Answers the requests of one OptimizedRAG and counts them; safe to call from several threads.

    Args:
        home: Where the collection lives.
        store: The passages.
        embedder: Embeds queries.
        retriever: Computes answers.
        answers: Keeps them.
        semantic: Finds questions that say the same; None: off.
        stats: Where counts and times go.
    """

    def __init__(
        self,
        home: Home,
        store: ChromaStore,
        embedder: Embedder,
        retriever: Retriever,
        answers: QueryCache,
        semantic: SemanticTier | None,
        stats: QueryStats,
    ) -> None:
        self._home = home
        self._exact = store.exact
        self._embedder = embedder
        self._retriever = retriever
        self._answers = answers
        self._semantic = semantic
        self._stats = stats
        self.clock = stats.clock

    def recalled(self, call: PlainCall | None, start: float) -> Any:
        """The answer to a call like one before, where it is in memory and nothing was written since; else None.

        The short way of most calls: what it leaves out is what it saves.

        Args:
            call: The call; None: one with options.
            start: When it came, by ``clock``.
        """
        if call is None:
            return None
        model = self._embedder.identity
        if model is None:
            return None
        value = self._answers.recall(call, model, self._home.read_state())
        if value is not None:
            self._stats.count_recalled(self.clock() - start)
        return value

    def answered(self, product: Product[T], request: SearchRequest, ttl_seconds: float, call: PlainCall | None) -> T:
        """The answer to one request, counted; ``call`` is what :meth:`recalled` may find it by."""
        start = self.clock()
        found = self.find(product, request, ttl_seconds, call)
        seconds = self.clock() - start
        if found.path != "computed":
            self._stats.count_stage("cache", seconds)
        self._stats.count_query(found.path, seconds, cached_call=True)
        return found.value

    def computed(self, product: Product[T], request: SearchRequest) -> T:
        """The answer to one request without a look at the cache, counted."""
        start = self.clock()
        value = product.make(self._searched(request).value)
        self._stats.count_query("computed", self.clock() - start, cached_call=False)
        return value

    def find(
        self, product: Product[T], request: SearchRequest, ttl_seconds: float, call: PlainCall | None = None
    ) -> Answer[T]:
        """The answer to one request, and where it came from; not counted."""
        vectors: list[NDArray[np.float32] | None] = []

        def compute() -> Computed[T]:
            computed = self._searched(request, *vectors)
            return Computed(product.make(computed.value), computed.footprint)

        model = self._embedder.identity
        if model is None:
            return Answer(compute().value, "computed", None)
        question = request.question(product.kind, model, *product.limits, exact=self._exact)
        semantic = self._semantic
        if semantic is None:
            found = self._answers.answer(question, product.form, compute, ttl_seconds, call)
        else:

            def alike() -> str | None:
                vectors.append(self._retriever.embed(request.query))
                return None if vectors[0] is None else semantic.similar(request.query, vectors[0], asked)

            asked = (product.kind, model, question.options)
            found = self._answers.answer(question, product.form, compute, ttl_seconds, None, alike)
            if found.path == "computed" and found.key is not None and vectors and vectors[0] is not None:
                semantic.remember(request.query, vectors[0], asked)
        if found.key is not None:
            self._stats.note_key(found.key, ttl_seconds)
        return found

    def _searched(self, request: SearchRequest, *vector: NDArray[np.float32] | None) -> Computed[Results]:
        return self._retriever.search(request, vector[0] if vector else self._retriever.embed(request.query))
