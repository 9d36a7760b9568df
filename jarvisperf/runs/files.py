"""A run as a file: JSON that is read back to an equal run."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.runs.model import SCHEMA, Run

if TYPE_CHECKING:
    from pathlib import Path

IGNORE_EVERYTHING = b"# Made by jarvisperf.\n*\n"  # the `.gitignore` of folders that we made


class UnreadableRunError(ValueError):
    """A file is not a run that this version can read; the message names the file and the reason."""


def encode_run(run: Run) -> bytes:
    """Encode a run as JSON text in UTF-8."""
    return msgspec.json.encode(run)


def decode_run(data: bytes, origin: str = "the data") -> Run:
    """Decode what `encode_run` made.

    Args:
        data: JSON text in UTF-8.
        origin: Where it came from, for the message.

    Raises:
        UnreadableRunError: The data is no JSON, of another schema, or lacks something.
    """
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema != SCHEMA:
            raise UnreadableRunError(f"{origin} has schema {schema!r}, this version of jarvisperf reads {SCHEMA!r}")
        return msgspec.json.decode(data, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRunError(f"{origin} is not a run: {error}") from error


def write_run(run: Run, path: Path) -> None:
    """Write a run to a file, whole or not at all: it is written beside and renamed.

    Raises:
        OSError: The folder cannot be made or written.
    """
    write_whole(path, encode_run(run))


def read_run(path: Path) -> Run:
    """Read a run from a file.

    Raises:
        OSError: The file cannot be read.
        UnreadableRunError: It is not a run that this version can read.
    """
    return decode_run(path.read_bytes(), origin=str(path))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        OSError: The folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o644)  # noqa: PTH101  # mkstemp makes it private, results are not
        os.replace(beside, path)  # noqa: PTH105
    except BaseException:
        os.unlink(beside)  # noqa: PTH108
        raise


def make_ignored_folder(folder: Path) -> None:
    """Make a folder of results, which git ignores: they must not make a repository look changed.

    A folder that is there is the user's, and stays as it is.

    Raises:
        OSError: It cannot be made or written.
    """
    if not folder.exists():
        write_whole(folder / ".gitignore", IGNORE_EVERYTHING)


class _Header(msgspec.Struct):
    schema: str = ""
