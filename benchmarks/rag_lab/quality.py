r"""Retrieval quality: recall@5, MRR@10 and nDCG@10 of searches by words, by meaning, and by both.

    python -m benchmarks.rag_lab.quality --pira FOLDER --cranfield FOLDER --reading "XQuAD, Spanish=xquad.es.json" \
        --out FILE.json

Rows that FILE.json has already, of other sets or dtypes, are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.rag_lab.questions import cranfield_exam, own_exam, pira_exams, read_pira, reading_exam
from jarvisperf.bench.ranking_measures import normalised_gain, recall, reciprocal_rank
from jarvisperf.cache import SmartCache
from jarvisperf.rag import ModelOptions, OptimizedRAG, embedder_for
from jarvisperf.rag.embedding.options import has_bfloat16

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.rag_lab.questions import Exam
    from jarvisperf.rag import Embedder, SearchResult

RANKS = 10


class NoMeaning:
    """An embedder for which all texts mean the same, so that hybrid search ranks by words alone."""

    identity = "no meaning"

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the same vector for each text."""
        return np.ones((len(texts), 1), dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:  # noqa: ARG002
        """That vector."""
        return np.ones(1, dtype=np.float32)


class EachQueryOnce:
    """An embedder that remembers the vectors of queries, because each is asked in two ways."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vector = functools.cache(embedder.embed_query)
        self.identity = embedder.identity

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row per text."""
        return self._embedder.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a query."""
        return self._vector(text)


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pira", type=Path, help="the folder of Pirá's test.csv")
    parser.add_argument("--cranfield", type=Path, help="the folder of cran.all.1400, cran.qry and cranqrel")
    parser.add_argument("--reading", action="append", default=[], metavar="NAME=FILE", help="a set in SQuAD's format")
    parser.add_argument("--own", action="store_true", help="the suite's own questions about Python's reference")
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16" if has_bfloat16() else "float32"])
    parser.add_argument("--most-questions", type=int, default=300, help="larger sets are thinned evenly (300)")
    parser.add_argument("--vectors", type=Path, help="a file that keeps the vectors of texts for the next run")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    exams = [*(pira_exams(read_pira(words.pira)) if words.pira else []), *([own_exam()] if words.own else [])]
    exams += [cranfield_exam(words.cranfield)] if words.cranfield else []
    exams += [reading_exam(name, Path(file)) for name, _, file in (one.partition("=") for one in words.reading)]
    rows = json.loads(words.out.read_text(encoding="utf-8")) if words.out.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        vectors = words.vectors or Path(folder) / "vectors.sqlite"
        for row in (
            row for exam in exams for row in measure(thinned(exam, words.most_questions), words.dtypes, vectors)
        ):
            rows = [one for one in rows if _key(one) != _key(row)] + [row]
            words.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            figures = "  ".join(f"{row[name]:.3f}" for name in ("recall@5", "mrr@10", "ndcg@10"))
            print(f"{row['exam']:30} {row['dtype']:9} {row['search']:8} {figures}", flush=True)  # noqa: T201


def thinned(exam: Exam, most: int) -> Exam:
    """Return the exam with at most this many questions, evenly chosen; all texts remain."""
    step = -(-len(exam.questions) // most)
    return dataclasses.replace(exam, questions=exam.questions[::step])


def measure(exam: Exam, dtypes: Sequence[str], vectors: Path) -> Iterator[dict[str, Any]]:
    """Return one row for words, and for each dtype one for meaning and one for both."""
    with filled(exam, NoMeaning(), vectors=False) as rag:
        yield row_of(exam, "-", "words", searched(rag, exam, hybrid=True))
    for dtype in dtypes:
        model = EachQueryOnce(embedder_for(options=ModelOptions(dtype=dtype)))
        with filled(exam, model, vectors=vectors) as rag:
            for search in ("meaning", "hybrid"):
                yield row_of(exam, dtype, search, searched(rag, exam, hybrid=search == "hybrid"))


@contextlib.contextmanager
def filled(exam: Exam, model: Embedder, *, vectors: Path | bool) -> Iterator[OptimizedRAG]:
    """Create a RAG in a fresh folder, with the exam's texts."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SmartCache(redis_url=None, local_cache_dir=None) as cache,
        OptimizedRAG(Path(folder), cache, model, embedding_cache=vectors, exact=True, embed_in_background=False) as rag,
    ):
        rag.batch_add_texts(exam.texts, ids=[str(place) for place in range(len(exam.texts))])
        yield rag


def searched(rag: OptimizedRAG, exam: Exam, *, hybrid: bool) -> Sequence[Sequence[SearchResult]]:
    """Return what a search finds for each question."""
    return rag.search_many([question for question, _ in exam.questions], RANKS, hybrid=hybrid)


def row_of(exam: Exam, dtype: str, search: str, found: Sequence[Sequence[SearchResult]]) -> dict[str, Any]:
    """Return the means of the measures over the questions."""
    gains = [
        [float(int(result.id) in right) for result in results]
        for results, (_, right) in zip(found, exam.questions, strict=True)
    ]
    wanted = [[1.0] * len(right) for _, right in exam.questions]
    pairs = list(zip(gains, wanted, strict=True))
    return {
        "exam": exam.name,
        "questions": len(exam.questions),
        "texts": len(exam.texts),
        "dtype": dtype,
        "search": search,
        "recall@5": statistics.fmean(recall(one[:5], all_of_it) for one, all_of_it in pairs),
        "mrr@10": statistics.fmean(reciprocal_rank(one) for one in gains),
        "ndcg@10": statistics.fmean(normalised_gain(one, all_of_it, RANKS) for one, all_of_it in pairs),
    }


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["exam"], row["dtype"], row["search"]


if __name__ == "__main__":
    main()
