"""The state of a collection: which answers about it are still true.

The content of a collection has a *generation*, and every write begins a new one. A cached answer is labelled with the
generation that was current before it was computed; later it is used where the generation is still the same, or where
every write since is known and provably does not change it (``survival.py``).

Generations are random tokens, not counters: a folder that is copied or restored from a backup would count to the same
number again, with other documents. Each writer has a token of its own (in a folder, where only one can write, there is
one; on a server each client has one), so writers never overwrite each other's.

A writer marks the collection as being written before it begins, and takes the mark away together with the change of
its token. While there is a mark, nobody reads or writes cached answers. A writer that dies leaves its mark, which is
later resolved by a new token of which nothing is known: whether the write took effect does not matter then.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

Heads: TypeAlias = tuple[tuple[str, str], ...]
"""The newest token of each writer, in the order of the writers' names."""

BEFORE_THE_FIRST = ""
"""What comes before the first token of a writer."""


@dataclass(frozen=True, slots=True)
class State:
    """The state of a collection.

    Attributes:
        collection: The id that Chroma gave to the collection.
        heads: Its generation.
        writing: Somebody is changing the collection, or died doing so.
    """

    collection: str
    heads: Heads
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
        """The state now; the same object while it is the same; None where it is not known."""
        ...

    def check_in_place(self) -> None:
        """Check that the place is still the one that was opened.

        Raises:
            StoreError: It is gone.
        """
        ...

    def settle(self, collection_id: str) -> None:
        """Called when the collection has been opened: begin a new generation where the state is not sure."""
        ...

    def writing(
        self, collection_id: str, publish: Callable[[str, str], None] | None = None
    ) -> AbstractContextManager[None]:
        """The state is marked as being written within, and has a new generation after it.

        Args:
            collection_id: The id that Chroma gave to the collection.
            publish: Called with the token before and the new token of this writer, where the body succeeded and the
                token before is sure; before anybody can see the new one.
        """
        ...


def new_generation() -> str:
    """A token that was never there before."""
    return uuid.uuid4().hex
