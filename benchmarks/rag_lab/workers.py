"""Several worker processes share one Chroma server and one Redis; the server is killed and started again.

    python -m benchmarks.rag_lab.workers --out FILE.json

For 1, 2 and 4 workers: uncached and cached searches per second. While they search, the server is killed and started
again, and then a passage is added. Every answer is compared with that of a reference for the collection's state. The
embedder is a hash of words, so that the figures are those of the store and the cache, not of a model.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import multiprocessing
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.peers.servers import redis_server
from jarvisperf.cache import SmartCache
from jarvisperf.rag import OptimizedRAG
from jarvisperf.rag.errors import RagError
from jarvisperf.runs.machine import machine_facts, read_machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

WORKERS = (1, 2, 4)
PASSAGES = 400
QUESTIONS = tuple(f"word{number} of passage {number % 7}" for number in range(40))
MEASURED_SECONDS = 3.0
_DIMENSIONS = 64
_START_SECONDS = 120.0
_FAILURE_PAUSE_SECONDS = 0.02


class WordHashes:
    """Vectors of the words in a text."""

    identity = "word-hashes:1"

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per text."""
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text, of length 1."""
        row = np.zeros(_DIMENSIONS, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            row[zlib.crc32(word.encode()) % _DIMENSIONS] += 1
        row /= math.sqrt(float(row @ row)) or 1.0
        return row


class Place(NamedTuple):
    """Where workers find the collection and their cache."""

    chroma_url: str
    redis_url: str
    collection: str

    @contextlib.contextmanager
    def opened(self) -> Iterator[OptimizedRAG]:
        """Open the collection with a cache of its own process."""
        with (
            SmartCache(self.redis_url, None, namespace=self.collection) as cache,
            OptimizedRAG(
                cache=cache,
                model=WordHashes(),
                chroma_url=self.chroma_url,
                collection=self.collection,
                embedding_cache=False,
                exact=True,
            ) as rag,
        ):
            yield rag


class Report(NamedTuple):
    """What one worker saw in one period."""

    answers: int
    seconds: float
    wrong: int
    errors: tuple[str, ...]
    longest_silence_seconds: float
    back_at: float
    """When the first answer after the last error came, in monotonic seconds; 0 if there was no error."""


def worker(place: Place, orders: Connection, number: int) -> None:
    """Search as ordered: ``(method, seconds, allowed answers)``; reply with a report, until the order is None.

    Without seconds, it searches until it receives anything.
    """
    dice = random.Random(number)  # noqa: S311 - not for secrets
    with place.opened() as rag:
        rag.search(QUESTIONS[0])
        orders.send("ready")
        while (order := orders.recv()) is not None:
            orders.send(_searched(rag, dice, orders, *order))
            if order[1] is None:
                orders.recv()


def _searched(
    rag: OptimizedRAG,
    dice: random.Random,
    orders: Connection,
    method: str,
    seconds: float | None,
    allowed: dict[str, Any],
) -> Report:
    search = getattr(rag, method)
    answers = wrong = 0
    errors: dict[str, None] = {}
    began = last = time.monotonic()
    longest = back_at = 0.0
    has_failed = False
    while (not orders.poll()) if seconds is None else time.monotonic() - began < seconds:
        question = dice.choice(QUESTIONS)
        try:
            found = tuple(result.id for result in search(question))
        except RagError as error:
            errors[f"{type(error).__name__}: {error}"] = None
            has_failed = True
            time.sleep(_FAILURE_PAUSE_SECONDS)
            continue
        wrong += found not in allowed[question]
        answers += 1
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        if has_failed:
            back_at, has_failed = now, False
    return Report(answers, time.monotonic() - began, wrong, tuple(errors), longest, back_at)


class Workers:
    """Worker processes that search together.

    Args:
        place: Where they search.
        count: How many there are.
    """

    def __init__(self, place: Place, count: int) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._ends = []
        self._processes = []
        for number in range(count):
            ours, theirs = spawning.Pipe()
            process = spawning.Process(target=worker, args=(place, theirs, number), daemon=True)
            process.start()
            self._ends.append(ours)
            self._processes.append(process)
        for end in self._ends:
            end.recv()

    def start(self, method: str, seconds: float | None, allowed: dict[str, Any]) -> None:
        """Let all of them search for some seconds, or until ``end``."""
        for end in self._ends:
            end.send((method, seconds, allowed))

    def end(self) -> list[Report]:
        """End the searches that have no end; return what the workers saw."""
        for end in self._ends:
            end.send("enough")
        return self.reports()

    def reports(self) -> list[Report]:
        """Wait for what they saw."""
        return [end.recv() for end in self._ends]

    def searched(self, method: str, allowed: dict[str, Any]) -> list[Report]:
        """Let all of them search; return what they saw."""
        self.start(method, MEASURED_SECONDS, allowed)
        return self.reports()

    def stop(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.send(None)
        for process in self._processes:
            process.join()


@contextlib.contextmanager
def chroma_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``chroma run`` on a folder, until it is left or killed."""
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--host", "127.0.0.1"]
    process = subprocess.Popen(  # noqa: S603 - a program of this environment
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/v2/heartbeat")
        yield process
    finally:
        process.kill()
        process.wait()


def measure(count: int, redis_url: str) -> dict[str, Any]:
    """Return what this many workers did, before, during and after a restart of the server."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, port = Path(name), _free_port()
        server = stack.enter_context(chroma_server(folder, port))
        place = Place(f"http://127.0.0.1:{port}", redis_url, f"workers-{uuid.uuid4().hex}")
        texts = [f"word{number} of passage {number % 7} says {number}" for number in range(PASSAGES)]
        with place.opened() as rag:
            rag.batch_add_texts(texts, ids=[f"p{number}" for number in range(PASSAGES)], show_progress=False)
            reference = _answers(rag)
        allowed = {question: {answer} for question, answer in reference.items()}
        workers = Workers(place, count)
        stack.callback(workers.stop)
        load = [round(os.getloadavg()[0], 1)]
        uncached = workers.searched("search", allowed)
        workers.searched("search_cached", allowed)  # fills the cache
        cached = workers.searched("search_cached", allowed)
        outage = {}
        for method in ("search", "search_cached"):
            workers.start(method, None, allowed)
            time.sleep(1.0)
            server.kill()
            server.wait()
            killed = time.monotonic()
            time.sleep(1.0)
            server = stack.enter_context(chroma_server(folder, port))
            up = time.monotonic()
            time.sleep(MEASURED_SECONDS)
            reports = workers.end()
            outage[method] = _summed(reports) | {
                "server down (s)": round(up - killed, 2),
                "all workers answer again, after the server does (s)": round(
                    max(0.0, *(report.back_at - up for report in reports)), 2
                ),
            }
        with place.opened() as rag:
            rag.batch_add_texts([QUESTIONS[0]], ids=["new"], show_progress=False)
            rag.delete(ids=["p1"])
            after = {question: {answer} for question, answer in _answers(rag).items()}
        changed = [_summed(workers.searched(method, after)) for method in ("search_cached", "search")]
        load.append(round(os.getloadavg()[0], 1))
    return {
        "workers": count,
        "uncached": _summed(uncached),
        "cached": _summed(cached),
        "server killed, uncached": outage["search"],
        "server killed, cached": outage["search_cached"],
        "after a change, cached": changed[0],
        "after a change, uncached": changed[1],
        "load": load,
    }


def _answers(rag: OptimizedRAG) -> dict[str, tuple[str, ...]]:
    return {question: tuple(result.id for result in rag.search(question)) for question in QUESTIONS}


def _summed(reports: Sequence[Report]) -> dict[str, Any]:
    errors = dict.fromkeys(itertools.chain.from_iterable(report.errors for report in reports))
    return {
        "answers per second": round(sum(report.answers / report.seconds for report in reports), 1),
        "wrong or stale": sum(report.wrong for report in reports),
        "longest silence (s)": round(max(report.longest_silence_seconds for report in reports), 2),
        "errors": list(errors),
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=1):  # noqa: S310 - http on this machine
            return
        time.sleep(0.05)
    raise RuntimeError(f"chroma run did not answer within {_START_SECONDS:g} s")


def main() -> int:
    """Measure, print and write; the exit status is 1 if any answer was wrong or stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    found: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine_facts(read_machine())}
    found["cores"] = os.cpu_count()
    with redis_server() as port:
        found["rows"] = [measure(count, f"redis://127.0.0.1:{port}") for count in words.workers]
    print(json.dumps(found, indent=1))  # noqa: T201
    words.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    wrong = sum(part["wrong or stale"] for row in found["rows"] for part in row.values() if isinstance(part, dict))
    return 0 if wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
