"""The loop that a newcomer writes: sentence-transformers' defaults, one `add` per text, one `query` per question."""

from __future__ import annotations

import statistics
import sys
from functools import partial

import chromadb
from sentence_transformers import SentenceTransformer

from benchmarks.peers.rag.work import questions, report, seconds, texts


def main(folder: str, model_path: str, count: int) -> None:
    model = SentenceTransformer(model_path)
    client = chromadb.PersistentClient(folder + "/chroma")
    collection = client.get_or_create_collection("documents", embedding_function=None)

    def add_all() -> None:
        for number, text in enumerate(texts(count)):
            collection.add(ids=[str(number)], documents=[text], embeddings=[model.encode(text)])

    def ask(question: str) -> None:
        collection.query(query_embeddings=[model.encode(question)], n_results=5)

    model.encode("warm")
    first = seconds(add_all)
    asked = questions(50)
    times = [seconds(partial(ask, question)) for question in asked]
    report({"first": first, "query_uncached": statistics.median(times), "query_repeated": statistics.median(times)})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
