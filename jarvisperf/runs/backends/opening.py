"""Opens the place that a URL or a folder names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from jarvisperf.runs.backends.folder import FolderPlace
from jarvisperf.runs.backends.fsspec_place import FsspecPlace
from jarvisperf.runs.backends.place import RunStoreError

if TYPE_CHECKING:
    from jarvisperf.runs.backends.place import Place

LOCAL_SCHEMES = frozenset({"file", "local"})


def open_place(url: str | Path, root: Path) -> Place:
    """Open a place without creating or contacting it yet.

    Args:
        url: A folder, or a URL that fsspec knows.
        root: The folder that a relative one starts from.

    Raises:
        RunStoreError: The URL has no scheme or no folder, its scheme is unknown, or a package for it is missing.
    """
    text = str(url)
    if not text.strip():
        raise RunStoreError("the store has an empty name: give a folder or a URL like s3://bucket/folder")
    if isinstance(url, Path) or "://" not in text:
        try:
            return FolderPlace(root / Path(text).expanduser())
        except RuntimeError:
            raise RunStoreError(
                f"{text!r} cannot be used: there is no such home folder; give an absolute path"
            ) from None
    parts = urlsplit(text)
    if not parts.scheme or (parts.scheme in LOCAL_SCHEMES and not parts.netloc + parts.path):
        raise RunStoreError(f"{text!r} is not a store: give a folder or a URL like s3://bucket/folder")
    if parts.scheme in LOCAL_SCHEMES:
        return FolderPlace(root / unquote(parts.netloc + parts.path))
    return FsspecPlace(text)
