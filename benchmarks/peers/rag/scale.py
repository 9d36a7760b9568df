"""A large collection compared with bare Chroma: ingestion in turns, then queries in turns, then the memory of each.

Real vectors of 100,000 texts would take an hour, so both sides use the same cheap vectors: the mean of one random
vector for each word. The cost of real embedding is not included.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
from chromadb.config import Settings

from benchmarks.peers.rag.work import seconds
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DIMENSION = 384
WORDS = 5000
WORDS_PER_TEXT = 14
BATCH = 100
BATCHES_PER_TURN = 5
QUERIES = 500


class WordEmbedder:
    """Makes cheap vectors from the words, and counts the seconds that it spends on documents."""

    identity = "words:1"

    def __init__(self) -> None:
        self._words = np.random.default_rng(1).standard_normal((WORDS, DIMENSION)).astype(np.float32)
        self.seconds = 0.0

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per text."""
        start = time.perf_counter()
        rows = np.stack([self.embed_query(text) for text in texts])
        self.seconds += time.perf_counter() - start
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of one text."""
        vector = self._words[[int(word[1:]) for word in text.split()]].mean(axis=0)
        unit: NDArray[np.float32] = np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
        return unit


class Timed:
    """Counts the seconds that a function takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it."""
        start = time.perf_counter()
        try:
            return self._function(*arguments, **named)
        finally:
            self.seconds += time.perf_counter() - start


def batch_of(number: int) -> list[str]:
    """Return the texts of one batch; the same number always yields the same texts."""
    source = random.Random(number)  # noqa: S311 - no secret
    return [" ".join(f"w{source.randrange(WORDS)}" for _ in range(WORDS_PER_TEXT)) for _ in range(BATCH)]


def bare_collection(folder: Path) -> Any:
    client = chromadb.PersistentClient(str(folder / "bare"), settings=Settings(anonymized_telemetry=False))
    return client.get_or_create_collection(
        "documents", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
    )


def our_rag(folder: Path, cache: SmartCache, embedder: WordEmbedder) -> OptimizedRAG:
    return OptimizedRAG(folder / "ours", cache, embedder, embed_in_background=False)


def go_on(folder: Path, chunks: int, budget_seconds: float) -> dict[str, Any] | None:
    """Add as many texts as the time allows; once all are added, run the queries and return the figures.

    Args:
        folder: Contains what earlier runs have added.
        chunks: The final number of chunks.
        budget_seconds: Time for adding.
    """
    folder.mkdir(exist_ok=True)
    progress = folder / "progress.json"
    done: dict[str, Any] = {"batches": 0, "ours": 0.0, "embedding": 0.0, "upsert": 0.0, "chroma": 0.0}
    if progress.exists():
        done = json.loads(progress.read_text(encoding="utf-8"))
    deadline = time.perf_counter() + budget_seconds
    embedder = WordEmbedder()
    collection = bare_collection(folder)
    with SmartCache(redis_url=None, local_cache_dir=None) as cache, our_rag(folder, cache, embedder) as rag:
        within = rag._store.open()  # noqa: SLF001 - what Chroma takes within ours can be told only there
        within.upsert = upsert = Timed(within.upsert)
        while done["batches"] < chunks // BATCH:
            if time.perf_counter() > deadline:
                return None
            _add_turn(done, rag, collection, embedder, upsert)
            progress.write_text(json.dumps(done), encoding="utf-8")
        queries = _ask(rag, collection, embedder)
    base = done["embedding"] + done["upsert"]
    memory = {name: _memory_of(name, folder) for name in ("nothing", "bare", "ours")}
    return {
        "chunks": chunks,
        "batch": BATCH,
        "ours_seconds": done["ours"],
        "embedding_seconds": done["embedding"],
        "upsert_seconds": done["upsert"],
        "chroma_seconds": done["chroma"],
        "overhead": done["ours"] / base - 1.0,
        "overhead_ms_per_chunk": 1000 * (done["ours"] - base) / chunks,
        **queries,
        "rss_mb": memory,
    }


def _add_turn(done: dict[str, Any], rag: OptimizedRAG, collection: Any, embedder: WordEmbedder, upsert: Timed) -> None:
    numbers = range(done["batches"], done["batches"] + BATCHES_PER_TURN)
    batches = [batch_of(number) for number in numbers]
    vectors = [np.stack([embedder.embed_query(text) for text in batch]) for batch in batches]

    def ours() -> None:
        for batch in batches:
            rag.batch_add_texts(batch, batch_size=BATCH)

    def bare() -> None:
        for number, batch, rows in zip(numbers, batches, vectors, strict=True):
            ids = [f"{number:08d}-{place:024d}" for place in range(BATCH)]  # about as long as content ids
            collection.upsert(ids=ids, documents=batch, embeddings=rows)

    before, upsert_before = embedder.seconds, upsert.seconds
    turns = {"ours": ours, "chroma": bare}
    for name in sorted(turns, reverse=bool(done["batches"] // BATCHES_PER_TURN % 2)):
        done[name] += seconds(turns[name])
    done["embedding"] += embedder.seconds - before
    done["upsert"] += upsert.seconds - upsert_before
    done["batches"] += BATCHES_PER_TURN


def _ask(rag: OptimizedRAG, collection: Any, embedder: WordEmbedder) -> dict[str, float]:
    asked = [" ".join(text.split()[:8]) for number in range(QUERIES // BATCH) for text in batch_of(7 * number)]

    def bare(question: str) -> None:
        collection.query(
            query_embeddings=[embedder.embed_query(question)],
            n_results=5,
            include=["documents", "metadatas", "distances"],
        )

    times: dict[str, list[float]] = {"ours": [], "bare": []}
    rag.search(asked[0])
    bare(asked[0])
    for number, question in enumerate(asked):
        ways: list[tuple[str, Callable[[], Any]]] = [
            ("ours", partial(rag.search, question)),
            ("bare", partial(bare, question)),
        ]
        for name, way in ways[::-1] if number % 2 else ways:
            times[name].append(seconds(way))
    p95 = {name: statistics.quantiles(each, n=20)[-1] for name, each in times.items()}
    return {
        "queries": len(asked),
        "ours_p50_ms": 1000 * statistics.median(times["ours"]),
        "bare_p50_ms": 1000 * statistics.median(times["bare"]),
        "ours_p95_ms": 1000 * p95["ours"],
        "bare_p95_ms": 1000 * p95["bare"],
        "p95_ratio": p95["ours"] / p95["bare"],
    }


def _memory_of(side: str, folder: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.peers.rag.scale", side, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - this module
    return float(done.stdout.split()[-1])


def main(side: str, folder: Path) -> None:
    """Run queries on one side and write the peak memory in MB."""
    embedder = WordEmbedder()
    asked = batch_of(1)
    if side == "ours":
        with SmartCache(redis_url=None, local_cache_dir=None) as cache, our_rag(folder, cache, embedder) as rag:
            for question in asked:
                rag.search(question)
    elif side == "bare":
        collection = bare_collection(folder)
        for question in asked:
            collection.query(query_embeddings=[embedder.embed_query(question)], n_results=5)
    status = Path("/proc/self/status").read_text(
        encoding="ascii"
    )  # getrusage would include the parent's memory before exec
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    sys.stdout.write(f"{int(peak) / 1024}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
