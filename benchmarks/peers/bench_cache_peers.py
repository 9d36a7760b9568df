"""The cache compared with other libraries, in one process and in turns.

``python -m benchmarks.peers.bench_cache_peers [--out FILE]`` prints the results and writes them to a file.
Needs the peers (``tox run -e peers`` has an environment with them).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.peers.rows import Row

PEERS = (
    "cachebox", "cachetools", "theine", "lru-dict", "dogpile.cache", "cashews", "aiocache", "diskcache", "redis",
    "hiredis", "msgspec",
)  # fmt: skip
SECTIONS = ("memory", "decorator", "redis", "disk", "threads", "dead", "replay")


def rows(sections: set[str], port: int, folder: Path, requests: int, outcomes: Path | None) -> Iterator[Row]:
    """Measure one section after another."""
    from benchmarks.peers import one_call

    if "memory" in sections:
        yield from one_call.memory_rows()
    if "decorator" in sections:
        yield from one_call.decorator_rows(folder)
    if "redis" in sections:
        yield from one_call.redis_rows(port)
    if "disk" in sections:
        yield from one_call.disk_rows(port, folder)
    if "threads" in sections:
        yield from one_call.thread_rows()
    if "dead" in sections:
        yield from one_call.dead_redis_rows(folder)
    if "replay" in sections:
        from benchmarks.peers.replay import replay_rows, stored

        yield from replay_rows(port, requests, stored(outcomes, requests) if outcomes else {})


def report(found: list[Row], isolation: str) -> str:
    """Write the results as Markdown, with the date and the machine."""
    from benchmarks.peers.rows import table
    from jarvisperf.cache.memory.compiled import compiled_reader

    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    reader = "compiled" if compiled_reader() else "pure Python"
    return (
        f"# The cache compared with other libraries\n\nMeasured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d} by"
        f" `python -m benchmarks.peers.bench_cache_peers`, Python {platform.python_version()}, {processor()},"
        f" {os.cpu_count()} cores, {platform.system()}; hits in memory: {reader}; {peers}."
        f" Each ratio is the median ratio of neighbouring"
        f" turns.\n\n{table(found)}\n\n## What isolation costs\n\n{isolation}\n"
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> int:
    """Measure and print; the exit status is 1 if a target was missed."""
    from benchmarks.peers import one_call
    from benchmarks.peers.servers import redis_server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="also write the results to this file")
    parser.add_argument("--requests", type=int, default=200_000, help="of the replay")
    parser.add_argument("--outcomes", type=Path, help="outcomes of earlier replays; see benchmarks.peers.replay")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS, help="sections to measure")
    words = parser.parse_args()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, redis_server() as port:
        for row in rows(set(words.only), port, Path(folder), words.requests, words.outcomes):
            print(" | ".join(row.cells()), flush=True)  # noqa: T201 - the rows are the result
            found.append(row)
        isolation = one_call.isolation_costs()
    print(isolation)  # noqa: T201
    if words.out:
        words.out.write_text(report(found, isolation))
    return 0 if all(row.reached for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
