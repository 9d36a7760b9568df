"""langchain's CacheBackedEmbeddings (vectors of documents and queries kept in files) with its Chroma store."""

from __future__ import annotations

import statistics
import sys
import time
from functools import partial

START = time.perf_counter()
from langchain_chroma import Chroma  # noqa: E402 - the imports are what is measured
from langchain_classic.embeddings import CacheBackedEmbeddings  # noqa: E402
from langchain_classic.storage import LocalFileStore  # noqa: E402
from langchain_huggingface import HuggingFaceEmbeddings  # noqa: E402

from benchmarks.peers.rag.work import questions, report, seconds, texts  # noqa: E402


def store_in(folder: str, model_path: str) -> Chroma:
    embeddings = CacheBackedEmbeddings.from_bytes_store(
        HuggingFaceEmbeddings(model_name=model_path, encode_kwargs={"normalize_embeddings": True}),
        LocalFileStore(folder + "/vectors"),
        namespace="minilm",
        query_embedding_cache=True,
        key_encoder="sha256",
    )
    return Chroma("documents", embeddings, persist_directory=folder + "/chroma")


def main(folder: str, model_path: str, count: int) -> None:
    store = store_in(folder, model_path)
    documents = texts(count)
    ids = [str(number) for number in range(count)]
    store.add_texts(["warm"], ids=["warm"])
    first = seconds(lambda: store.add_texts(documents, ids=ids))
    again = seconds(lambda: store.add_texts(documents, ids=ids))
    changed = [*documents[:-1], documents[-1] + " Changed."]
    one_changed = seconds(lambda: store.add_texts(changed, ids=ids))
    asked = questions(100)
    uncached = [seconds(partial(store.similarity_search, question, k=5)) for question in asked]
    repeated = [seconds(partial(store.similarity_search, question, k=5)) for question in asked]
    store.similarity_search("What is a decorator?", k=5)
    report(
        {
            "first": first,
            "again": again,
            "one_changed": one_changed,
            "query_uncached": statistics.median(uncached),
            "query_repeated": statistics.median(repeated),
        }
    )


def start(folder: str, model_path: str) -> None:
    assert store_in(folder, model_path).similarity_search("What is a decorator?", k=5)
    report({"start": time.perf_counter() - START})


if __name__ == "__main__":
    start(*sys.argv[1:3]) if sys.argv[3] == "start" else main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
