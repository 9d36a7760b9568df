"""A run as bytes: JSON in files, and the gzipped JSON of the bounded run (RFC 1952) in a store.

gzip ends with a checksum and the length, so a truncated object is recognized. `zcat` shows its content.
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
import zlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from jarvisperf.runs.bounds import bounded_run
from jarvisperf.runs.model import SCHEMA, Run
from jarvisperf.runs.names import utc_time

if TYPE_CHECKING:
    from pathlib import Path

IGNORE_EVERYTHING = b"# Made by jarvisperf.\n*\n"  # the `.gitignore` of folders that jarvisperf creates
LARGEST_BYTES = 64 << 20  # maximum size of the JSON: a damaged or hostile object must not fill the memory

_Decoded = TypeVar("_Decoded")
_GZIP_WINDOW = 31  # tells zlib to expect gzip's header and trailer
_VERSION = re.compile(r"jarvisperf\.run/([0-9]{1,9})")


class UnreadableRunError(ValueError):
    """The data is not a run that this version can read; the message names its origin and the reason."""


def decode_json(data: bytes, kind: type[_Decoded]) -> _Decoded:
    """Decode JSON of unknown origin.

    Args:
        data: JSON in UTF-8.
        kind: What it should be.

    Raises:
        msgspec.DecodeError: It is not; whatever is wrong with it, this is the only error.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise msgspec.DecodeError("JSON is malformed: it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"JSON is malformed: it is not UTF-8 ({error.reason})") from None


def encode_run(run: Run) -> bytes:
    """Encode a run as JSON in UTF-8."""
    return msgspec.json.encode(run)


def decode_run(data: bytes, origin: str = "the data") -> Run:
    """Decode the output of `encode_run`.

    Args:
        data: JSON in UTF-8.
        origin: Where the data came from, for the message.

    Raises:
        UnreadableRunError: The data is not JSON, has another schema, lacks a field, or a value in it is impossible.
    """
    try:
        schema = decode_json(data, _Header).schema
        if schema != SCHEMA:
            raise UnreadableRunError(f"{origin} has schema {schema!r}; this version of jarvisperf reads {SCHEMA!r}")
        run = decode_json(data, Run)
    except msgspec.DecodeError as error:
        raise UnreadableRunError(f"{origin} is not a run: {error}") from error
    try:
        utc_time(run.created)
    except ValueError as error:
        raise UnreadableRunError(f"{origin} is not a run: {error} - at `$.created`") from None
    return run


def write_run(run: Run, path: Path) -> None:
    """Write a run to a file, atomically.

    Raises:
        OSError: The folder cannot be created or written.
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
    """Write a file atomically: a reader sees either the old content or the new.

    Raises:
        OSError: The folder cannot be created or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)  # noqa: PTH101  # mkstemp makes it private; results need not be
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise


def make_ignored_folder(folder: Path) -> None:
    """Create a folder for results that git ignores, so that they do not make a repository look changed.

    An existing folder belongs to the user and stays as it is.

    Raises:
        OSError: It cannot be created or written.
    """
    if not folder.exists():
        write_whole(folder / ".gitignore", IGNORE_EVERYTHING)


def pack(run: Run) -> bytes:
    """Return the stored bytes of a run; equal runs have equal bytes.

    Raises:
        UnreadableRunError: The run could not be read again: it has a figure that is not finite, or half a character.
    """
    try:
        text = encode_run(bounded_run(run))
    except UnicodeEncodeError as error:
        raise UnreadableRunError(f"a text of the run is not Unicode: {error.object[:80]!r}") from None
    decode_run(text, "what would be stored")
    return gzip.compress(text, mtime=0)


def unpack(data: bytes, origin: str) -> Run:
    """Read the output of `pack`.

    Args:
        data: The bytes.
        origin: Where they came from, for the message.

    Raises:
        UnreadableRunError: They are damaged, not a run, or written by a newer version; the message says which.
    """
    text = decompressed(data, origin)
    _refuse_newer(text, origin)
    return decode_run(text, origin)


def decompressed(data: bytes, origin: str) -> bytes:
    """Return the JSON of a stored run without decoding it.

    Args:
        data: The bytes.
        origin: Where they came from, for the message.

    Raises:
        UnreadableRunError: They are damaged or truncated.
    """
    reader = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = reader.decompress(data, LARGEST_BYTES)
    except zlib.error as error:
        raise UnreadableRunError(f"{origin} is damaged or not a run: {error}") from error
    if reader.unconsumed_tail:
        raise UnreadableRunError(f"{origin} is not a run: it holds more than {LARGEST_BYTES >> 20} MiB")
    if not reader.eof:
        raise UnreadableRunError(f"{origin} is truncated: it ends after {len(data):,} bytes")
    return text


def _refuse_newer(text: bytes, origin: str) -> None:
    try:
        schema = decode_json(text, _Header).schema
    except msgspec.DecodeError:
        return  # decoding the whole run gives a better error message
    match = _VERSION.fullmatch(schema)
    if match and int(match[1]) > int(SCHEMA.rpartition("/")[2]):
        raise UnreadableRunError(
            f"{origin} was written by a newer jarvisperf (schema {schema!r}; this version reads {SCHEMA!r}): "
            "upgrade jarvisperf to read it"
        )


class _Header(msgspec.Struct):
    schema: str = ""
