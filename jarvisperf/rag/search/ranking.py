"""Ranks passages for diversity, and merges the rankings by meaning and by words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.rag.store.change import unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.rag.store.records import Hit

_DIGITS = 9  # beyond these, sums of equal numbers may differ


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


def fused(rankings: Sequence[Sequence[tuple[str, float]]], depth: int) -> list[str]:
    """Merge rankings of ids and scores by how far each passage stands out in each ranking; ties are ordered by id.

    Cosines and BM25 scores have no common unit, and for one query the words say more, for another the meaning. So each
    score is measured against its own ranking: its excess over the lowest score, divided by the mean excess. High scores
    of passages that do not answer are distributed exponentially (R. Manmatha, T. Rath and F. Feng, "Modeling Score
    Distributions for Combining the Outputs of Search Engines", SIGIR 2001), so this is the logarithm of how rarely such
    a passage scores as high. A ranking without outliers thus has little weight, and nothing needs tuning.

    What the rankings say is combined by the p-norm with p = 2 (G. Salton, E. Fox and H. Wu, "Extended Boolean
    Information Retrieval", Communications of the ACM 26, 1983): a passage that stands out in one ranking is not pulled
    down because it is missing from the other.

    Args:
        rankings: For each ranking, ids with their scores, best first.
        depth: How many passages a complete ranking has. In a shorter one, the passages that it lacks score 0.
    """
    evidence: dict[str, float] = {}
    for ranking in rankings:
        lowest = 0.0 if len(ranking) < depth else min((score for _, score in ranking), default=0.0)
        unit = sum(score - lowest for _, score in ranking) / max(1, depth, len(ranking))
        for key, score in ranking:
            standing_out = (score - lowest) / unit if unit > 0 else 0.0
            evidence[key] = evidence.get(key, 0.0) + standing_out**2
    return sorted(evidence, key=lambda key: (-round(evidence[key], _DIGITS), key))
