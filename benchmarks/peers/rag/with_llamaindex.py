"""LlamaIndex's IngestionPipeline: embedded texts and their hashes in its cache and docstore, passages in Chroma."""

from __future__ import annotations

import sys

import chromadb
from llama_index.core import Document
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore

from benchmarks.peers.rag.work import report, seconds, texts


def main(folder: str, model_path: str, count: int) -> None:
    collection = chromadb.PersistentClient(folder + "/chroma").get_or_create_collection("documents")
    pipeline = IngestionPipeline(
        transformations=[HuggingFaceEmbedding(model_name=model_path)],
        docstore=SimpleDocumentStore(),
        vector_store=ChromaVectorStore(chroma_collection=collection),
    )

    def add(documents: list[str]) -> None:
        pipeline.run(documents=[Document(text=text, doc_id=str(number)) for number, text in enumerate(documents)])
        pipeline.persist(folder + "/pipeline")  # without it, the next process would embed everything again

    documents = texts(count)
    pipeline.run(documents=[Document(text="warm", doc_id="warm")])
    report(
        {
            "first": seconds(lambda: add(documents)),
            "again": seconds(lambda: add(documents)),
            "one_changed": seconds(lambda: add([*documents[:-1], documents[-1] + " Changed."])),
        }
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
