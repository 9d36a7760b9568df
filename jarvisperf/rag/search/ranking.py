"""Ranks passages for diversity, and merges several rankings."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from jarvisperf.rag.store.change import unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.rag.store.records import Hit

FUSION_CONSTANT = 60  # as in the paper


def marginal_relevance(query: Any, hits: Sequence[Hit], count: int, diversity: float) -> list[Hit]:
    """Choose passages that are near the query and unlike those already chosen.

    Maximal marginal relevance: J. Carbonell and J. Goldstein, "The Use of MMR, Diversity-Based Reranking for
    Reordering Documents and Producing Summaries", SIGIR 1998; lambda is 1 - diversity.

    Args:
        query: The query's vector.
        hits: The candidates, with their vectors.
        count: Maximum number of passages to choose.
        diversity: From 0 (the nearest) to 1 (the most different).
    """
    if not hits:
        return []
    import numpy as np

    rows = unit_rows([hit.vector for hit in hits])
    relevance = rows @ unit_rows(query)[0]
    similarity = np.full(len(hits), -np.inf, dtype=np.float32)  # to the most similar passage chosen so far
    left = list(range(len(hits)))
    chosen: list[Hit] = []
    while left and len(chosen) < count:
        penalty = diversity * similarity[left] if chosen else 0.0
        best = left[int(((1 - diversity) * relevance[left] - penalty).argmax())]
        left.remove(best)
        chosen.append(hits[best])
        similarity = np.maximum(similarity, rows @ rows[best])
    return chosen


def fused(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Merge lists of ids, each best first, by the sum of 1 / (60 + rank); ties are ordered by id.

    Reciprocal rank fusion: G. Cormack, C. Clarke and S. Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods", SIGIR 2009.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] += 1 / (FUSION_CONSTANT + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))
