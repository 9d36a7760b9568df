"""Orders passages by more than nearness: for variety, and from several lists."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from jarvisperf.rag.store.hits import Hit

FUSION_CONSTANT = 60  # of the paper


def marginal_relevance(query: Any, hits: Sequence[Hit], count: int, diversity: float) -> list[Hit]:
    """Pick passages that are near to the query and unlike those picked before.

    Maximal marginal relevance: J. Carbonell and J. Goldstein, "The Use of MMR, Diversity-Based Reranking for
    Reordering Documents and Producing Summaries", SIGIR 1998; lambda is 1 - diversity.

    Args:
        query: The query's vector.
        hits: The passages to choose from, with their vectors.
        count: How many to pick.
        diversity: From 0, the nearest, to 1, the most different.
    """
    if not hits:
        return []
    rows = _units([hit.vector for hit in hits])
    relevance = rows @ _units([query])[0]
    closest = None
    left = list(range(len(hits)))
    picked: list[Hit] = []
    while left and len(picked) < count:
        penalty = 0.0 if closest is None else diversity * closest[left]
        best = left[int(((1 - diversity) * relevance[left] - penalty).argmax())]
        left.remove(best)
        picked.append(hits[best])
        nearness = rows @ rows[best]
        closest = nearness if closest is None else _maximum(closest, nearness)
    return picked


def fused(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Join lists of ids, each best first: the sum of 1 / (60 + rank) decides, then the id.

    Reciprocal rank fusion: G. Cormack, C. Clarke and S. Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods", SIGIR 2009.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] += 1 / (FUSION_CONSTANT + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))


def _units(rows: Sequence[Any]) -> NDArray[np.float32]:
    import numpy as np

    matrix = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    units: NDArray[np.float32] = matrix / np.maximum(norms, np.finfo(np.float32).tiny)
    return units


def _maximum(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    larger: NDArray[np.float32] = np.maximum(one, other)
    return larger
