"""Digests of large files, of which each is read once: it is known again by its path, size, times and inode.

A file that was changed within the last seconds is read again next time, as git does: a further change might leave its
times as they are (git's documentation, "Use of index and Racy Git problem").
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME_BYTES: Final = 16
_UNSURE_NANOSECONDS: Final = 3_000_000_000  # the coarsest times of file systems have steps of two seconds

_log = logging.getLogger(__name__)


class _Kept(msgspec.Struct, frozen=True):
    path: str
    seen: tuple[int, ...]
    sha256: str


_decoder = msgspec.json.Decoder(_Kept)


class FileDigests:
    """Keeps digests of files, one small file for each; threads and processes may share them.

    Args:
        folder: Where they are kept; made when it is needed.
        clock: Nanoseconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._clock = clock

    def sha256(self, path: Path) -> str:
        """The SHA-256 of a file's content, 64 hexadecimal digits.

        Raises:
            OSError: The file cannot be read.
        """
        path = path.resolve()
        name = hashlib.blake2b(os.fsencode(path), digest_size=_NAME_BYTES).hexdigest()
        place = self._folder / f"{name}.json"
        seen = _seen(path)
        kept = self._read(place)
        if kept is not None and (kept.path, kept.seen) == (str(path), seen):
            return kept.sha256
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        _, _, modified, changed = seen
        if seen == _seen(path) and max(modified, changed) < self._clock() - _UNSURE_NANOSECONDS:
            self._write(place, _Kept(str(path), seen, digest))
        return digest

    def _read(self, place: Path) -> _Kept | None:
        try:
            return _decoder.decode(place.read_bytes())
        except (OSError, msgspec.DecodeError):  # not there, or damaged: it is made anew
            return None

    def _write(self, place: Path, kept: _Kept) -> None:
        beside = place.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(kept))
            beside.replace(place)
        except (OSError, UnicodeEncodeError) as error:
            _log.warning("the digest of %s cannot be kept, so each process reads it whole: %s", kept.path, error)


def _seen(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
