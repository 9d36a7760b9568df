"""A collection in a local folder: Chroma's embedded store, and a file with the collection's state.

The state file is JSON: ``{"schema": 2, "collection": "<uuid>", "generation": "<token>", "writing": false, "position":
7}``. The position is that of Chroma's own log (``position.py``) after the last write; if Chroma has another one,
something else wrote to the folder, and the state is unknown. A server on the folder (``chroma run``) has its own record
of the state, in Chroma (``server/home.py``); before a write here it is removed, so that neither trusts what the other
did not see.

The file is replaced atomically and never modified. A reader that keeps the file open can therefore tell from the inode
number alone that the state is unchanged, because a number is not reused while the file is open. An unreadable file
counts as an unknown state.

Most readings look at one file only, Chroma's database: while it is unchanged, no process has written, and the state is
the one that was read last. Writers in this process are counted. A writer in another process sets its mark a moment
before it changes the database; until then, the previous state is still right.

The write mark is flushed to disk before Chroma changes anything; otherwise a power failure could make outdated answers
look valid. Clearing the mark is not flushed: a power failure then leaves the mark or an unreadable file, and either
starts a new generation. This halves the time that a write waits for the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from jarvisperf.rag.errors import StoreError
from jarvisperf.rag.store.collection import load_chromadb
from jarvisperf.rag.store.folder.lock import folder_lock
from jarvisperf.rag.store.folder.position import UNKNOWN, database_of, is_settled, position
from jarvisperf.rag.store.generation import CollectionState, new_generation, state_records_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SCHEMA = 2
_ONLY_WRITER = ""  # a folder has one writer at a time
_READ_BYTES = 4096  # a state takes about 150 bytes


class FolderHome:
    """One collection in a folder.

    Args:
        folder: Where Chroma keeps its files; created when it is first opened.
        collection: The collection's name.
        new_token: Returns a new generation token.
    """

    notices_all_writes = True

    def __init__(self, folder: Path, collection: str, new_token: Callable[[], str] = new_generation) -> None:
        self._folder = folder.expanduser().resolve()  # Chroma keeps one system per spelling of a path
        self._new_token = new_token
        self._lock = folder_lock(self._folder)
        # A digest, because names may have 512 characters and may differ in case only.
        digest = hashlib.blake2b(collection.encode(), digest_size=8).hexdigest()
        self._file = StateFile(self._folder / f"jarvisperf-state-{digest}.json")
        self._database = database_of(self._folder)
        self._seen: _Seen | None = None
        self._server_records = state_records_name(collection)
        self._client: Any = None
        self._system = self._lock.system

    def read_state(self) -> CollectionState | None:
        """Return the state, the same object while nothing has changed; None if it is unknown."""
        seen = self._seen
        try:
            found = os.stat(self._database)  # noqa: PTH116 - read for every cached query: half the time of Path.stat
        except OSError:
            found = None
        if (
            seen is not None
            and found is not None
            and seen.modified_nanoseconds == found.st_mtime_ns
            and seen.inode == found.st_ino
            and seen.size_bytes == found.st_size
            and seen.state_writes == self._lock.state_writes
        ):
            return seen.state
        return self._read_changed_state(found)

    def _read_changed_state(self, database: os.stat_result | None) -> CollectionState | None:
        self._seen = None
        state_writes = self._lock.state_writes
        if self._is_outdated():
            return None
        state = self._file.read()
        if state is None or state.writing:
            return state
        now = position(self._database, state.collection)
        if now.number != self._file.position:
            return None
        if database is not None and now.shows_in_file and is_settled(database):
            self._seen = _Seen(database.st_mtime_ns, database.st_ino, database.st_size, state_writes, state)
        return state

    def connect(self) -> Any:
        """Open Chroma and return its client.

        Raises:
            MissingPackageError: chromadb is not installed.
            StoreError: Chroma cannot open the folder.
        """
        chromadb, settings = load_chromadb()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire_shared()
        except OSError as error:
            raise StoreError(f"cannot open the document store in {self._folder}: {error}") from error
        try:
            self._client = self._open_client(chromadb, settings)
        except BaseException as error:
            self._lock.release_shared()
            if isinstance(error, Exception):
                raise StoreError(f"cannot open the document store in {self._folder}: {error}") from error
            raise
        return self._client

    def disconnect(self) -> None:
        """Close this object's Chroma client."""
        with self._lock.within_process:
            self._client.close()
        self._client = None
        self._lock.release_shared()

    def renew(self) -> Any:
        """Open Chroma again and return its new client, unless nothing shows that another program has written.

        Chroma's index in memory does not follow what other processes write.

        Raises:
            StoreError: The folder was removed or replaced, or Chroma cannot open it.
        """
        self._lock.check_in_place()
        state = self._file.read()
        if state is not None and position(self._database, state.collection).number == UNKNOWN:
            return self._client
        chromadb, settings = load_chromadb()
        old = self._client
        try:
            with self._lock.within_process:
                if not self._is_outdated():
                    self._lock.start_another_system()
                self._client = self._open_client(chromadb, settings)
                old.close()
        except Exception as error:
            raise StoreError(f"cannot open the document store in {self._folder}: {error}") from error
        return self._client

    def check_in_place(self) -> None:
        """Check that the folder is still the one that was opened.

        Raises:
            StoreError: It was removed or replaced.
        """
        self._lock.check_in_place()

    def settle(self, collection_id: str) -> None:
        """Start a new generation if the state is unknown, of another collection, or left by a dead writer."""
        with self._lock.within_process:  # excludes writing threads; other processes cannot be writing
            state = self.read_state()
            if state is None or state.writing or state.collection != collection_id:
                self._write(collection_id, self._new_token(), writing=False)

    @contextlib.contextmanager
    def writing(
        self,
        collection_id: str,
        publish: Callable[[str, str], None] | None = None,
        *,
        gives_way: bool = False,  # noqa: ARG002 - a folder has one writer at a time anyway
    ) -> Iterator[None]:
        """Mark the collection as being written while the body runs, and start a new generation after it.

        Raises:
            StoreInUseError: Another process has the folder open.
            StoreError: The folder is gone, another program wrote to it, or the state cannot be written. If setting the
                mark failed, nothing has been changed.
        """
        with self._lock.exclusive():
            if self._is_outdated():
                raise StoreError(f"another program wrote to {self._folder} at this moment: repeat the call")
            before = self.read_state()
            certain = before is not None and not before.writing and before.collection == collection_id
            previous = dict(before.heads)[_ONLY_WRITER] if before is not None and certain else self._new_token()
            token = self._new_token()
            self._write(collection_id, previous, writing=True)
            self._forget_the_servers_state()
            try:
                yield
                if certain and publish is not None:
                    publish(previous, token)
            finally:
                self._write(collection_id, token, writing=False)

    def _is_outdated(self) -> bool:
        """Whether another opener in this process has noticed that Chroma must be opened again."""
        return self._client is not None and self._system != self._lock.system

    def _open_client(self, chromadb: Any, settings: Any) -> Any:
        with self._lock.within_process:  # Chroma creates its systems without a lock
            try:
                client = chromadb.PersistentClient(self._spelling(), settings=settings)
            except ValueError as error:  # the user's own client has this path open with other settings
                if "different settings" not in str(error):
                    raise
                self._lock.start_another_system()
                client = chromadb.PersistentClient(self._spelling(), settings=load_chromadb()[1])
            self._system = self._lock.system
            return client

    def _spelling(self) -> str:
        """Return the folder's path, spelled as for no other system: Chroma has one system per spelling."""
        return str(self._folder) + "/." * self._lock.system

    def _forget_the_servers_state(self) -> None:
        from chromadb.errors import NotFoundError

        with contextlib.suppress(NotFoundError):
            self._client.delete_collection(self._server_records)

    def _write(self, collection_id: str, token: str, *, writing: bool) -> None:
        state = CollectionState(collection_id, ((_ONLY_WRITER, token),), writing=writing)
        self._lock.state_writes += 1
        try:
            self._file.write(state, UNKNOWN if writing else position(self._database, collection_id).number)
        except OSError as error:
            raise StoreError(f"cannot write to the document store in {self._folder}: {error}") from error


class _Seen(NamedTuple):
    """A state, and what was unchanged as long as it was current."""

    modified_nanoseconds: int
    inode: int
    size_bytes: int
    state_writes: int
    state: CollectionState


class StateFile:
    """Reads and replaces one state file.

    Args:
        path: The file; its folder must exist when :meth:`write` is called.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)
        self._held: _HeldFile | None = None

    def read(self) -> CollectionState | None:
        """Return the state, the same object while the file is unchanged; None if it cannot be read."""
        held = self._held
        try:
            found = os.stat(self._name)  # noqa: PTH116 - read for every cached query: half the time of Path.stat
            if held is None or held.inode != found.st_ino or held.device != found.st_dev:
                held = self._held = _HeldFile(self._name)
        except OSError:  # missing or unreadable
            self._held = None
            return None
        return held.state

    @property
    def position(self) -> int:
        """The position of Chroma's log that belongs to the state last read."""
        held = self._held
        return UNKNOWN if held is None else held.position

    def write(self, state: CollectionState, position: int) -> None:
        """Replace the state; a write mark survives a power failure once this returns.

        Args:
            state: The new state.
            position: The position of Chroma's log; ``UNKNOWN`` if it is.

        Raises:
            OSError: The file cannot be written; the previous one is still in place.
        """
        content = _StateContent(_SCHEMA, state.collection, dict(state.heads)[_ONLY_WRITER], state.writing, position)
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(content))
            if state.writing:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(self._path)
        if state.writing:
            _sync_folder(self._path.parent)


class _StateContent(msgspec.Struct, frozen=True):
    schema: int
    collection: str
    generation: str
    writing: bool
    position: int


class _HeldFile:
    """A state file that is kept open, and its content."""

    __slots__ = ("_descriptor", "device", "inode", "position", "state")

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        self.inode = found.st_ino
        self.device = found.st_dev
        self.state, self.position = _parse(os.pread(self._descriptor, _READ_BYTES, 0))

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


_decoder = msgspec.json.Decoder(_StateContent)


def _parse(raw: bytes) -> tuple[CollectionState | None, int]:
    try:
        content = _decoder.decode(raw)
    except msgspec.DecodeError:
        return None, UNKNOWN
    if content.schema != _SCHEMA or (content.position < 0 and not content.writing):
        return None, UNKNOWN
    state = CollectionState(content.collection, ((_ONLY_WRITER, content.generation),), content.writing)
    return state, content.position


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
