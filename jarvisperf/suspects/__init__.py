"""Suspects: the functions that a benchmark executes and whose code differs between the arms, ranked by their share."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Execution", "Explanation", "Suspect", "count_calls", "suspects_of", "with_shares"]

if TYPE_CHECKING:
    from jarvisperf.suspects.call_counts import count_calls
    from jarvisperf.suspects.decision import suspects_of
    from jarvisperf.suspects.model import Execution, Explanation, Suspect
    from jarvisperf.suspects.shares import with_shares
else:
    _FILES = ("model", "model", "model", "call_counts", "decision", "shares")
    __getattr__, __dir__ = attach(
        __name__, {name: f"{__name__}.{file}" for name, file in zip(__all__, _FILES, strict=True)}
    )
