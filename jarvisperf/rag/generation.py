"""The state of a collection: which answers about it are still true.

An answer is cached under the *generation* of the collection that was current before it was computed. Every write
ends with a new generation, so an answer from before a write, even one that is stored after it, is not found any more.
Generations are random tokens, not counters: a folder that is copied or restored from a backup would count to the same
number again, with other documents.

A writer first marks the collection as being written and takes the mark away together with the change of generation.
While the mark is there nobody reads or writes cached answers. A writer that dies leaves its mark, which the next one
that opens the collection resolves with a new generation: whether the write took effect does not matter then.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class State:
    """The state of a collection.

    Attributes:
        collection: The id that Chroma gave to the collection.
        generation: A token that no other content of any collection ever had.
        writing: Somebody is changing the collection, or died doing so.
    """

    collection: str
    generation: str
    writing: bool


class Home(Protocol):
    """Where a collection lives: a folder of this machine or a Chroma server."""

    def connect(self) -> Any:
        """Open Chroma and return its client; loads chromadb."""
        ...

    def disconnect(self) -> None:
        """Close the client."""
        ...

    def read_state(self) -> State | None:
        """The state now; None where it is not known before the collection has been opened."""
        ...

    def settle(self, collection_id: str) -> None:
        """Called when the collection has been opened: begin a new generation where the state is not sure."""
        ...

    def writing(self, collection_id: str) -> AbstractContextManager[None]:
        """The state is marked as being written within, and has a new generation after it."""
        ...


def new_generation() -> str:
    """A generation that was never there before."""
    return uuid.uuid4().hex
