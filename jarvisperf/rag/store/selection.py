"""Which passages a search may find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvisperf.rag.store.filters import Filter


@dataclass(frozen=True, slots=True)
class Selection:
    """Which passages may be found.

    Attributes:
        where: Chroma's filter on metadata.
        where_document: Chroma's filter on texts.
    """

    where: Filter | None = None
    where_document: Filter | None = None

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that there are, as arguments for Chroma."""
        both = {"where": self.where, "where_document": self.where_document}
        return {name: dict(given) for name, given in both.items() if given is not None}


EVERYTHING = Selection()
