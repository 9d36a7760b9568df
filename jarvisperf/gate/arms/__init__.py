"""The two arms of a comparison: git revisions, checkouts, and shared files."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Arms", "InstallError", "SharedFiles", "shared_files"]

if TYPE_CHECKING:
    from jarvisperf.gate.arms.prepare import Arms, InstallError, SharedFiles, shared_files
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.gate.arms.prepare"))
