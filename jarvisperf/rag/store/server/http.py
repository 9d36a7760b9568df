"""A minimal HTTP client for a Chroma server, so that a cached answer need not load chromadb.

The paths come from the server's own description, ``/openapi.json`` (API version 2).
"""

from __future__ import annotations

import http.client
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from jarvisperf.forks import tell_when_forked
from jarvisperf.rag.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.rag.store.server.options import ServerOptions

TIMEOUT_SECONDS: Final = 30.0
_VECTOR: Final = [1.0]  # Chroma requires one; it is never searched


class GoneError(Exception):
    """The collection does not exist on the server."""


class RecordsClient:
    """Small records (ids with metadata) in one collection of a server; safe to call from several threads.

    Args:
        url: ``http://host:port`` or ``https://host:port``.
        name: The collection's name.
        options: The tenant, the database and the token.

    Raises:
        TypeError: The URL is not a string.
        ValueError: It is malformed.
    """

    def __init__(self, url: str, name: str, options: ServerOptions) -> None:
        self.host, self.port, self.ssl = parse_url(url)
        self._options = options
        tenant, database = quote(options.tenant, safe=""), quote(options.database, safe="")
        self._database = f"/api/v2/tenants/{tenant}/databases/{database}"
        self._base = f"{self._database}/collections"
        self._headers = {"Content-Type": "application/json", **options.headers()}
        self._url = url
        self._name = name
        self._id: str | None = None
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        tell_when_forked(self, RecordsClient.reset_after_fork)

    def reset_after_fork(self) -> None:
        """Leave the connection to the parent process after a fork."""
        self._lock = threading.Lock()
        self._connection = None

    def check_access(self) -> None:
        """Check that the server responds, accepts the token, and has the tenant and the database.

        Raises:
            StoreError: One of these is not so.
        """
        try:
            self._call("GET", self._database, None)
        except GoneError as error:
            raise StoreError(
                f"the Chroma server at {self._url} has no database {self._options.database!r} of a tenant"
                f" {self._options.tenant!r}: create them with chromadb.AdminClient, or check ServerOptions"
            ) from error

    def create(self) -> None:
        """Create the collection unless it exists."""
        self._id = str(self._call("POST", self._base, {"name": self._name, "get_or_create": True})["id"])

    def read(self) -> dict[str, Mapping[str, Any]]:
        """Return all records by id.

        Raises:
            GoneError: There is no such collection.
            StoreError: The server does not respond.
        """
        found = self._on_collection("get", {"include": ["metadatas"]})
        return dict(zip(found["ids"], found["metadatas"], strict=True))

    def count(self, collection_id: str) -> int:
        """Return the number of passages in any collection.

        Raises:
            GoneError: There is no such collection.
            StoreError: The server does not respond.
        """
        return int(self._call("GET", f"{self._base}/{collection_id}/count", None))

    def put(self, key: str, metadata: Mapping[str, Any]) -> None:
        """Write one record, replacing any with the same id."""
        self._on_collection("upsert", {"ids": [key], "embeddings": [_VECTOR], "metadatas": [metadata]})

    def remove(self, keys: Sequence[str]) -> None:
        """Remove records."""
        self._on_collection("delete", {"ids": list(keys)})

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        with self._lock:
            self._drop()

    def _on_collection(self, action: str, body: Mapping[str, Any]) -> Any:
        was_known = self._id is not None
        try:
            return self._call("POST", f"{self._base}/{self._found_id()}/{action}", body)
        except GoneError:
            self._id = None
            if not was_known:
                raise
        return self._call(
            "POST", f"{self._base}/{self._found_id()}/{action}", body
        )  # it may have been created again under the same name

    def _found_id(self) -> str:
        if self._id is None:
            self._id = str(self._call("GET", f"{self._base}/{quote(self._name)}", None)["id"])
        return self._id

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        payload = None if body is None else msgspec.json.encode(body)
        with self._lock:
            status, answer = self._exchange(method, path, payload)
        if status == http.HTTPStatus.NOT_FOUND:
            raise GoneError
        if status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
            given = "no token" if self._options.token is None else f"the token in {self._options.token_header}"
            raise StoreError(f"the Chroma server at {self._url} responded {status} to {given}: check ServerOptions")
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise StoreError(f"the Chroma server at {self._url} responded {status}: {answer[:200]!r}")
        return msgspec.json.decode(answer) if answer else None

    def _exchange(self, method: str, path: str, payload: bytes | None) -> tuple[int, bytes]:
        for last_try in (False, True):  # the server may have closed an idle connection
            try:
                connection = self._opened()
                connection.request(method, path, payload, self._headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if last_try:
                    raise StoreError(f"cannot reach the Chroma server at {self._url}: {error}") from error
        raise AssertionError("unreachable")

    def _opened(self) -> http.client.HTTPConnection:
        if self._connection is None:
            make = http.client.HTTPSConnection if self.ssl else http.client.HTTPConnection
            self._connection = make(self.host, self.port, timeout=TIMEOUT_SECONDS)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def parse_url(url: str) -> tuple[str, int, bool]:
    """Return host, port and whether the connection is encrypted.

    Raises:
        TypeError: The URL is not a string.
        ValueError: It is malformed.
    """
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
