"""A Chroma client, and its collections, whose requests fail with a StoreError if the server does not answer them."""

from __future__ import annotations

from typing import Any, Final

from jarvisperf.rag.errors import StoreError

_TRANSPORT: Final = {"httpx", "httpcore"}  # the packages whose errors say so
_COLLECTION: Final = "Collection"


class Answering:
    """Passes everything on; chromadb lets the errors of its HTTP library through.

    Args:
        wrapped: A Chroma client or collection.
        place: Where the server is, for messages.
    """

    def __init__(self, wrapped: Any, place: str) -> None:
        self._wrapped = wrapped
        self._place = place

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        return self._asking(found) if callable(found) else found

    def _asking(self, method: Any) -> Any:
        def ask(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = method(*args, **kwargs)
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in _TRANSPORT:
                    raise
                reason = " ".join(str(error).split()) or type(error).__name__
                raise StoreError(f"cannot reach the Chroma server at {self._place}: {reason}") from error
            return Answering(answer, self._place) if type(answer).__name__ == _COLLECTION else answer

        return ask
