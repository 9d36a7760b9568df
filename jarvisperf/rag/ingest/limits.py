"""Chooses how long passages are: as long as the model reads, in its own tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jarvisperf.rag.ingest.splitting import CHARACTERS, Limit

if TYPE_CHECKING:
    from jarvisperf.rag.embedding.protocol import Embedder

_TOKENS: Final = 256  # about 1000 characters of English: longer passages say too much to be near a question


def limit_for(embedder: Embedder) -> Limit:
    """Return the limit of passages for an embedder.

    It is in tokens if the embedder has ``count_tokens`` and says in ``max_tokens`` how many it reads, else in
    characters.
    """
    count = getattr(embedder, "count_tokens", None)
    most = getattr(embedder, "max_tokens", None) if count is not None else None
    return CHARACTERS if count is None or most is None else Limit(max(1, min(most, _TOKENS)), count)
