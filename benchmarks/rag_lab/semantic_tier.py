"""How often the semantic tier is right and wrong, with its guard and by cosine alone.

    python -m benchmarks.rag_lab.semantic_tier --pira FOLDER --out FILE.json

Paraphrases should hit; opposites and different questions must not. Intervals are Wilson's (E. B. Wilson, "Probable
Inference, the Law of Succession, and Statistical Inference", 1927), 95 %.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rag_lab.questions import OPPOSITES, paraphrases, read_pira
from jarvisperf.rag import ModelOptions, SentenceTransformerEmbedder
from jarvisperf.rag.answers.paraphrases import content_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

THRESHOLDS = (0.8, 0.9, 0.95)
_Z = 1.959964  # of 95 %


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pira", type=Path, required=True, help="the folder of Pirá's test.csv")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    rows = read_pira(words.pira)
    questions = list(dict.fromkeys(row["question_en_origin"] for row in rows))
    kinds = {
        "paraphrases": paraphrases(rows),
        "opposites": list(OPPOSITES),
        "different questions": list(itertools.combinations(questions, 2)),
    }
    vectors = embedded({text for pairs in kinds.values() for pair in pairs for text in pair})
    table = [row for kind, pairs in kinds.items() for row in measure(kind, pairs, vectors)]
    for row in table:
        print(  # noqa: T201
            f"{row['pairs']:20} {row['threshold']:.2f} {row['gate']:16} {row['hits']:6}/{row['of']:<6}"
            f" {row['rate']:8.4%}  [{row['interval'][0]:.4%}, {row['interval'][1]:.4%}]"
        )
    words.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def embedded(texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """The vector of each text, as a query, in float32."""
    listed = sorted(texts)
    rows = SentenceTransformerEmbedder(options=ModelOptions(dtype="float32")).embed_queries(listed)
    return dict(zip(listed, rows, strict=True))


def measure(
    kind: str, pairs: Sequence[tuple[str, str]], vectors: dict[str, NDArray[np.float32]]
) -> Iterable[dict[str, Any]]:
    """How many of these pairs count as the same question, for each threshold, with and without the guard."""
    near = [(float(vectors[one] @ vectors[other]), one, other) for one, other in pairs]
    for threshold in THRESHOLDS:
        alone = [(one, other) for cosine, one, other in near if cosine >= threshold]
        guarded = [pair for pair in alone if content_words(pair[0]) == content_words(pair[1])]
        for gate, hits in (("cosine alone", len(alone)), ("cosine and guard", len(guarded))):
            yield {
                "pairs": kind,
                "threshold": threshold,
                "gate": gate,
                "hits": hits,
                "of": len(pairs),
                "rate": hits / len(pairs),
                "interval": wilson(hits, len(pairs)),
            }


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The interval of a proportion."""
    part = hits / of
    centre = part + _Z**2 / (2 * of)
    half = _Z * math.sqrt(part * (1 - part) / of + _Z**2 / (4 * of**2))
    return max(0.0, (centre - half) / (1 + _Z**2 / of)), min(1.0, (centre + half) / (1 + _Z**2 / of))


if __name__ == "__main__":
    main()
