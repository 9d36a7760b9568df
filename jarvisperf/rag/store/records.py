"""A passage as stored (a record) and as found by a query (a hit).

A record's *mark* identifies its content. It is stored as one more key of the passage's metadata in Chroma and follows
from the text, the metadata and the model, so a passage with the same mark need not be read, embedded or written again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jarvisperf.rag.results import SearchResult
from jarvisperf.rag.store.change import EVERYWHERE
from jarvisperf.rag.store.filters import MARK, NAME, canonical_text
from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MARK_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class PassageRecord:
    """A passage to store: its id, text, metadata and mark (empty if its content cannot be recognised later)."""

    id: str
    text: str
    metadata: Mapping[str, Any] | None
    mark: str = ""


class Hit(NamedTuple):
    """A passage that was found: its metadata as stored, its distance to the query, and its vector if requested."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    distance: float
    vector: Any = None


class Neighbours(NamedTuple):
    """The passages nearest to one query.

    Attributes:
        hits: Nearest first; hits at the same distance are ordered by id.
        radius: A new passage within this cosine distance would be among them.
    """

    hits: list[Hit]
    radius: float


def mark_of(model: str | None, text: str, metadata: Mapping[str, Any] | None) -> str:
    """Return the mark of a passage's content; empty if it has none."""
    if model is None:
        return ""
    try:
        stored = canonical_text(metadata) if metadata else ""
        return hashlib.blake2b(framed(model, text, stored), digest_size=_MARK_BYTES).hexdigest()
    except (TypeError, OverflowError, UnicodeEncodeError):  # Chroma will report the problem
        return ""


def marked(record: PassageRecord) -> dict[str, Any]:
    """Return the metadata to store: the user's, and the mark."""
    return {**(record.metadata or {}), **({MARK: record.mark} if record.mark else {})}


def without_ours(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's metadata."""
    return {name: value for name, value in metadata.items() if not name.startswith(MARK)}


def last_of_each_id(records: Iterable[PassageRecord]) -> list[PassageRecord]:
    """Return the last record of each id, in the order in which the ids first appear."""
    return list({record.id: record for record in records}.values())


def hit_of(key: str, text: str | None, metadata: Mapping[str, Any] | None, row: Any, query: Any) -> Hit:
    """Return a passage with its distance to a query, given both vectors."""
    import numpy as np

    length = max(float(np.linalg.norm(row)) * float(np.linalg.norm(query)), float(np.finfo(np.float32).tiny))
    return Hit(key, text or "", metadata or {}, 1.0 - float(row @ query) / length, row)


def neighbours(hits: Iterable[Hit], wanted: int) -> Neighbours:
    """Sort the hits of one query for which ``wanted`` passages were requested."""
    ordered = sorted(hits, key=lambda hit: (hit.distance, hit.id))
    return Neighbours(ordered, ordered[-1].distance if len(ordered) >= wanted else EVERYWHERE)


def neighbours_in(answer: Mapping[str, Any], row: int, wanted: int) -> Neighbours:
    """Return the passages of one query in the answer of Chroma's ``query``."""
    vectors = answer.get("embeddings")
    columns = zip(*(answer[part][row] for part in ("ids", "documents", "metadatas", "distances")), strict=True)
    return neighbours(
        [
            Hit(
                key,
                text or "",
                metadata or {},
                float(distance),
                None if vectors is None else vectors[row][place],
            )
            for place, (key, text, metadata, distance) in enumerate(columns)
        ],
        wanted,
    )


def results_of(hits: Sequence[Hit]) -> tuple[SearchResult, ...]:
    """Convert hits to the results that a search returns."""
    sources = [hit.metadata.get(NAME, hit.metadata.get("source")) for hit in hits]
    return tuple(
        [
            SearchResult(
                id=hit.id,
                text=hit.text,
                score=1.0 - hit.distance,
                metadata=without_ours(hit.metadata),
                source=source if isinstance(source, str) else None,
            )
            for hit, source in zip(hits, sources, strict=True)
        ]
    )
