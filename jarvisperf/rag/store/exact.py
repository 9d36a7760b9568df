"""Exact search: every passage compared with every query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def nearest_rows(
    rows: NDArray[np.float64], ids: NDArray[Any], vectors: NDArray[np.float32], n_results: int
) -> list[list[tuple[int, float]]]:
    """For each vector the numbers and cosine distances of the rows nearest to it; of equally near ones the smaller id.

    Args:
        rows: The vectors to choose from.
        ids: Their ids.
        vectors: One row per query.
        n_results: How many are wanted.
    """
    import numpy as np

    tiny = np.finfo(np.float32).tiny
    norms = np.maximum(np.linalg.norm(rows, axis=1), tiny)
    orders: list[list[tuple[int, float]]] = []
    for vector in np.asarray(vectors, dtype=np.float64):
        length = max(float(np.linalg.norm(vector)), float(tiny))
        # Rounded, so that equal vectors are equally far whatever their place in the sum; then the id decides.
        distances = np.round(1.0 - (rows @ vector) / (norms * length), 9)
        # All that are as far as the last one, so that the ids can decide.
        last = np.partition(distances, n_results - 1)[n_results - 1] if n_results < len(ids) else np.inf
        chosen = np.flatnonzero(distances <= last).tolist()
        order = sorted(chosen, key=lambda row: (distances[row], ids[row]))[:n_results]
        orders.append([(row, float(distances[row])) for row in order])
    return orders
