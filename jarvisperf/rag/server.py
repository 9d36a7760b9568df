"""A collection on a Chroma server, whose state is kept on the server too, for all its clients.

The state is a second collection, ``<name>.jarvisperf-state``: a record ``generation``, and one record for every write
that is going on. Records are written one by one, so clients do not overwrite each other's marks, as they would in the
collection's metadata, which Chroma replaces as a whole. Its price: each cached query asks the server for these
records (about a millisecond on the same machine), and chromadb is loaded for it.

A client that dies leaves its mark. Whoever has watched the same mark for ``lease_seconds`` on its own clock takes it
away and begins a new generation. One mark covers one batch, so a living client is far below that.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jarvisperf.rag.errors import StoreError, missing_package
from jarvisperf.rag.generation import State, new_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GENERATION_ID = "generation"
LEASE_SECONDS = 300.0
_VECTOR = [[1.0]]  # Chroma wants one; it is never searched


class ServerHome:
    """One collection of one server.

    Args:
        url: ``http://host:port`` or ``https://host:port``.
        collection: The collection's name.
        new_token: Makes the name of a new generation.
        clock: Seconds that only grow.
        lease_seconds: How long the mark of a writer is believed.

    Raises:
        TypeError: The URL is no string.
        ValueError: It has another form.
    """

    def __init__(
        self,
        url: str,
        collection: str,
        new_token: Callable[[], str] = new_generation,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._host, self._port, self._ssl = _parse_url(url)
        self._url = url
        self._state_name = f"{collection}.jarvisperf-state"
        self._new_token = new_token
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._first_seen: dict[str, float] = {}
        self._first_seen_lock = threading.Lock()
        self._client: Any = None
        self._records: Any = None

    def connect(self) -> Any:
        """Connect and return the client.

        Raises:
            MissingPackageError: chromadb is not installed.
            StoreError: The server does not answer.
        """
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as error:
            raise missing_package("chromadb") from error
        try:
            self._client = chromadb.HttpClient(
                host=self._host,
                port=self._port,
                ssl=self._ssl,
                settings=Settings(anonymized_telemetry=False),
            )
            self._records = self._client.get_or_create_collection(self._state_name, embedding_function=None)
        except Exception as error:
            raise StoreError(f"cannot reach the Chroma server at {self._url}: {error}") from error
        return self._client

    def disconnect(self) -> None:
        """Close the connection."""
        client, self._client, self._records = self._client, None, None
        client.close()

    def read_state(self) -> State | None:
        """The state as the server has it; None before the collection has been opened."""
        if self._records is None:
            return None
        found = self._records.get(include=["metadatas"])
        records = dict(zip(found["ids"], found["metadatas"], strict=True))
        current = records.pop(GENERATION_ID, None)
        if current is None:
            return None
        state = State(str(current["collection"]), str(current["token"]), writing=bool(records))
        expired = self._expired(records)
        if not expired:
            return state
        state = State(state.collection, self._begin(state.collection), writing=len(expired) < len(records))
        self._records.delete(ids=expired)
        return state

    def settle(self, collection_id: str) -> None:
        """Begin a new generation where there is none, or that of a collection since replaced."""
        state = self.read_state()
        if state is None or state.collection != collection_id:
            self._begin(collection_id)

    @contextlib.contextmanager
    def writing(self, collection_id: str) -> Iterator[None]:
        """Mark the collection as being written within, and begin a new generation after it."""
        mark = f"writing-{self._new_token()}"
        self._records.upsert(ids=[mark], embeddings=_VECTOR, metadatas=[{"collection": collection_id}])
        try:
            yield
        finally:
            self._begin(collection_id)  # first: whoever sees no mark must see the new generation
            self._records.delete(ids=[mark])

    def _begin(self, collection_id: str) -> str:
        token = self._new_token()
        self._records.upsert(
            ids=[GENERATION_ID],
            embeddings=_VECTOR,
            metadatas=[{"collection": collection_id, "token": token}],
        )
        return token

    def _expired(self, marks: dict[str, Any]) -> list[str]:
        now = self._clock()
        with self._first_seen_lock:
            self._first_seen = {mark: self._first_seen.get(mark, now) for mark in marks}
            return [mark for mark, since in self._first_seen.items() if now - since >= self._lease_seconds]


def _parse_url(url: str) -> tuple[str, int, bool]:
    problem = f"chroma_url is {url!r}: give http://host:port or https://host:port"
    if not isinstance(url, str):
        raise TypeError(problem)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(problem) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(problem)
    ssl = parts.scheme == "https"
    return parts.hostname, port or (443 if ssl else 8000), ssl
