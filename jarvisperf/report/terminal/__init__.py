"""The summary in the terminal."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["render"]

if TYPE_CHECKING:
    from jarvisperf.report.terminal.summary import render
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.report.terminal.summary"))
