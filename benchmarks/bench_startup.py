"""A fresh process until its first answer: with everything loaded eagerly, and with the answer in the disk cache."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from jarvisperf.bench.corpus import QUERIES, reference_chunks
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
from jarvisperf.rag.embedding.choice import choose_model

if TYPE_CHECKING:
    from pathlib import Path

EAGER = """
import sys
import chromadb
from sentence_transformers import SentenceTransformer

folder, model, query = sys.argv[1:]
collection = chromadb.PersistentClient(folder).get_collection("documents", embedding_function=None)
vector = SentenceTransformer(model, device="cpu").encode(query, normalize_embeddings=True)
found = collection.query(query_embeddings=[vector], n_results=5)
assert len(found["documents"][0]) == 5
"""

CACHED = """
import sys
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG

folder, cache, query = sys.argv[1:]
rag = OptimizedRAG(path=folder, cache=SmartCache(redis_url=None, local_cache_dir=cache))
assert len(rag.search_cached(query)) == 5
assert "torch" not in sys.modules and "chromadb" not in sys.modules
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a folder of documents and the folder of a cache that has the answer; no process has them open."""
    documents, cache = tmp_path_factory.mktemp("documents"), tmp_path_factory.mktemp("cache")
    with (
        SmartCache(redis_url=None, local_cache_dir=cache) as smart_cache,
        OptimizedRAG(path=documents, cache=smart_cache) as rag,
    ):
        rag.batch_add_texts(reference_chunks()[:200])
        rag.search_cached(QUERIES[0])
    return documents, cache


@pytest.mark.jarvis_bench(group="rag startup to first answer")
def test_eager(jarvis_bench: Any, folders: tuple[Path, Path]) -> None:
    model = str(choose_model(None, None).folder())
    jarvis_bench.startup([sys.executable, "-c", EAGER, str(folders[0]), model, QUERIES[0]])


@pytest.mark.jarvis_bench(group="rag startup to first answer", before="test_eager")
def test_cached(jarvis_bench: Any, folders: tuple[Path, Path]) -> None:
    jarvis_bench.startup([sys.executable, "-c", CACHED, str(folders[0]), str(folders[1]), QUERIES[0]])
