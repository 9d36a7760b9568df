"""A collection in a local folder, its state, and the lock that admits one writer."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["FolderHome", "StateFile"]

if TYPE_CHECKING:
    from jarvisperf.rag.store.folder.home import FolderHome, StateFile
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, f"{__name__}.home"))
