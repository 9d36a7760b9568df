"""Affected: what each benchmark executes, reads and imports, and whether a change touches any of it."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Side", "Watched", "read_change", "reasons_to_run"]

if TYPE_CHECKING:
    from jarvisperf.gate.affected.decision import Side, read_change, reasons_to_run
    from jarvisperf.gate.affected.model import Watched
else:
    _FILES = ("decision", "model", "decision", "decision")
    __getattr__, __dir__ = attach(
        __name__, {name: f"{__name__}.{file}" for name, file in zip(__all__, _FILES, strict=True)}
    )
