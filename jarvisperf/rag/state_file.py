"""The state of an embedded collection, in a file beside Chroma's own.

The file is JSON: ``{"schema": 1, "collection": "<uuid>", "generation": "<token>", "writing": false}``. It is replaced
in one step, so a reader sees the old or the new one; it needs no Chroma to be read. What cannot be read counts as
unknown.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.rag.generation import State

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
_READ_BYTES = 4096  # a state is about 150 bytes


class _Content(msgspec.Struct, frozen=True):
    schema: int
    collection: str
    generation: str
    writing: bool


_decoder = msgspec.json.Decoder(_Content)


class StateFile:
    """Reads and replaces one state file.

    Args:
        path: The file; its folder is there when :meth:`write` is called.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[bytes, State | None] = (b"", None)

    def read(self) -> State | None:
        """The state; None where there is no file or not one of ours."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            raw = os.read(descriptor, _READ_BYTES)
        finally:
            os.close(descriptor)
        last_raw, last_state = self._last
        if raw == last_raw:
            return last_state
        state = _parse(raw)
        self._last = (raw, state)
        return state

    def write(self, state: State) -> None:
        """Replace the state, and return when it would survive a loss of power.

        Raises:
            OSError: The file cannot be written; the old one is still there.
        """
        content = _Content(SCHEMA, state.collection, state.generation, state.writing)
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(content))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        _sync_folder(self._path.parent)


def _parse(raw: bytes) -> State | None:
    try:
        content = _decoder.decode(raw)
    except msgspec.DecodeError:
        return None
    if content.schema != SCHEMA:
        return None
    return State(content.collection, content.generation, content.writing)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
