"""One passage to store, and the mark by which it is known again.

The mark is one more key of the passage's metadata in Chroma. It follows from the text, the metadata and the model, so
a passage that is there with the same mark need not be read, embedded or written again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jarvisperf.rag.store.canonical import canonical_text
from jarvisperf.rag.texts import framed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MARK: Final = "_jarvisperf"
_MARK_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Record:
    """A passage: its id, its text, what to keep beside it, and its mark (empty: it is never known again)."""

    id: str
    text: str
    metadata: Mapping[str, Any] | None
    mark: str = ""


def mark_of(model: str | None, text: str, metadata: Mapping[str, Any] | None) -> str:
    """What tells this passage from any other content under the same id; empty where that cannot be told."""
    if model is None:
        return ""
    try:
        beside = canonical_text(metadata) if metadata else ""
        return hashlib.blake2b(framed(model, text, beside), digest_size=_MARK_BYTES).hexdigest()
    except (TypeError, OverflowError, UnicodeEncodeError):  # Chroma will say what is wrong with it
        return ""


def marked(record: Record) -> dict[str, Any]:
    """The metadata to store: what the user gave, and the mark."""
    return {**(record.metadata or {}), **({MARK: record.mark} if record.mark else {})}


def without_mark(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata that the user gave."""
    return {name: value for name, value in (metadata or {}).items() if name != MARK}


def last_of_each_id(records: Iterable[Record]) -> list[Record]:
    """The records without repetitions of an id, of which the last one counts, in the order of the first."""
    return list({record.id: record for record in records}.values())
