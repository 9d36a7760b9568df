"""Adds texts and files to the store, embedding and writing only what is new or changed."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jarvisperf.rag.embedding.documents import document_vectors, kept_if_stored, known_vectors
from jarvisperf.rag.errors import DocumentError, MissingPackageError
from jarvisperf.rag.ingest.files import read_document
from jarvisperf.rag.ingest.folders import documents_in
from jarvisperf.rag.ingest.texts import batches, records_of_passages, records_of_texts, source_prefix
from jarvisperf.rag.paths import absolute_path
from jarvisperf.rag.results import AddReport, Failure
from jarvisperf.rag.store.change import MOST_VECTORS_PER_CALL
from jarvisperf.rag.store.filters import NAME
from jarvisperf.rag.store.records import last_of_each_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.embedding.cache import EmbeddingCache
    from jarvisperf.rag.embedding.protocol import Embedder
    from jarvisperf.rag.ingest.limits import PassageLimits
    from jarvisperf.rag.ingest.metadata import Metadata
    from jarvisperf.rag.ingest.splitting import Limit
    from jarvisperf.rag.store.chroma import ChromaStore
    from jarvisperf.rag.store.records import PassageRecord


MOST_EMBEDDED_NOW: Final = 64
"""How many new passages a call embeds itself; what follows them is left to the background."""


class Ingestor:
    """Adds, replaces and removes passages; safe to call from several threads.

    Args:
        store: Where passages are stored.
        embedder: Computes their vectors.
        vectors: Caches vectors; None for no caching.
        limits: How long the passages of files are.
        defers: Leave the vectors of many passages to be computed later.

    Attributes:
        has_deferred: Whether passages wait for their vectors.
    """

    def __init__(
        self,
        store: ChromaStore,
        embedder: Embedder,
        vectors: EmbeddingCache | None,
        limits: PassageLimits,
        *,
        defers: bool = False,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._vectors = vectors
        self._limits = limits
        self._defers = defers
        self._embeds_now = MOST_EMBEDDED_NOW
        self.has_deferred = False

    def add_texts(
        self,
        texts: Iterable[str],
        batch_size: int,
        metadatas: Iterable[Metadata] | None,
        ids: Iterable[str] | None,
        show_progress: bool | None,
    ) -> AddReport:
        """Add texts in batches; see ``OptimizedRAG.batch_add_texts``."""
        records = records_of_texts(texts, metadatas, ids, self._embedder.identity)
        report = AddReport()
        recordable = MOST_VECTORS_PER_CALL
        try:
            with progress_bar("Adding texts", texts, show_progress) as advance:
                for batch in batches(records, batch_size):
                    done, written = self._add_batch(batch, recordable)
                    recordable -= written
                    report += done
                    advance(len(batch))
        except BaseException as error:
            error.add_note(
                f"{report.added + report.replaced} passages of this call were stored before the error and remain stored"
                f" ({report.unchanged} existed already); repeat the call to continue"
            )
            raise
        return report

    def add_file(self, path: str | os.PathLike[str], name: str | None = None, limit: Limit | None = None) -> AddReport:
        """Add a file, or the parts of it that have changed; see ``OptimizedRAG.add_document_optimized``.

        Args:
            path: The file.
            name: What results and contexts call it; None: see ``_name``.
            limit: How long its passages are; None for the collection's limit.
        """
        file = _resolved(path)
        source = str(file)
        document = read_document(file, limit or self._limits.current())
        passages = records_of_passages(document.passages, source, name or _name(path), self._embedder.identity)
        prefix = source_prefix(source)
        current = {record.id for record in passages}
        stored = self._store.marks_of_source(source, prefix)
        changed = [record for record in passages if not record.mark or stored.get(record.id) != record.mark]
        report = AddReport(
            unchanged=len(passages) - len(changed),
            failures=tuple(Failure(str(path), reason) for reason in document.unread),
        )
        if not changed and current >= stored.keys():
            return report

        def ids_to_remove() -> Sequence[str]:
            return [key for key in self._store.marks_of_source(source, prefix) if key not in current]

        if limit is None and changed:
            self._limits.record()
        return report + self._write(changed, ids_to_remove)

    def add_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        show_progress: bool | None,
        *,
        keep_missing: bool,
    ) -> AddReport:
        """Add files and mirror folders, reporting what cannot be read; see ``OptimizedRAG.add_documents``."""
        report = AddReport()
        with progress_bar("Adding files", paths, show_progress) as advance:
            for path in paths:
                report += self._reported(path, lambda given: self._add_path(given, keep_missing=keep_missing))
                advance(1)
        return report

    def split_again(self) -> AddReport:
        """Split the files of the collection again; see ``OptimizedRAG.resplit``."""
        limit = self._limits.chosen_anew()
        report = AddReport()
        for source in self._store.sources():
            of_file = list(self._store.marks_of_source(source, source_prefix(source)))
            if not of_file:
                continue
            if Path(source).is_file():
                ((_, _, metadata),) = self._store.passages(of_file[:1])
                name = (metadata or {}).get(NAME)
                report += self._reported(source, functools.partial(self.add_file, name=name, limit=limit))
            else:
                report += AddReport(
                    failures=(Failure(source, "the file no longer exists, so its passages keep their length"),)
                )
        return report

    def _add_path(self, path: str | os.PathLike[str], *, keep_missing: bool) -> AddReport:
        place = _resolved(path)
        if place.is_dir():
            return self._add_folder(place, _name(path), keep_missing=keep_missing)
        return self.add_file(path) + AddReport(files=(str(path),))

    def _add_folder(self, folder: Path, name: str, *, keep_missing: bool) -> AddReport:
        """Add the documents of a folder, then remove the passages of files that it no longer contains."""
        found = documents_in(folder)
        report = AddReport(unsupported=tuple(map(str, found.unsupported)))
        prefix = "" if name == "." else f"{name}/"

        def add(file: str | os.PathLike[str]) -> AddReport:
            called = f"{prefix}{Path(file).relative_to(folder).as_posix()}"
            return self.add_file(file, called) + AddReport(files=(str(file),))

        for file in found.documents:
            report += self._reported(file, add)
        if keep_missing:
            return report
        present = {str(file.resolve()) for file in found.documents if file.exists()}  # not a link to nothing
        for source in self._store.sources():
            if source not in present and Path(source).is_relative_to(folder):
                report += self._remove_missing(source)
        return report

    def _remove_missing(self, source: str) -> AddReport:
        """Remove the passages that a file had, but not texts that were added by hand with its name as their source."""

        def ids_to_remove() -> Sequence[str]:
            return list(self._store.marks_of_source(source, source_prefix(source)))

        if not ids_to_remove():
            return AddReport()
        return self._store.write([], (), ids_to_remove) + AddReport(missing=(source,))

    def _reported(self, path: str | os.PathLike[str], add: Callable[[str | os.PathLike[str]], AddReport]) -> AddReport:
        """Add a file or folder; an error that concerns only it becomes a failure in the report."""
        try:
            return add(path)
        except (DocumentError, MissingPackageError, OSError, TypeError, ValueError) as error:
            return AddReport(failures=(Failure(str(path), str(error)),))

    def _add_batch(self, batch: Sequence[PassageRecord | None], recordable: int) -> tuple[AddReport, int]:
        records = [record for record in batch if record is not None]
        distinct = last_of_each_id(records)
        repeated = len(records) - len(distinct)
        same = repeated if len(set(map(_content, records))) == len(distinct) else 0
        stored = self._store.marks([record.id for record in distinct]) if distinct else {}
        changed = [record for record in distinct if not record.mark or stored.get(record.id) != record.mark]
        report = AddReport(
            skipped=len(batch) - len(records),
            unchanged=len(distinct) - len(changed) + same,
            replaced=repeated - same,
        )
        if changed:
            report += self._write(changed, recorded=len(changed) <= recordable)
        return report, len(changed)

    def _write(
        self,
        records: Sequence[PassageRecord],
        ids_to_remove: Callable[[], Sequence[str]] = tuple,
        *,
        recorded: bool = True,
    ) -> AddReport:
        if not records:
            return self._store.write([], (), ids_to_remove)
        self._store.check_model()
        now, later = self._divided(records)
        rows: NDArray[np.float32] | tuple[()] = ()
        report = AddReport()
        texts = [record.text for record in now]
        if now:
            rows, embedded = document_vectors(texts, self._embedder, self._vectors)
            report = AddReport(embedded=embedded, reused=len(now) - embedded)
        with kept_if_stored(texts, self._embedder, self._vectors):
            report += self._store.write(now, rows, ids_to_remove, waiting=later, recorded=recorded)
        self.has_deferred = self.has_deferred or bool(later)
        return report

    def _divided(self, records: Sequence[PassageRecord]) -> tuple[Sequence[PassageRecord], Sequence[PassageRecord]]:
        """Return the records to store with their vectors, and those whose vectors are computed later.

        The first few of a call are embedded at once, so that adding one passage is one write. While the model is not on
        this machine, nothing is deferred, because the call must say if it cannot be had.
        """
        if not self._defers or self._embedder.identity is None:
            return records, ()
        known = known_vectors([record.text for record in records], self._embedder, self._vectors)
        later = [record for record in records if record.text not in known]
        if len(later) <= self._embeds_now:
            self._embeds_now -= len(later)
            return records, ()
        return [record for record in records if record.text in known], later


@contextlib.contextmanager
def progress_bar(what: str, items: object, show: bool | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error; yield a function to call with the number of items just finished.

    Args:
        what: A label, such as "Adding texts".
        items: The items to process; the bar shows a total if their number is known.
        show: Whether to show a bar; None shows it only if standard error is a terminal.

    Raises:
        TypeError: ``show`` has the wrong type.
    """
    if show is not None and not isinstance(show, bool):
        raise TypeError(f"show_progress is {show!r}: give True, False, or None for a bar on a terminal only")
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=len(items) if isinstance(items, Sized) else None)
        yield lambda count: bar.advance(task, count)


def _resolved(path: object) -> Path:
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path is {path!r}: give the path of a file")
    try:
        return absolute_path(path)
    except ValueError as error:
        raise DocumentError(str(error)) from error


def _name(path: str | os.PathLike[str]) -> str:
    """Return what results and contexts call a file: the path as given, but of an absolute path only the file's name.

    Contexts go to language models and end users, who have no business knowing the server's folders.
    """
    given = Path(path)
    return given.name if given.is_absolute() or str(given).startswith("~") else given.as_posix()


def _content(record: PassageRecord) -> tuple[str, str, str]:
    return record.id, record.text, record.mark
