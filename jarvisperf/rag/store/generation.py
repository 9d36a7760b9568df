"""The state of a collection, which determines which cached answers about it are still valid.

The content of a collection has a *generation*, and every write starts a new one. A cached answer carries the
generation that was current before it was computed. It is used later if that generation is still current, or if every
write since is known and provably leaves the answer unchanged (``search/footprint.py``).

Generations are random tokens, not counters, because a folder that is copied or restored from a backup would reach the
same number again with different documents. Each writer has its own token (a folder has one writer at a time; on a
server each client is one), so writers never overwrite each other's tokens.

A writer marks the collection as being written before it starts, and clears the mark together with changing its token.
While the mark is set, cached answers are neither read nor written. A writer that dies leaves its mark, which is later
replaced by a new token with an unknown history, so it does not matter whether the write took effect.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from jarvisperf.rag.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

Heads: TypeAlias = tuple[tuple[str, str], ...]
"""The latest token of each writer, sorted by the writers' names."""

BEFORE_THE_FIRST = ""
"""The value before a writer's first token."""


@dataclass(frozen=True, slots=True)
class CollectionState:
    """The state of a collection.

    Attributes:
        collection: The id that Chroma assigned to the collection.
        heads: The generation.
        writing: A writer is changing the collection, or died while doing so.
        count: The number of passages, where it is the only sign of writes by other programs; else None.
    """

    collection: str
    heads: Heads
    writing: bool
    count: int | None = None


class BusyError(StoreError):
    """Another writer is at work; nothing has been changed."""


class Home(Protocol):
    """The location of a collection: a local folder or a Chroma server."""

    notices_all_writes: bool
    """Whether writes by other programs change the state as well."""

    def connect(self) -> Any:
        """Open Chroma and return its client; loads chromadb."""
        ...

    def renew(self) -> Any:
        """Return a client that knows all writes, because other programs may have written."""
        ...

    def disconnect(self) -> None:
        """Close the client."""
        ...

    def read_state(self) -> CollectionState | None:
        """Return the current state, the same object while it is unchanged; None if it is unknown."""
        ...

    def check_in_place(self) -> None:
        """Check that the home is still the one that was opened.

        Raises:
            StoreError: It is gone.
        """
        ...

    def settle(self, collection_id: str) -> None:
        """Start a new generation if the state is uncertain; called after the collection has been opened."""
        ...

    def writing(
        self,
        collection_id: str,
        publish: Callable[[str, str], None] | None = None,
        *,
        gives_way: bool = False,
    ) -> AbstractContextManager[None]:
        """Mark the collection as being written while the body runs, and start a new generation after it.

        Args:
            collection_id: The id that Chroma assigned to the collection.
            publish: Called with this writer's previous and new token if the body succeeded and the previous token is
                certain, before the new one becomes visible to others.
            gives_way: The write depends on what is stored, so no other may happen at the same time. Where several
                clients can write, this one gives way to others, and they wait for it.

        Raises:
            BusyError: With ``gives_way``: another client is writing.
        """
        ...


def state_records_name(collection: str) -> str:
    """Return the name of the collection on a server that holds the state of this one."""
    return f"{collection}.jarvisperf-state"


def new_generation() -> str:
    """Return a token that has never been used."""
    return uuid.uuid4().hex
