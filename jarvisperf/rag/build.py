"""Resolves the arguments of an OptimizedRAG: where its documents and their vectors are kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jarvisperf.rag.paths import absolute_path
from jarvisperf.settings import needed_folder, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.rag.store.generation import Home
    from jarvisperf.rag.store.server.options import ServerOptions

_VECTORS_FILE = "jarvisperf-embeddings.sqlite"


def home_of(
    path: str | os.PathLike[str] | None,
    chroma_url: str | None,
    collection: str,
    server_options: ServerOptions | None,
    *,
    shared_collection: bool,
) -> Home:
    """Return the home of a collection: a folder, or a server.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: Both path and URL are given, the path is empty, the URL is malformed, or an option for a server is
            given without one.
    """
    if not isinstance(shared_collection, bool):
        raise TypeError(f"shared_collection is {shared_collection!r}: give True or False")
    if chroma_url is not None:
        if path is not None:
            raise ValueError(f"both path ({path}) and chroma_url ({chroma_url}) are given: give one of them")
        from jarvisperf.rag.store.server.home import ServerHome
        from jarvisperf.rag.store.server.options import ServerOptions

        options = ServerOptions() if server_options is None else server_options
        if not isinstance(options, ServerOptions):
            raise TypeError(f"server_options is of type {type(options).__name__}: give ServerOptions(...)")
        return ServerHome(chroma_url, collection, options)
    if server_options is not None:
        raise ValueError("server_options is given without chroma_url: give the server's URL as well")
    if shared_collection:
        raise ValueError(
            "shared_collection is given without chroma_url: a folder needs no option to notice the writes of others"
        )
    from jarvisperf.rag.store.folder.home import FolderHome

    return FolderHome(_folder(path), collection)


def vectors_file(
    embedding_cache: str | os.PathLike[str] | bool, path: str | os.PathLike[str] | None, chroma_url: str | None
) -> Path | None:
    """Return the file of the embedding cache; None if it is disabled.

    Raises:
        TypeError: ``embedding_cache`` has the wrong type.
        ValueError: It is empty.
    """
    if embedding_cache is False:
        return None
    if embedding_cache is True:
        folder = _cache_folder() if chroma_url is not None else _folder(path)
        return absolute_path(folder) / _VECTORS_FILE
    if not isinstance(embedding_cache, str | os.PathLike):
        raise TypeError(f"embedding_cache is {embedding_cache!r}: give a file, True or False")
    if not os.fspath(embedding_cache):
        raise ValueError("embedding_cache is '': give a file, True or False")
    return absolute_path(embedding_cache)


def _cache_folder() -> Path:
    return needed_folder(read_settings().cache_dir, "JARVISPERF_CACHE_DIR")


def _folder(path: str | os.PathLike[str] | None) -> Path:
    if path is None:
        return needed_folder(read_settings().data_dir, "JARVISPERF_DATA_DIR") / "chroma"
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {path!r}: give a folder")
    if path == "":
        raise ValueError("path is '': give a folder ('.' is the working folder), or None for the configured one")
    return absolute_path(path)
