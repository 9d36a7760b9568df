"""Retrieval quality: recall@5 and MRR@10 of the model in float32 and bfloat16, plain and hybrid.

python -m benchmarks.rag_lab.quality --pira FOLDER --out FILE.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rag_lab.questions import Exam, own_exam, pira_exams, read_pira
from jarvisperf.cache import SmartCache
from jarvisperf.rag import ModelOptions, OptimizedRAG
from jarvisperf.rag.embedding.options import has_bfloat16

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jarvisperf.rag import SearchResult

RANKS = 10


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pira", type=Path, help="the folder of Pirá's test.csv; without it only the own questions")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    exams = [*(pira_exams(read_pira(words.pira)) if words.pira else []), own_exam()]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for row in (row for exam in exams for row in measure(exam, Path(folder) / "vectors.sqlite")):
            rows.append(row)
            words.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(f"{row['exam']:34} {row['dtype']:9} {row['search']:7} {row['recall@5']:.3f} {row['mrr@10']:.3f}")  # noqa: T201


def measure(exam: Exam, vectors: Path) -> Iterator[dict[str, Any]]:
    """One row for each dtype that this CPU has in hardware, and each kind of search."""
    for dtype in ("float32", "bfloat16") if has_bfloat16() else ("float32",):
        with (
            tempfile.TemporaryDirectory() as folder,
            SmartCache(redis_url=None, local_cache_dir=None) as cache,
            OptimizedRAG(
                Path(folder), cache, model_options=ModelOptions(dtype=dtype), embedding_cache=vectors, exact=True
            ) as rag,
        ):
            rag.batch_add_texts(exam.texts, ids=[str(place) for place in range(len(exam.texts))])
            for hybrid in (False, True):
                found = rag.search_many([question for question, _ in exam.questions], RANKS, hybrid=hybrid)
                ranks = [first_right(one, right) for one, (_, right) in zip(found, exam.questions, strict=True)]
                yield {
                    "exam": exam.name,
                    "questions": len(ranks),
                    "texts": len(exam.texts),
                    "dtype": dtype,
                    "search": "hybrid" if hybrid else "plain",
                    "recall@5": sum(rank is not None and rank <= 5 for rank in ranks) / len(ranks),
                    "mrr@10": sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
                }


def first_right(found: Sequence[SearchResult], right: frozenset[int]) -> int | None:
    """The rank, from 1, of the first text that answers the question; None where none is among the results."""
    return next((rank for rank, result in enumerate(found, 1) if int(result.id) in right), None)


if __name__ == "__main__":
    main()
