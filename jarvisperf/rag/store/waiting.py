"""Passages that wait for their vectors, in a Chroma collection of their own next to the main one.

A passage is either waiting or in the main collection. It gets there with its vector, in one write. If a process dies
during that write, the passage may be in both; it then still waits, so the write is repeated. If it dies while a new
version of a passage is added, the old version may still be found until the new one has its vector.

The main collection thus holds true vectors only: Chroma's index never contains a placeholder, and other programs that
read it see nothing unfinished. The collection of waiting passages is named after the id of the main one, so that those
of a deleted collection never reach another one. Chroma requires a vector for each record; here it is a number that is
never searched.

Each write of a waiting passage gives it a new token. A process that has computed its vector stores it only if the
passage still waits with the same token, so a passage that was deleted or changed in the meantime neither comes back nor
gets the vector of its old text.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.rag.store.filters import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

_INDEX: Final = {"space": "l2", "ef_construction": 10, "max_neighbors": 2}  # as cheap as possible: it is never searched
_VECTOR: Final = [1.0]


class WaitingPassage(NamedTuple):
    """A passage that waits: its metadata as stored (without the token), and the token of its latest write."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    token: str


class WaitingCollection:
    """Finds and creates the collection of waiting passages that belongs to a main collection."""

    def __init__(self) -> None:
        self._opened: tuple[Any, str, Any] | None = None  # the client, the id of the main collection, and ours

    def open(self, client: Any, main_id: str, *, create: bool = False) -> Any | None:
        """Return the Chroma collection; None if there is none, or nothing waits in it.

        Args:
            client: The Chroma client that opened the main collection.
            main_id: The main collection's id.
            create: Create it if necessary, and return it even if nothing waits; only within a write.
        """
        opened = self._opened
        try:
            if opened is None or opened[0] is not client or opened[1] != main_id:
                opened = (client, main_id, self._get(client, name_of(main_id), create=create))
                self._opened = opened
            collection = opened[2]
            return collection if create or collection.count() else None
        except _not_found():
            self._opened = None
            return self.open(client, main_id, create=True) if create else None

    def _get(self, client: Any, name: str, *, create: bool) -> Any:
        if not create:
            return client.get_collection(name, embedding_function=None)
        return client.get_or_create_collection(name, embedding_function=None, configuration={"hnsw": dict(_INDEX)})


def _not_found() -> Any:
    # In a function of its own: mypy reads bodies that set attributes in installed packages too, and from there all that
    # Chroma imports, which takes ten times as long.
    from chromadb.errors import NotFoundError

    return NotFoundError


def name_of(main_id: str) -> str:
    """Return the name of the collection of waiting passages that belongs to a main collection."""
    return f"{main_id}.jarvisperf-waiting"


def new_token() -> str:
    """Return a token that no waiting passage has."""
    return uuid.uuid4().hex


def placeholders(count: int) -> list[list[float]]:
    """Return what is stored in place of vectors."""
    return [_VECTOR] * count


def with_token(metadata: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return the metadata to store for a passage that waits."""
    return {**metadata, TOKEN: token}


def without_token(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata as it will be stored with the vector."""
    return {name: value for name, value in metadata.items() if name != TOKEN}


def tokens_in(page: Mapping[str, Any]) -> dict[str, str]:
    """Return the token of each passage in the answer of Chroma's ``get``."""
    return {
        key: str((metadata or {}).get(TOKEN, "")) for key, metadata in zip(page["ids"], page["metadatas"], strict=True)
    }


def passages_in(page: Mapping[str, Any]) -> list[WaitingPassage]:
    """Return the passages in the answer of Chroma's ``get``."""
    tokens = tokens_in(page)
    return [
        WaitingPassage(key, text or "", without_token(metadata or {}), tokens[key])
        for key, text, metadata in zip(page["ids"], page["documents"], page["metadatas"], strict=True)
    ]
