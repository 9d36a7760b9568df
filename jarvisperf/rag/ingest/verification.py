"""Compares the collection with the files that it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.rag.errors import DocumentError
from jarvisperf.rag.ingest.files import read_document
from jarvisperf.rag.ingest.folders import documents_in
from jarvisperf.rag.ingest.texts import records_of_passages, source_prefix
from jarvisperf.rag.results import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.ingest.splitting import Limit
    from jarvisperf.rag.store.chroma import ChromaStore


def differences(store: ChromaStore, embedder: Embedder, limit: Limit, paths: Sequence[Path]) -> Iterator[Difference]:
    """Yield what differs between files and folders and the passages that were made from them.

    A passage is the same if its mark is, which follows from its text, its metadata and the model.

    Args:
        store: Where passages are stored.
        embedder: The model with which they should be embedded; it is not loaded.
        limit: How long passages are.
        paths: Absolute paths.

    Raises:
        OSError: A folder cannot be listed.
        MissingPackageError: The reader for a type of file is not installed.
    """
    present: set[str] = set()
    for path in paths:
        for file in documents_in(path).documents if path.is_dir() else [path]:
            source = str(file.resolve() if file.exists() else file)  # of a link to nothing, or to itself, the link
            if source not in present:
                present.add(source)
                yield from _of_file(store, embedder, limit, Path(source))
    for source in store.sources():
        if source not in present and any(Path(source).is_relative_to(path) for path in paths if path.is_dir()):
            orphaned = len(store.marks_of_source(source, source_prefix(source)))
            if orphaned:
                yield Difference(source=source, orphaned=orphaned)


def _of_file(store: ChromaStore, embedder: Embedder, limit: Limit, file: Path) -> Iterator[Difference]:
    source = str(file)
    try:
        document = read_document(file, limit)
    except FileNotFoundError as error:
        orphaned = len(store.marks_of_source(source, source_prefix(source)))
        yield Difference(source=source, orphaned=orphaned, unread=(str(error),))
        return
    except DocumentError as error:
        yield Difference(source=source, unread=(str(error),))
        return
    wanted = {
        record.id: record.mark
        for record in records_of_passages(document.passages, source, file.name, embedder.identity)
    }
    stored = store.marks_of_source(source, source_prefix(source))
    found = Difference(
        source=source,
        missing=len(wanted.keys() - stored.keys()),
        orphaned=len(stored.keys() - wanted.keys()),
        changed=sum(stored[key] != mark for key, mark in wanted.items() if key in stored),
        unread=document.unread,
    )
    if found != Difference(source=source):
        yield found
