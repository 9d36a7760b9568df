"""A collection on a Chroma server, whose state is kept on the server too, for all its clients.

The state is a second collection, ``<name>.jarvisperf-state``: one record for each client that has written, with its
newest token and whether it is writing. Each client writes its own record only, so none overwrites another's; together
the tokens are the generation. The price: each cached query asks the server for these records, about half a millisecond
on the same machine.

A client that dies while it writes leaves its mark. Whoever has watched the same mark for ``lease_seconds`` on its own
clock replaces it by a token of which nothing is known. One mark covers one batch, so a living client is far below that.
Records of clients that are long gone are removed when there are many; that too only costs answers.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.errors import StoreError, missing_package
from jarvisperf.rag.store.generation import BEFORE_THE_FIRST, State, new_generation
from jarvisperf.rag.store.server_http import GoneError, RecordsClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LEASE_SECONDS = 300.0
_MOST_CLIENTS = 64


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
        self._records = RecordsClient(url, f"{collection}.jarvisperf-state")
        self._url = url
        self._new_token = new_token
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._first_seen: dict[tuple[str, str], float] = {}
        self._last: State | None = None
        self._client: Any = None
        self.begin_anew()
        tell_when_forked(self, ServerHome.begin_anew)

    def begin_anew(self) -> None:
        """Be a writer of its own: two with one name would overwrite each other's record, and hide a write."""
        self._writer = self._new_token()
        self._token = BEFORE_THE_FIRST
        self._write_lock = threading.Lock()
        self._first_seen_lock = threading.Lock()
        self._client = None

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
                host=self._records.host,
                port=self._records.port,
                ssl=self._records.ssl,
                settings=Settings(anonymized_telemetry=False),
            )
        except Exception as error:
            raise StoreError(f"cannot reach the Chroma server at {self._url}: {error}") from error
        self._records.create()
        return self._client

    def disconnect(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        client.close()
        self._records.close()

    def read_state(self) -> State | None:
        """The state as the server has it; None where nobody has opened this collection through this package yet."""
        try:
            records = self._records.read()
        except GoneError:
            return None
        collections = {str(record["collection"]) for record in records.values()}
        if len(collections) != 1:
            return None  # none, or one was deleted and made anew
        writing = {name: str(record["token"]) for name, record in records.items() if record["writing"]}
        for name in self._expired(writing):
            self._records.put(name, _record(str(records[name]["collection"]), self._new_token(), writing=False))
            return self.read_state()
        heads = tuple(sorted((name, str(record["token"])) for name, record in records.items()))
        state = State(collections.pop(), heads, writing=bool(writing))
        if state == self._last:
            return self._last
        self._last = state
        return state

    def check_in_place(self) -> None:
        """Check nothing: a server answers for its own place."""

    def settle(self, collection_id: str) -> None:
        """Announce the collection, and forget what was known of one that had its name before."""
        records = self._records.read()
        outdated = [name for name, record in records.items() if record["collection"] != collection_id]
        idle = [name for name, record in records.items() if not record["writing"]]
        doomed = {*outdated, *(idle if len(records) > _MOST_CLIENTS else ())}
        if doomed >= set(records):
            self._token = self._new_token()
            self._records.put(self._writer, _record(collection_id, self._token, writing=False))
            doomed.discard(self._writer)
        if doomed:
            self._records.remove(sorted(doomed))

    @contextlib.contextmanager
    def writing(self, collection_id: str, publish: Callable[[str, str], None] | None = None) -> Iterator[None]:
        """Mark the collection as being written within, and begin a new generation after it."""
        with self._write_lock:
            previous, token = self._token, self._new_token()
            self._records.put(self._writer, _record(collection_id, previous, writing=True))
            try:
                yield
                if publish is not None:
                    publish(previous, token)
            finally:
                self._token = token
                self._records.put(self._writer, _record(collection_id, token, writing=False))

    def _expired(self, marks: Mapping[str, str]) -> list[str]:
        now = self._clock()
        with self._first_seen_lock:
            self._first_seen = {mark: self._first_seen.get(mark, now) for mark in marks.items()}
            return [name for (name, _), since in self._first_seen.items() if now - since >= self._lease_seconds]


def _record(collection_id: str, token: str, *, writing: bool) -> Mapping[str, Any]:
    return {"collection": collection_id, "token": token, "writing": writing}
