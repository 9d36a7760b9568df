"""Lets most added passages wait for their vectors until somebody asks for these, in this process."""

from __future__ import annotations

from jarvisperf.rag.embedding.background import BackgroundEmbedder
from jarvisperf.rag.ingest import ingestor
from jarvisperf.rag.search import retriever

SETTINGS = (
    (ingestor, "MOST_EMBEDDED_NOW", 1),
    (retriever, "MOST_EMBEDDED_FIRST", 1),
    (retriever, "_MIN_WAITING_CANDIDATES", 2),
    (BackgroundEmbedder, "start", lambda *_, **__: None),
)


def let_most_wait(change=setattr):
    for where, name, value in SETTINGS:
        change(where, name, value)


def embed_some(rag, **_):
    """Do as the background does: store the vectors of a few passages."""
    rag._background.embed_some(2)
