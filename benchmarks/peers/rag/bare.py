"""The floor of ingestion: `model.encode` alone, with the dtype that this package chooses on this machine."""

from __future__ import annotations

import sys

from sentence_transformers import SentenceTransformer

from benchmarks.peers.rag.work import report, seconds, texts
from jarvisperf.rag.embedding.options import has_bfloat16


def main(model_path: str, count: int) -> None:
    model = SentenceTransformer(model_path)
    if has_bfloat16():
        model = model.bfloat16()
    documents = texts(count)
    model.encode(documents[:32])
    report({"first": seconds(lambda: model.encode(documents, normalize_embeddings=True))})


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]))
