"""langchain's CacheBackedEmbeddings (vectors of documents and queries kept in files) with its Chroma store."""

from __future__ import annotations

import statistics
import sys
from functools import partial

from langchain_chroma import Chroma
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore
from langchain_huggingface import HuggingFaceEmbeddings

from benchmarks.peers.rag.work import questions, report, seconds, texts


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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
