"""The state of an embedded collection, in a file beside Chroma's own.

The file is JSON: ``{"schema": 1, "collection": "<uuid>", "generation": "<token>", "writing": false}``. It is replaced
in one step and never changed in place, so a reader that holds the file open knows from its number alone (a number is
not given again while the file is open) that the state is still what it read. What cannot be read counts as unknown.

The mark of a write is on the disk before Chroma changes anything: after a loss of power without it, answers from before
would look true. Its removal need not be: what is found then is the mark, or nothing that can be read, and either begins
a new generation. That halves what a write waits for the disk.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.rag.store.generation import State

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
ONLY_WRITER = ""  # a folder has one writer at a time
_READ_BYTES = 4096  # a state is about 150 bytes


class _Content(msgspec.Struct, frozen=True):
    schema: int
    collection: str
    generation: str
    writing: bool


class _Held:
    """A state file that is held open, and what it says."""

    __slots__ = ("_descriptor", "device", "number", "state")

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        self.number = found.st_ino
        self.device = found.st_dev
        self.state = _parse(os.pread(self._descriptor, _READ_BYTES, 0))

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


_decoder = msgspec.json.Decoder(_Content)


class StateFile:
    """Reads and replaces one state file.

    Args:
        path: The file; its folder is there when :meth:`write` is called.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)
        self._held: _Held | None = None

    def read(self) -> State | None:
        """The state, the same object while the file is the same; None where there is none that can be read."""
        held = self._held
        try:
            found = os.stat(self._name)  # noqa: PTH116 - read for every cached query: half the time of Path.stat
            if held is None or held.number != found.st_ino or held.device != found.st_dev:
                held = self._held = _Held(self._name)
        except OSError:  # not there, or nothing that we may read
            self._held = None
            return None
        return held.state

    def write(self, state: State) -> None:
        """Replace the state; the mark of a write would survive a loss of power when this returns.

        Raises:
            OSError: The file cannot be written; the old one is still there.
        """
        content = _Content(SCHEMA, state.collection, dict(state.heads)[ONLY_WRITER], state.writing)
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(content))
            if state.writing:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(self._path)
        if state.writing:
            _sync_folder(self._path.parent)


def _parse(raw: bytes) -> State | None:
    try:
        content = _decoder.decode(raw)
    except msgspec.DecodeError:
        return None
    if content.schema != SCHEMA:
        return None
    return State(content.collection, ((ONLY_WRITER, content.generation),), content.writing)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
