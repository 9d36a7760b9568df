"""Passages as the store finds them, before they become results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jarvisperf.rag.results import SearchResult
from jarvisperf.rag.search.footprint import EVERYWHERE
from jarvisperf.rag.store.records import without_mark

if TYPE_CHECKING:
    from collections.abc import Mapping


class Hit(NamedTuple):
    """One passage: cosine distance to the query, and its vector where it was asked for."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    distance: float
    vector: Any = None

    def result(self) -> SearchResult:
        """The passage as users get it."""
        source = self.metadata.get("source")
        return SearchResult(
            id=self.id,
            text=self.text,
            score=1.0 - self.distance,
            metadata=self.metadata,
            source=source if isinstance(source, str) else None,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The passages nearest to one query.

    Attributes:
        hits: Nearest first; of equally near ones the smaller id.
        wanted: How many were asked for.
    """

    hits: list[Hit]
    wanted: int

    @property
    def radius(self) -> float:
        """The distance within which a new passage would be among them."""
        return EVERYWHERE if len(self.hits) < self.wanted else max(hit.distance for hit in self.hits)


def found_in(answer: Mapping[str, Any], row: int, wanted: int) -> Found:
    """The passages of one query in what Chroma's ``query`` gives."""
    vectors = answer.get("embeddings")
    hits = [
        Hit(key, text or "", without_mark(metadata), float(distance), None if vectors is None else vectors[row][place])
        for place, (key, text, metadata, distance) in enumerate(
            zip(*(answer[part][row] for part in ("ids", "documents", "metadatas", "distances")), strict=True)
        )
    ]
    return Found(sorted(hits, key=lambda hit: (hit.distance, hit.id)), wanted)
