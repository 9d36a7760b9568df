"""The RAG compared with other libraries and with its targets, in parts of a few minutes each.

    python -m benchmarks.peers.bench_rag_peers sides --langchain-python PYTHON
    python -m benchmarks.peers.bench_rag_peers pipeline --llamaindex-python PYTHON
    python -m benchmarks.peers.bench_rag_peers redisvl --redisvl-python PYTHON --redis-url URL --pira FOLDER
    python -m benchmarks.peers.bench_rag_peers ingestion
    python -m benchmarks.peers.bench_rag_peers survival
    python -m benchmarks.peers.bench_rag_peers replay
    python -m benchmarks.peers.bench_rag_peers startup
    python -m benchmarks.peers.bench_rag_peers scale       # again and again until it says that it is complete

Each PYTHON is an interpreter of another environment, with langchain-chroma, langchain-huggingface and langchain-classic
(without it, that side is left out); with llama-index-core, llama-index-embeddings-huggingface and
llama-index-vector-stores-chroma; or with redisvl. URL is a Redis with search, such as Redis 8. Each part stores its
figures in ``rag/evidence`` and rewrites ``results-rag.md``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers import rag_parts
from benchmarks.peers.bench_cache_peers import processor
from benchmarks.peers.rag_report import report

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
EVIDENCE = HERE / "rag" / "evidence"
PARTS = ("sides", "pipeline", "redisvl", "ingestion", "survival", "replay", "startup", "scale", "report")
NEEDED = {"pipeline": ["llamaindex_python"], "redisvl": ["redisvl_python", "redis_url", "pira"]}


def main() -> None:
    """Measure one part, store its figures and rewrite the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--langchain-python", metavar="PYTHON")
    parser.add_argument("--llamaindex-python", metavar="PYTHON")
    parser.add_argument("--redisvl-python", metavar="PYTHON")
    parser.add_argument("--redis-url", metavar="URL")
    parser.add_argument("--pira", type=Path, help="the folder of Pirá's test.csv")
    parser.add_argument("--texts", type=int, default=100, help="number of documents; scale uses more")
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often each side runs, in turns; further calls add to the results"
    )
    parser.add_argument("--chunks", type=int, default=100_000, help="of scale")
    parser.add_argument("--seconds", type=float, default=200, help="length of one run of scale")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "rag-scale", help="where scale stores its progress"
    )
    words = parser.parse_args()
    for name in NEEDED.get(words.part, ()):
        if getattr(words, name) is None:
            parser.error(f"{words.part} needs --{name.replace('_', '-')}")
    parts: dict[str, Callable[[], dict[str, Any] | None]] = {
        "sides": lambda: rag_parts.sides(words.langchain_python, words.texts, words.rounds, kept("sides")),
        "pipeline": lambda: rag_parts.pipeline(words.llamaindex_python, words.texts, words.rounds),
        "redisvl": lambda: rag_parts.redisvl(words.redisvl_python, words.redis_url, words.pira),
        "ingestion": lambda: rag_parts.ingestion(words.texts, rounds=10),
        "survival": lambda: rag_parts.survival(words.texts, queries=1000),
        "replay": lambda: rag_parts.zipf_replay(words.texts, queries=10_000, write_every=100),
        "startup": lambda: rag_parts.startup(words.texts),
        "scale": lambda: rag_parts.scale(words.folder, chunks=words.chunks, seconds=words.seconds),
        "report": lambda: None,
    }
    figures = parts[words.part]()
    if figures is not None:
        EVIDENCE.mkdir(exist_ok=True)
        machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        where = {
            "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
            "machine": machine,
            "load": os.getloadavg()[0],
        }
        (EVIDENCE / f"{words.part}.json").write_text(json.dumps(where | figures, indent=1) + "\n", encoding="utf-8")
    evidence = {file.stem: kept(file.stem) or {} for file in EVIDENCE.glob("*.json")}
    (HERE / "results-rag.md").write_text(report(evidence), encoding="utf-8")


def kept(part: str) -> dict[str, Any] | None:
    """Return the latest figures of a part; None if it was never measured."""
    file = EVIDENCE / f"{part}.json"
    figures: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return figures


if __name__ == "__main__":
    main()
