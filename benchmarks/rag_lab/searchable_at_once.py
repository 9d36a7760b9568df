"""How soon 1,000 passages can be searched, how good the answers are meanwhile, and when all have their vectors.

    python -m benchmarks.rag_lab.searchable_at_once time --out FILE.json
    python -m benchmarks.rag_lab.searchable_at_once quality --cranfield FOLDER --out FILE.json

`time` adds 1,000 passages of 1,600 characters, the docstrings of Python's standard library. Before and after, it embeds
a tenth of them in float32 for comparison, and multiplies that time. Models are loaded and have embedded a text before.
Seconds are those of the wall and of the processor, because other programs may be busy.

`quality` asks the same questions when all passages still wait, with the background halted and nothing embedded first,
and when all have their vectors.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sysconfig
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.rag_lab.quality import row_of, searched, thinned
from benchmarks.rag_lab.questions import cranfield_exam, own_exam, reading_exam
from jarvisperf.cache import SmartCache
from jarvisperf.rag import ModelOptions, OptimizedRAG, embedder_for
from jarvisperf.rag.embedding.background import BackgroundEmbedder
from jarvisperf.rag.embedding.cache import EmbeddingCache
from jarvisperf.rag.embedding.documents import document_vectors
from jarvisperf.rag.embedding.options import has_bfloat16
from jarvisperf.runs.machine import machine_facts, read_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.rag_lab.questions import Exam
    from jarvisperf.rag import Embedder

PASSAGES = 1000
COMPARED = 100  # passages embedded in float32 before, and as many after
CHARACTERS = 1600
OTHERS = {"site-packages", "test", "tests"}
QUESTION = "How do I parse the arguments of a command line?"
MOST_QUESTIONS = 150


class Known:
    """An embedder that embeds each text once.

    Args:
        embedder: The model.
        file: Keeps the vectors of texts.
    """

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self._embedder = embedder
        self._cache = EmbeddingCache(file)
        self.identity = embedder.identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per text."""
        return document_vectors(texts, self._embedder, self._cache)[0]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a query."""
        return self._embedder.embed_query(text)


def main() -> None:
    """Measure, print the figures, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("time", "quality"))
    parser.add_argument("--cranfield", type=Path, help="the folder of cran.all.1400, cran.qry and cranqrel")
    parser.add_argument("--reading", action="append", default=[], metavar="NAME=FILE", help="a set in SQuAD's format")
    parser.add_argument("--vectors", type=Path, help="a file that keeps the vectors of texts for the next run")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    found: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine_facts(read_machine())}
    if words.part == "time":
        found |= times()
    else:
        exams = [own_exam(), *([cranfield_exam(words.cranfield)] if words.cranfield else [])]
        exams += [reading_exam(name, Path(file)) for name, _, file in (one.partition("=") for one in words.reading)]
        with tempfile.TemporaryDirectory() as folder:
            model = Known(embedder_for(), words.vectors or Path(folder) / "vectors.sqlite")
            found["exams"] = [row for exam in exams for row in meanwhile(thinned(exam, MOST_QUESTIONS), model)]
    print(json.dumps(found, indent=1, ensure_ascii=False))  # noqa: T201
    words.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def times() -> dict[str, Any]:
    """Return the seconds of each step, and their ratios to embedding in float32."""
    texts = docstrings()
    exact = embedder_for(options=ModelOptions(dtype="float32"))
    exact.embed_documents(texts[:1])
    model = embedder_for()
    model.embed_documents(texts[:1])
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=None) as cache,
        OptimizedRAG(Path(folder), cache, model) as rag,
    ):
        rag.batch_add_texts(["The first text creates the collection."])
        before = _seconds(lambda: exact.embed_documents(texts[:: PASSAGES // COMPARED]))
        begin = _now()
        added = _seconds(lambda: rag.batch_add_texts(texts, show_progress=False))
        start = time.perf_counter()
        answer = rag.search(QUESTION)
        answered = time.perf_counter() - start
        rag.wait()
        embedded = _since(begin)
    after = _seconds(lambda: exact.embed_documents(texts[1 :: PASSAGES // COMPARED]))
    float32 = {kind: round((before[kind] + after[kind]) * PASSAGES / (2 * COMPARED), 2) for kind in before}
    return {
        "passages": len(texts),
        "characters": CHARACTERS,
        "dtype": "bfloat16" if has_bfloat16() else "float32",
        "searchable": added,
        "first answer, wall": round(answered, 2),
        "first answer complete": answer.complete,
        "all vectors stored": embedded,
        "embedding in float32": float32,
        "searchable / float32": {kind: round(added[kind] / float32[kind], 4) for kind in added},
        "float32 / all vectors stored": {kind: round(float32[kind] / embedded[kind], 2) for kind in embedded},
    }


def docstrings() -> list[str]:
    """Return the passages: docstrings of the standard library, joined and cut."""
    found: list[str] = []
    files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    for file in (file for file in files if OTHERS.isdisjoint(file.parts)):
        tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found += [text for node in ast.walk(tree) if isinstance(node, kinds) and (text := ast.get_docstring(node))]
    whole = "\n\n".join(dict.fromkeys(found))
    cut = [whole[start : start + CHARACTERS] for start in range(0, len(whole), CHARACTERS)]
    if len(cut) < PASSAGES:
        raise SystemExit(f"the standard library has docstrings for {len(cut)} passages only")
    return cut[:PASSAGES]


def meanwhile(exam: Exam, model: Known) -> list[dict[str, Any]]:
    """Return the quality by meaning with all vectors, and the quality while all passages wait."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=None) as cache,
        OptimizedRAG(Path(folder), cache, model, embedding_cache=False) as rag,
        mock.patch.object(BackgroundEmbedder, "start"),
        mock.patch("jarvisperf.rag.search.retriever.MOST_EMBEDDED_FIRST", 0),
        mock.patch("jarvisperf.rag.ingest.ingestor.MOST_EMBEDDED_NOW", 0),
    ):
        rag.batch_add_texts(exam.texts, ids=[str(place) for place in range(len(exam.texts))])
        for search in ("while all wait", "with all vectors"):
            rows.append(
                row_of(exam, "bfloat16" if has_bfloat16() else "float32", search, searched(rag, exam, hybrid=False))
            )
            rag.wait()
    return rows


def _now() -> tuple[float, float]:
    return time.perf_counter(), sum(os.times()[:2])


def _since(begin: tuple[float, float]) -> dict[str, float]:
    wall, processor = _now()
    return {"wall": round(wall - begin[0], 2), "processor": round(processor - begin[1], 2)}


def _seconds(call: Callable[[], object]) -> dict[str, float]:
    begin = _now()
    call()
    return _since(begin)


if __name__ == "__main__":
    main()
