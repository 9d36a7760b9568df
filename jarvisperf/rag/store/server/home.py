"""A collection on a Chroma server, which also keeps its state for all clients.

The state is a second collection, ``<name>.jarvisperf-state``, with one record per client that has written: its latest
token, whether it is writing, and whether it gives way. Each client writes only its own record, so clients never
overwrite each other's; together the tokens are the generation. Part of the state is also the number of passages, which
shows what clients that do not use this class have added or removed; a server shows nothing else that they change. The
price is two requests per cached query, about a millisecond on the same machine.

A client that dies while writing leaves its mark. Any client that has seen the same mark for ``lease_seconds`` on its
own clock replaces it with a token of unknown history. One mark covers one batch, so a live client stays far below that.
When there are many records, those of idle clients are removed; that costs only cached answers.

A client that stores the vectors of waiting passages must not do so while another one changes these passages. It sets
its mark, and if it then sees another client's mark, it gives way: it removes its own and tries again later. Other
writers also set their marks first and then look, and wait until no such client is writing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.store.collection import load_chromadb
from jarvisperf.rag.store.generation import (
    BEFORE_THE_FIRST,
    BusyError,
    CollectionState,
    new_generation,
    state_records_name,
)
from jarvisperf.rag.store.server.http import GoneError, RecordsClient
from jarvisperf.rag.store.server.options import ServerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LEASE_SECONDS = 300.0
DEFAULT = ServerOptions()
_MAX_CLIENTS = 64
_LOOK_SECONDS = 0.02
_GIVING_WAY_SECONDS = 30.0  # many times as long as storing a few vectors takes


class ServerHome:
    """One collection on a server.

    Args:
        url: ``http://host:port`` or ``https://host:port``.
        collection: The collection's name.
        options: The token, the tenant and the database.
        new_token: Returns a new generation token.
        clock: A monotonic clock, in seconds.
        lease_seconds: How long a writer's mark is honoured.

    Raises:
        TypeError: The URL is not a string.
        ValueError: It is malformed.
    """

    notices_all_writes = False

    def __init__(
        self,
        url: str,
        collection: str,
        options: ServerOptions = DEFAULT,
        new_token: Callable[[], str] = new_generation,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._records = RecordsClient(url, state_records_name(collection), options)
        self._options = options
        self._url = url
        self._new_token = new_token
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._first_seen: dict[tuple[str, str], float] = {}
        self._given_up: set[str] = set()
        self._last: CollectionState | None = None
        self._client: Any = None
        self.reset_after_fork()
        tell_when_forked(self, ServerHome.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Become a separate writer after a fork: two writers with one name would overwrite each other's record."""
        self._writer = self._new_token()
        self._token = BEFORE_THE_FIRST
        self._write_lock = threading.Lock()
        self._first_seen_lock = threading.Lock()
        self._client = None

    def connect(self) -> Any:
        """Connect and return the client.

        Raises:
            MissingPackageError: chromadb is not installed.
            StoreError: The server does not respond, rejects the token, or lacks the tenant or the database.
        """
        chromadb, settings = load_chromadb()
        self._records.check_access()
        try:
            self._client = chromadb.HttpClient(
                host=self._records.host,
                port=self._records.port,
                ssl=self._records.ssl,
                headers=self._options.headers(),
                settings=settings,
                tenant=self._options.tenant,
                database=self._options.database,
            )
        except Exception as error:
            raise StoreError(f"cannot reach the Chroma server at {self._url}: {error}") from error
        return self._client

    def renew(self) -> Any:
        """Return the client: a server has no index in this process that could be outdated."""
        return self._client

    def disconnect(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        client.close()
        self._records.close()

    def read_state(self) -> CollectionState | None:
        """Return the state on the server; None if this package has not opened the collection yet."""
        try:
            records = self._records.read()
        except GoneError:
            return None
        collections = {str(record["collection"]) for record in records.values()}
        if len(collections) != 1:
            return None  # no record, or the collection was deleted and created again
        writing = {name: str(record["token"]) for name, record in records.items() if record["writing"]}
        for name in self._expired(writing):
            self._records.put(name, _client_record(str(records[name]["collection"]), self._new_token(), writing=False))
            return self.read_state()
        heads = tuple(sorted((name, str(record["token"])) for name, record in records.items()))
        collection = collections.pop()
        try:
            count = None if writing else self._records.count(collection)
        except GoneError:
            return None  # deleted by a client that does not use this class
        state = CollectionState(collection, heads, writing=bool(writing), count=count)
        if state == self._last:
            return self._last
        self._last = state
        return state

    def check_in_place(self) -> None:
        """Do nothing: a server manages its own storage."""

    def settle(self, collection_id: str) -> None:
        """Announce the collection, and drop the records of an earlier one with the same name."""
        self._records.create()  # a write to the server's folder removes them
        records = self._records.read()
        outdated = [name for name, record in records.items() if record["collection"] != collection_id]
        idle = [name for name, record in records.items() if not record["writing"]]
        removable = {*outdated, *(idle if len(records) > _MAX_CLIENTS else ())}
        if removable >= set(records):
            self._token = self._new_token()
            self._records.put(self._writer, _client_record(collection_id, self._token, writing=False))
            removable.discard(self._writer)
        if removable:
            self._records.remove(sorted(removable))

    @contextlib.contextmanager
    def writing(
        self,
        collection_id: str,
        publish: Callable[[str, str], None] | None = None,
        *,
        gives_way: bool = False,
    ) -> Iterator[None]:
        """Mark the collection as being written while the body runs, and start a new generation after it."""
        with self._write_lock:
            certain = self._is_token_on_server(collection_id)
            previous, token = self._token if certain else self._new_token(), self._new_token()
            mark = _client_record(collection_id, previous, writing=True, gives_way=gives_way)
            self._records.put(self._writer, mark)
            if gives_way and self._other_marks():
                self._token = previous
                self._records.put(self._writer, _client_record(collection_id, previous, writing=False))
                raise BusyError(f"another client of the Chroma server at {self._url} is writing: try again")
            try:
                if not gives_way:
                    self._wait_for_those_that_give_way()
                yield
                if certain and publish is not None:
                    publish(previous, token)
            finally:
                self._token = token
                self._records.put(self._writer, _client_record(collection_id, token, writing=False))

    def _other_marks(self) -> dict[str, Mapping[str, Any]]:
        """Return the records of other clients that are writing and still live."""
        records = {name: record for name, record in self._records.read().items() if record["writing"]}
        records.pop(self._writer, None)
        for name in self._expired({name: str(record["token"]) for name, record in records.items()}):
            del records[name]
        return records

    def _wait_for_those_that_give_way(self) -> None:
        """Wait for the short writes of clients that give way to others; one that died is waited for once."""
        deadline = self._clock() + _GIVING_WAY_SECONDS
        while marks := self._marks_that_give_way() - self._given_up:
            if self._clock() >= deadline:
                self._given_up |= marks
                return
            time.sleep(_LOOK_SECONDS)

    def _marks_that_give_way(self) -> set[str]:
        return {str(record["token"]) for record in self._other_marks().values() if record.get("gives_way")}

    def _is_token_on_server(self, collection_id: str) -> bool:
        """Return whether this client's record is its latest, not one of a restored copy; create what is missing."""
        try:
            record = self._records.read().get(self._writer)
        except GoneError:  # a write to the server's folder removes the records
            self._records.create()
            record = None
        if record is None:
            return self._token == BEFORE_THE_FIRST
        return (str(record["token"]), str(record["collection"])) == (self._token, collection_id)

    def _expired(self, marks: Mapping[str, str]) -> list[str]:
        now = self._clock()
        with self._first_seen_lock:
            self._first_seen = {mark: self._first_seen.get(mark, now) for mark in marks.items()}
            return [name for (name, _), since in self._first_seen.items() if now - since >= self._lease_seconds]


def _client_record(collection_id: str, token: str, *, writing: bool, gives_way: bool = False) -> Mapping[str, Any]:
    return {"collection": collection_id, "token": token, "writing": writing, "gives_way": gives_way}
