"""Chooses how long passages are, in the model's own tokens; the choice is stored with the collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from jarvisperf.checks import whole_number
from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.ingest.splitting import CHARACTERS, Limit
from jarvisperf.rag.ingest.texts import is_of_file
from jarvisperf.rag.store.filters import Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.store.chroma import ChromaStore

_TOKENS: Final = 256  # about 1000 characters of English: longer passages say too much to be near a question
_FEWEST_TOKENS: Final = 8
_KEYS: Final = ("jarvisperf-max-tokens", "jarvisperf-overlap")


class PassageLength(NamedTuple):
    """How a collection's files are split.

    Attributes:
        max_tokens: Maximum number of tokens of a passage.
        overlap: Maximum number of tokens at the end of a passage that the next one repeats.
    """

    max_tokens: int = _TOKENS
    overlap: int = 0


_DEFAULT: Final = PassageLength()


class PassageLimits:
    """Provides the limit for passages of a collection, and refuses to mix passages of different lengths.

    Args:
        store: The collection.
        embedder: Its model.
        name: The collection's name.
        max_tokens: What the caller wants; None for what is stored, else 256.
        overlap: The same for the overlap; its default is 0.

    Raises:
        TypeError: A number has the wrong type.
        ValueError: A number is out of range.
    """

    def __init__(
        self, store: ChromaStore, embedder: Embedder, name: str, max_tokens: int | None, overlap: int | None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._name = name
        self._given = (
            None if max_tokens is None else whole_number("max_tokens", max_tokens, at_least=_FEWEST_TOKENS),
            None if overlap is None else whole_number("overlap", overlap, at_least=0),
        )
        if overlap is not None and 2 * overlap > (max_tokens or _TOKENS):
            raise ValueError(f"overlap is {overlap} with max_tokens {max_tokens or _TOKENS}: give at most half of it")

    def current(self) -> Limit:
        """Return the limit for the passages of files, in tokens if the embedder counts them, else in characters.

        Raises:
            StoreError: The collection's files were split otherwise.
            ValueError: The model reads fewer tokens, or the embedder cannot count them.
        """
        stored = self._stored()
        wanted = self._wanted(stored or _DEFAULT)
        if stored is not None and wanted != stored and self._holds_files():
            raise StoreError(
                f"the files in the collection {self._name!r} are split with max_tokens={stored.max_tokens} and"
                f" overlap={stored.overlap}, but max_tokens={wanted.max_tokens} and overlap={wanted.overlap} are given:"
                " give the former, or call resplit() to split them again"
            )
        return self._limit(wanted)

    def record(self) -> None:
        """Store the choice with the collection, if it is another one."""
        stored = self._stored()
        wanted = self._wanted(stored or _DEFAULT)
        if self._store.properties(_KEYS) != list(wanted):
            self._store.set_properties(dict(zip(_KEYS, wanted, strict=True)))

    def chosen_anew(self) -> Limit:
        """Store what the caller wants, or the defaults, instead of what is stored, and return it."""
        limit = self._limit(self._wanted(_DEFAULT))
        self._store.set_properties(dict(zip(_KEYS, self._wanted(_DEFAULT), strict=True)))
        return limit

    def _wanted(self, otherwise: PassageLength) -> PassageLength:
        return PassageLength(*(old if new is None else new for new, old in zip(self._given, otherwise, strict=True)))

    def _stored(self) -> PassageLength | None:
        """Return what is stored, or the default of older versions if they added files; None if there are none."""
        found = self._store.properties(_KEYS)
        if all(isinstance(value, int) for value in found):
            return PassageLength(*found)
        return _DEFAULT if self._holds_files() else None

    def _holds_files(self) -> bool:
        # Texts added by hand may have a position of their own.
        return any(map(is_of_file, self._store.ids(Selection(where={"position": {"$gte": 0}}))))

    def _limit(self, wanted: PassageLength) -> Limit:
        if self._given != (None, None):
            most = _most_tokens(self._embedder)
            if most is None:
                raise ValueError("max_tokens and overlap require an embedder with count_tokens and max_tokens")
            if self._given[0] is not None and self._given[0] > most:
                raise ValueError(
                    f"max_tokens is {self._given[0]}, but the model reads {most} tokens: give at most that"
                )
        return limit_for(self._embedder, wanted)


def limit_for(embedder: Embedder, length: PassageLength = _DEFAULT) -> Limit:
    """Return the limit of passages for an embedder.

    It is in tokens if the embedder has ``count_tokens`` and says in ``max_tokens`` how many it reads, else in
    characters.
    """
    most = _most_tokens(embedder)
    if most is None:
        return CHARACTERS
    count: Callable[[str], int] = embedder.count_tokens  # type: ignore[attr-defined]  # optional in the protocol
    return Limit(max(1, min(most, length.max_tokens)), count, length.overlap)


def _most_tokens(embedder: Embedder) -> int | None:
    """Return how many tokens an embedder reads; None if it cannot count them or does not say."""
    if getattr(embedder, "count_tokens", None) is None:
        return None
    most: int | None = getattr(embedder, "max_tokens", None)
    return most
