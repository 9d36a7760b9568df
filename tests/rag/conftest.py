"""Shared by the retrieval tests: a small hand-written embedder, and RAGs on real Chroma folders."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from jarvisperf.cache import SmartCache
    from jarvisperf.rag import OptimizedRAG

DIMENSIONS = 256


class WordEmbedder:
    """It counts words, so texts that share words are near each other. A deterministic embedder, written as a user would
    write one.

    ``before_query`` is called before a query is embedded, so that a test can make something happen in between.
    """

    def __init__(self, identity: str = "words:1", dimensions: int = DIMENSIONS) -> None:
        self.identity = identity
        self.dimensions = dimensions
        self.queries: list[str] = []
        self.documents: list[str] = []
        self.before_query: Callable[[], object] = lambda: None

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.documents.extend(texts)
        return np.stack([self._vector(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        hook, self.before_query = self.before_query, lambda: None
        hook()
        self.queries.append(text)
        return self._vector(text)

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.full(self.dimensions, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            vector[int.from_bytes(digest, "big") % self.dimensions] += 1.0
        return vector / np.linalg.norm(vector)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file and returns its path."""

    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def word_embedder() -> type[WordEmbedder]:
    return WordEmbedder


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SmartCache]:
    from jarvisperf.cache import SmartCache

    with SmartCache(redis_url=None, local_cache_dir=tmp_path / "cache") as opened:
        yield opened


@pytest.fixture
def make_rag(
    tmp_path: Path, cache: SmartCache, embedder: WordEmbedder, require: Callable[[str], Any]
) -> Iterator[Callable[..., OptimizedRAG]]:
    """Creates RAGs, by default all with one folder, cache and embedder, and closes them."""
    from jarvisperf.rag import OptimizedRAG

    require("chromadb")
    made: list[OptimizedRAG] = []

    def make(**changes: Any) -> OptimizedRAG:
        where = {} if "chroma_url" in changes else {"path": tmp_path / "chroma"}
        rag = OptimizedRAG(**{**where, "cache": cache, "model": embedder, **changes})
        made.append(rag)
        return rag

    yield make
    for rag in made:
        rag.close()


@pytest.fixture
def rag(make_rag: Callable[..., OptimizedRAG]) -> OptimizedRAG:
    return make_rag()


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory, require):
    require("chromadb")
    with _serving(tmp_path_factory.mktemp("chroma")) as url:
        yield url


@pytest.fixture
def serving(require):
    """Runs `chroma run` on a folder, on any port or a given one: ``with serving(folder) as url``."""
    require("chromadb")
    return _serving


@pytest.fixture
def free_port():
    """The number of a port that nothing listens on, and that no process gets by asking for any port."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError):
            return _bindable(port)
    raise AssertionError("no free port")


def _bindable(port):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _serving(folder, port=None):
    port = port or _bindable(0)
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder)]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/api/v2/heartbeat", process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(address, process):
    from waiting import PROCESS_SECONDS  # programs of tests import this module from elsewhere

    deadline = time.monotonic() + PROCESS_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            assert process.poll() is None, "chroma run ended"
            assert time.monotonic() < deadline, "chroma run does not answer"
            time.sleep(0.05)
        else:
            return
