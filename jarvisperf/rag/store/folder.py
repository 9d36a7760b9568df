"""A collection in a folder of this machine: Chroma's embedded store with our state beside it."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.errors import StoreError, missing_package
from jarvisperf.rag.store.folder_lock import folder_lock
from jarvisperf.rag.store.generation import State, new_generation
from jarvisperf.rag.store.state_file import ONLY_WRITER, StateFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class EmbeddedHome:
    """One collection of one folder.

    Args:
        folder: Where Chroma keeps its files; made when it is first opened.
        collection: The collection's name.
        new_token: Makes the name of a new generation.
    """

    def __init__(self, folder: Path, collection: str, new_token: Callable[[], str] = new_generation) -> None:
        self._folder = folder.expanduser().resolve()  # Chroma keeps one system per spelling of a path
        self._new_token = new_token
        self._lock = folder_lock(self._folder)
        # A digest, since names of 512 characters, and names that differ in case only, are allowed.
        digest = hashlib.blake2b(collection.encode(), digest_size=8).hexdigest()
        self._file = StateFile(self._folder / f"jarvisperf-state-{digest}.json")
        self._client: Any = None

    def connect(self) -> Any:
        """Open Chroma and return its client.

        Raises:
            MissingPackageError: chromadb is not installed.
            StoreError: Chroma cannot open the folder.
        """
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as error:
            raise missing_package("chromadb") from error
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire_shared()
        except OSError as error:
            raise StoreError(f"cannot open the document store in {self._folder}: {error}") from error
        try:
            with self._lock.within_process:  # Chroma makes its systems without a lock
                self._client = chromadb.PersistentClient(
                    str(self._folder), settings=Settings(anonymized_telemetry=False)
                )
        except BaseException as error:
            self._lock.release_shared()
            if isinstance(error, Exception):
                raise StoreError(f"cannot open the document store in {self._folder}: {error}") from error
            raise
        return self._client

    def disconnect(self) -> None:
        """Close Chroma, as far as this object is concerned."""
        with self._lock.within_process:
            self._client.close()
        self._client = None
        self._lock.release_shared()

    def read_state(self) -> State | None:
        """The state as the file says; None where there is none."""
        return self._file.read()

    def check_in_place(self) -> None:
        """Check that the folder is still the one that was opened.

        Raises:
            StoreError: It was removed or replaced.
        """
        self._lock.check_in_place()

    def settle(self, collection_id: str) -> None:
        """Begin a new generation where the state is unknown, of another collection, or left by a dead writer."""
        with self._lock.within_process:  # no thread here is writing, and no other process can
            state = self._file.read()
            if state is None or state.writing or state.collection != collection_id:
                self._write(collection_id, self._new_token(), writing=False)

    @contextlib.contextmanager
    def writing(self, collection_id: str, publish: Callable[[str, str], None] | None = None) -> Iterator[None]:
        """Mark the collection as being written within, and begin a new generation after it.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: The folder is gone, or the state cannot be written; where the mark could not be set, nothing
                has been changed.
        """
        with self._lock.exclusive():
            before = self._file.read()
            sure = before is not None and not before.writing and before.collection == collection_id
            previous = dict(before.heads)[ONLY_WRITER] if before is not None and sure else self._new_token()
            token = self._new_token()
            self._write(collection_id, previous, writing=True)
            try:
                yield
                if sure and publish is not None:
                    publish(previous, token)
            finally:
                self._write(collection_id, token, writing=False)

    def _write(self, collection_id: str, token: str, *, writing: bool) -> None:
        try:
            self._file.write(State(collection_id, ((ONLY_WRITER, token),), writing=writing))
        except OSError as error:
            raise StoreError(f"cannot write to the document store in {self._folder}: {error}") from error
