"""One of the Chroma collections that hold passages, read and written in batches that Chroma accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.store.filters import EVERYTHING, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jarvisperf.rag.store.collection import Collection

PASSAGE: Final = ("documents", "metadatas")
"""What Chroma is asked for to get a passage."""

_PAGE: Final = 10_000


class ChromaCollection:
    """A Chroma collection.

    Args:
        chroma: Chroma's object.
        owner: Knows how many passages fit into a call, and explains errors.
    """

    def __init__(self, chroma: Any, owner: Collection) -> None:
        self.chroma = chroma
        self._owner = owner

    def count(self) -> int:
        """Return the number of passages."""
        return int(self._owner.asked(self.chroma.count))

    def get(self, ids: Iterable[str], *parts: str) -> Iterator[tuple[Any, ...]]:
        """Yield the id and these parts of each passage that is here."""
        for got in self.batches(list(dict.fromkeys(ids)), parts):
            yield from zip(got["ids"], *(got[name] for name in parts), strict=True)

    def ids(self, selection: Selection) -> list[str]:
        """Return the ids of the passages in a selection.

        Raises:
            ValueError: Chroma rejects a filter.
        """
        try:
            found: list[str] = self.chroma.get(**selection.filters, include=[])["ids"]
        except Exception as error:
            raise self._owner.explained(error, 0, selection) from error
        return found

    def count_of(self, selection: Selection) -> int:
        """Return the number of passages in a selection."""
        return len(self.ids(selection)) if selection.filters else self.count()

    def pages(self, include: Sequence[str], selection: Selection = EVERYTHING) -> Iterator[Any]:
        """Yield the passages in a selection in pages of up to 10,000, as Chroma's ``get`` returns them."""
        offset = 0
        while True:
            page = self._owner.asked(
                self.chroma.get, limit=_PAGE, offset=offset, include=list(include), **selection.filters
            )
            if page["ids"]:
                yield page
            if len(page["ids"]) < _PAGE:
                return
            offset += _PAGE

    def first(self, count: int, include: Sequence[str]) -> Any:
        """Return up to ``count`` passages, as Chroma's ``get`` returns them."""
        return self._owner.asked(self.chroma.get, limit=count, include=list(include))

    def batches(self, ids: Sequence[str], include: Sequence[str]) -> Iterator[Any]:
        """Yield those of these passages that are here, batch by batch, as Chroma's ``get`` returns them."""
        for part in parts_of(range(len(ids)), self._owner.max_batch):
            yield self._owner.asked(self.chroma.get, ids=ids[part.start : part.stop], include=list(include))

    def put(self, ids: list[str], texts: list[str], vectors: Any, metadatas: Sequence[Mapping[str, Any]]) -> set[str]:
        """Store passages, not more than fit into a call; return the ids that were here."""
        known = self._owner.asked(self.chroma.get, ids=ids, include=["metadatas"])
        old = dict(zip(known["ids"], known["metadatas"], strict=True))
        try:
            self.chroma.upsert(
                ids=ids,
                documents=texts,
                embeddings=vectors,
                metadatas=[replacing(old.get(key), new) for key, new in zip(ids, metadatas, strict=True)],
            )
        except Exception as error:
            raise self._owner.explained(error, len(vectors[0])) from error
        return set(old)

    def update(self, metadatas: Mapping[str, dict[str, Any] | None]) -> None:
        """Replace the metadata of passages, by id."""
        keys = list(metadatas)
        for rows in parts_of(range(len(keys)), self._owner.max_batch):
            part = keys[rows.start : rows.stop]
            self._owner.asked(self.chroma.update, ids=part, metadatas=[metadatas[key] for key in part])

    def drop(self, ids: list[str]) -> set[str]:
        """Remove passages, not more than fit into a call; return the ids that were here."""
        found = self._owner.asked(self.chroma.get, ids=ids, include=[])["ids"]
        if found:
            self._owner.asked(self.chroma.delete, ids=found)
        return set(found)


def parts_of(rows: range, size: int) -> Iterator[range]:
    """Yield parts of at most ``size`` rows."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def replacing(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the metadata to store in place of old metadata."""
    # Chroma's upsert keeps old keys that the new metadata lacks; None removes them.
    return {**dict.fromkeys(old or {}), **(new or {})} or None
