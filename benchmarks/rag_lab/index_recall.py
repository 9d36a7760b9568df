"""How many of the ten nearest passages Chroma's index finds, as this package configures it and by Chroma's default.

    python -m benchmarks.rag_lab.index_recall sentences --texts FOLDER FOLDER --out FILE.json
    python -m benchmarks.rag_lab.index_recall synthetic --out FILE.json

The sets are sentences of Python's reference and of the folders' Markdown and CSV files, embedded by the installed
model, or synthetic vectors: clusters of unequal sizes in a subspace, with noise in all dimensions. Queries are
vectors of the same kind that are not in the index. Each index is measured as it was filled, and again after a tenth of
its passages was replaced and a tenth deleted.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jarvisperf.bench.corpus import reference_chunks
from jarvisperf.rag import SentenceTransformerEmbedder
from jarvisperf.rag.store.collection import INDEX, load_chromadb
from jarvisperf.runs.machine import machine_facts, read_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

NEAREST = 10
QUERIES = 200
ADDED_TOGETHER = 1000
CONFIGURATIONS = {"Chroma's default": {"space": INDEX["space"]}, "jarvisperf": INDEX}
MOST_SENTENCES = 12_000
SYNTHETIC = (20_000, 50_000, 100_000)  # passages
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_FEWEST_CHARACTERS = 20


class VectorSet(NamedTuple):
    """Vectors to index and queries to ask.

    Attributes:
        name: The name of the table's row.
        rows: One unit vector per passage.
        queries: Unit vectors that are not among them.
        spare: More of the same kind, with which passages are replaced.
    """

    name: str
    rows: NDArray[np.float32]
    queries: NDArray[np.float32]
    spare: NDArray[np.float32]


def main() -> None:
    """Measure, print a line per index, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("sentences", "synthetic"))
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="folders of Markdown and CSV files")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for vectors in sentences(words.texts) if words.kind == "sentences" else synthetic():
        for name, configuration in CONFIGURATIONS.items():
            rows.append({"set": vectors.name, "index": name, **measure(vectors, configuration)})
            print(json.dumps(rows[-1]), flush=True)  # noqa: T201
            found = {
                "date": datetime.now(UTC).date().isoformat(),
                "machine": machine_facts(read_machine()),
                "configurations": CONFIGURATIONS,
                "rows": rows,
            }
            words.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def sentences(folders: Iterable[Path]) -> Iterator[VectorSet]:
    """Yield one set of embedded sentences."""
    found = sorted(set(_sentences(folders)))
    some = np.random.default_rng(18).permutation(len(found))[:MOST_SENTENCES]
    rows = SentenceTransformerEmbedder().embed_documents([found[place] for place in some])
    yield _divided("sentences", rows)


def synthetic() -> Iterator[VectorSet]:
    """Yield sets of growing size."""
    for count in SYNTHETIC:
        yield _divided("synthetic", clustered(count + count // 10 + QUERIES))


def clustered(count: int, latent: int = 48, dimensions: int = 384, clusters: int = 50) -> NDArray[np.float32]:
    """Return unit vectors in clusters of unequal sizes in a random subspace, with noise in all dimensions."""
    generator = np.random.default_rng(18)
    centres = 2 * generator.standard_normal((clusters, latent))
    sizes = generator.dirichlet(np.ones(clusters))
    points = centres[generator.choice(clusters, size=count, p=sizes)] + generator.standard_normal((count, latent))
    rows = points @ generator.standard_normal((latent, dimensions))
    rows += 0.3 * np.sqrt(latent) * generator.standard_normal((count, dimensions))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def measure(vectors: VectorSet, configuration: dict[str, Any]) -> dict[str, Any]:
    """Fill an index, ask it, change it and ask it again."""
    chromadb, settings = load_chromadb()
    count, tenth = len(vectors.rows), len(vectors.rows) // 10
    with tempfile.TemporaryDirectory() as folder, chromadb.PersistentClient(folder, settings=settings) as client:
        index = client.create_collection("index", embedding_function=None, configuration={"hnsw": configuration})
        start = time.process_time()
        _upsert(index, vectors.rows, 0)
        added_seconds = time.process_time() - start
        recall, query_seconds = _recall(index, vectors.rows, range(count), vectors.queries)
        _upsert(index, vectors.spare[:tenth], 0)
        for first in range(tenth, 2 * tenth, ADDED_TOGETHER):
            index.delete(ids=[str(key) for key in range(first, min(first + ADDED_TOGETHER, 2 * tenth))])
        left = np.concatenate([vectors.spare[:tenth], vectors.rows[2 * tenth :]])
        after, _ = _recall(index, left, [*range(tenth), *range(2 * tenth, count)], vectors.queries)
    return {
        "passages": count,
        f"recall@{NEAREST}": round(recall, 4),
        f"recall@{NEAREST} after changes": round(after, 4),
        "CPU milliseconds per added passage": round(1000 * added_seconds / count, 3),
        "CPU milliseconds per query": round(1000 * query_seconds / len(vectors.queries), 2),
    }


def _upsert(index: Any, rows: NDArray[np.float32], first: int) -> None:
    for start in range(0, len(rows), ADDED_TOGETHER):
        part = rows[start : start + ADDED_TOGETHER]
        index.upsert(ids=[str(first + start + row) for row in range(len(part))], embeddings=part)


def _recall(
    index: Any, rows: NDArray[np.float32], keys: Iterable[int], queries: NDArray[np.float32]
) -> tuple[float, float]:
    """Return the part of the nearest passages that the index finds, and the CPU seconds that it took."""
    names = np.array([str(key) for key in keys])
    nearest = np.argsort(-(queries @ rows.T), axis=1)[:, :NEAREST]
    index.query(query_embeddings=queries[:1], n_results=1, include=[])  # Chroma loads an index at the first query
    start = time.process_time()
    found = [index.query(query_embeddings=[query], n_results=NEAREST, include=[])["ids"][0] for query in queries]
    seconds = time.process_time() - start
    right = sum(len(set(one) & set(names[row])) for one, row in zip(found, nearest, strict=True))
    return right / (NEAREST * len(queries)), seconds


def _sentences(folders: Iterable[Path]) -> Iterator[str]:
    texts = list(reference_chunks())
    for folder in folders:
        texts += [file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.md"))]
        for table in sorted(folder.rglob("*.csv")):
            with table.open(encoding="utf-8", newline="") as rows:
                texts += [cell for row in csv.reader(rows) for cell in row]
    for text in texts:
        yield from (part for part in map(str.strip, _SENTENCE_END.split(text)) if len(part) >= _FEWEST_CHARACTERS)


def _divided(name: str, rows: NDArray[np.float32]) -> VectorSet:
    mixed = np.random.default_rng(18).permutation(rows)
    queries, others = mixed[:QUERIES], mixed[QUERIES:]
    spare = len(others) // 11
    return VectorSet(name, others[spare:], queries, others[:spare])


if __name__ == "__main__":
    main()
