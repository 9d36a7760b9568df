"""Reads, changes and removes stored passages, chosen by id, source or filter."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from jarvisperf.rag.ingest.metadata import checked_metadata
from jarvisperf.rag.ingest.texts import source_prefix
from jarvisperf.rag.results import StoredPassage
from jarvisperf.rag.search.request import selection_of
from jarvisperf.rag.store.filters import MARK, NAME, Selection
from jarvisperf.rag.store.records import mark_of, without_ours
from jarvisperf.rag.texts import check_unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.filters import Filter


class Chosen(NamedTuple):
    """The passages that a caller means: the named ones that pass the filters; without names, all that pass.

    Attributes:
        ids: Named by id; None if none are.
        source: Named by their source; None if none are.
        selection: The filters.
    """

    ids: tuple[str, ...] | None
    source: str | None
    selection: Selection

    @property
    def is_everything(self) -> bool:
        """Whether nothing restricts the choice."""
        return self.ids is None and self.source is None and not self.selection.filters


def chosen(
    ids: Iterable[str] | None,
    source: str | os.PathLike[str] | None,
    where: Filter | None,
    where_document: Filter | None,
) -> Chosen:
    """Check the arguments that choose passages.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A filter is empty or nested too deeply, or the source is not valid Unicode.
    """
    wanted = None if ids is None else tuple(ids)
    for key in wanted or ():
        if not isinstance(key, str):
            raise TypeError(f"ids contains {key!r}: give strings")
    given: str | None = None
    if source is not None:
        if not isinstance(source, str | os.PathLike):
            raise TypeError(f"source is {source!r}: give a string or a path")
        given = os.fsdecode(source)
        check_unicode(given, "source")
    return Chosen(wanted, given, selection_of(where, where_document))


class Editor:
    """Reads, changes and removes passages of a store; safe to call from several threads.

    Args:
        store: The passages.
        model: The identity of the embedder; None if it has none.
    """

    def __init__(self, store: ChromaStore, model: str | None) -> None:
        self._store = store
        self._model = model

    def get(self, choice: Chosen) -> list[StoredPassage]:
        """Return the passages, ordered by source, position and id."""
        found = [
            _stored(key, text or "", metadata or {})
            for key, text, metadata in self._store.passages(None if choice.is_everything else self._ids(choice))
        ]
        return sorted(found, key=_place)

    def update(self, choice: Chosen, metadata: Mapping[str, Any]) -> int:
        """Set keys of the passages' metadata, None removing a key; return how many passages changed.

        Raises:
            TypeError: The metadata is not a dictionary.
            ValueError: It has a key or a value that cannot be stored, or changes the source.
        """
        changes = checked_metadata(0, metadata)
        if not changes:
            raise ValueError(f"metadata is {metadata!r}: give at least one key")
        if "source" in changes:
            raise ValueError("metadata has the key 'source', which says where a passage is from: add the texts again")

        def renewed(key: str, text: str, stored: Mapping[str, Any]) -> dict[str, Any]:
            before = without_ours(stored)
            after = {name: value for name, value in {**before, **changes}.items() if value is not None}
            ours = {name: value for name, value in stored.items() if name not in before}
            source = stored.get("source")
            if not isinstance(source, str) or not key.startswith(source_prefix(source)):
                # A file's passages keep their mark, which says what is in the file.
                is_known = ours.pop(MARK, None) == mark_of(self._model, text, before)
                mark = mark_of(self._model, text, after) if is_known else ""
                ours |= {MARK: mark} if mark else {}
            return {**after, **ours}

        return self._store.update_metadata(lambda: self._ids(choice), renewed) if self._ids(choice) else 0

    def delete(self, choice: Chosen) -> int:
        """Remove the passages; return how many there were."""
        if not self._ids(choice):
            return 0
        return self._store.write([], (), lambda: self._ids(choice)).removed

    def _ids(self, choice: Chosen) -> list[str]:
        if choice.ids is None and choice.source is None:
            return self._store.ids(choice.selection)
        named = dict.fromkeys(self._store.existing(choice.ids or ()))
        if choice.source is not None:
            named |= dict.fromkeys(self._of_source(choice.source))
        if not choice.selection.filters:
            return list(named)
        passing = set(self._store.ids(choice.selection))
        return [key for key in named if key in passing]

    def _of_source(self, source: str) -> Iterable[str]:
        """Return the ids of a source's passages, the same that a filter on it finds."""
        return self._store.ids(selection_of({"source": source}, None))


def _stored(key: str, text: str, metadata: Mapping[str, Any]) -> StoredPassage:
    source = metadata.get(NAME, metadata.get("source"))
    return StoredPassage(
        id=key, text=text, metadata=without_ours(metadata), source=source if isinstance(source, str) else None
    )


def _place(passage: StoredPassage) -> tuple[str, int, str]:
    position = passage.metadata.get("position")
    source = passage.metadata.get("source")
    is_placed = isinstance(source, str) and isinstance(position, int)
    return (
        source if isinstance(source, str) else "",
        position if is_placed and isinstance(position, int) else 0,
        passage.id,
    )
